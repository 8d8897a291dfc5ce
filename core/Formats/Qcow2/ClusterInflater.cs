// Unpacks one compressed cluster. The bytes are hostile: whatever they are, no more than a cluster is written, no more
// memory is taken than the decoder's own, and the answer is yes or no.
//
// zlib is the runtime's (System.IO.Compression), which takes some 50 KB while it works. zstd is decoded in one call
// whose window is the cluster itself, so that no frame can ask for memory by the window that it names. What follows the
// data up to the next sector is no part of it and is not looked at.
// Cost: some 300 MB/s a thread by zlib, 1 GB/s by zstd.
// Source: QEMU docs/interop/qcow2.rst, "Compressed Clusters Descriptor"; RFC 1951; RFC 8878.
using System;
using System.IO;
using System.IO.Compression;
using FastBackup.Ports.Linux;
using ZstdSharp.Unsafe;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one at a time.</summary>
/// <param name="type">By what.</param>
/// <param name="mayUseSystem">False: the port, for tests.</param>
sealed class ClusterInflater(Qcow2Compression type, bool mayUseSystem = true) : IDisposable
{
    unsafe ZSTD_DCtx_s* _context;
    nint _system;

    /// <param name="packed">As long as it can be.</param>
    /// <param name="plain">The cluster, filled whole on success; else anything.</param>
    public unsafe bool TryInflate(ReadOnlySpan<byte> packed, Span<byte> plain)
    {
        try
        {
            fixed (
                byte* from = packed,
                    to = plain
            )
                return type == Qcow2Compression.Zstd
                    ? TryZstd(from, (nuint)packed.Length, to, (nuint)plain.Length)
                    : TryZlib(from, packed.Length, plain);
        }
#pragma warning disable CA1031 // what a decoder throws of hostile bytes is not written down anywhere
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }

    static unsafe bool TryZlib(byte* from, int count, Span<byte> plain)
    {
        // SAFETY: the caller's span is fixed for as long as this call takes.
        using UnmanagedMemoryStream source = new(from, count);
        using DeflateStream decoder = new(source, CompressionMode.Decompress);
        return decoder.ReadAtLeast(plain, plain.Length, throwOnEndOfStream: false) == plain.Length;
    }

    unsafe bool TryZstd(byte* from, nuint count, byte* to, nuint length)
    {
        if (_system == 0 && _context == null && mayUseSystem && SystemZstd.IsThere)
            _system = SystemZstd.CreateReader();
        if (_system != 0)
            return TrySystem(new ReadOnlySpan<byte>(from, (int)count), new Span<byte>(to, (int)length));
        if (_context == null)
            _context = Methods.ZSTD_createDCtx();
        while (length > 0)
        {
            // SAFETY: both spans are the caller's and fixed; the decoder is told their lengths.
            nuint frame = Methods.ZSTD_findFrameCompressedSize(from, count);
            if (Methods.ZSTD_isError(frame) || frame == 0 || frame > count)
                return false;
            nuint got = Methods.ZSTD_decompressDCtx(_context, to, length, from, frame);
            if (Methods.ZSTD_isError(got) || got > length)
                return false;
            from += frame;
            count -= frame;
            to += got;
            length -= got;
        }
        return true;
    }

    bool TrySystem(ReadOnlySpan<byte> packed, Span<byte> plain)
    {
        while (plain.Length > 0)
        {
            int frame = SystemZstd.FrameBytes(packed);
            if (frame <= 0 || frame > packed.Length)
                return false;
            int got = SystemZstd.Decompress(_system, packed[..frame], plain);
            if (got < 0 || got > plain.Length)
                return false;
            packed = packed[frame..];
            plain = plain[got..];
        }
        return true;
    }

    public unsafe void Dispose()
    {
        if (_context != null)
            _ = Methods.ZSTD_freeDCtx(_context);
        if (_system != 0)
            SystemZstd.FreeReader(_system);
        _context = null;
        _system = 0;
    }
}
