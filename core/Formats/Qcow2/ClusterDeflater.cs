// Packs one cluster. What does not become smaller by a page at least is left as it is: to read it costs more than that.
//
// zstd is one frame with its length, and no checksum. zlib is raw deflate by the runtime (System.IO.Compression), which
// takes some 270 KB while it works.
// Cost: some 350 MB/s a thread by zstd at level 1, 250 MB/s by zlib.
// Source: QEMU docs/interop/qcow2.rst, "Compressed Clusters Descriptor"; RFC 1951; RFC 8878.
using System;
using System.IO;
using System.IO.Compression;
using FastBackup.Ports.Linux;
using ZstdSharp.Unsafe;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one at a time.</summary>
/// <param name="packing">How.</param>
/// <param name="mayUseSystem">False: the port, for tests.</param>
sealed class ClusterDeflater(NewImagePacking packing, bool mayUseSystem = true) : IDisposable
{
    /// <summary>What is longer is not worth it.</summary>
    public const int PackedBytesMax = (int)NewImageShape.ClusterBytes - 4096;

    /// <summary>Room for whatever comes of a cluster: no encoder makes it longer than by a quarter.</summary>
    public const int PackedBytesRoom = (int)NewImageShape.ClusterBytes / 4 * 5;

    readonly ZLibCompressionOptions _zlib = new() { CompressionLevel = Math.Min(packing.Level, 9) };
    unsafe ZSTD_CCtx_s* _context;
    nint _system;
    bool _isReady;

    /// <param name="plain">A cluster.</param>
    /// <param name="packed">PackedBytesRoom.</param>
    /// <returns>How long it is; 0: it is not worth it.</returns>
    public unsafe int Deflate(ReadOnlySpan<byte> plain, Span<byte> packed)
    {
        fixed (
            byte* from = plain,
                to = packed
        )
        {
            int length =
                packing.Type == Qcow2Compression.Zstd ? Zstd(from, plain.Length, to) : Zlib(plain, to, packed.Length);
            return length <= PackedBytesMax ? length : 0;
        }
    }

    unsafe int Zlib(ReadOnlySpan<byte> plain, byte* to, int room)
    {
        // SAFETY: the caller's span is fixed for as long as this call takes.
        using UnmanagedMemoryStream sink = new(to, 0, room, FileAccess.Write);
        using (DeflateStream encoder = new(sink, _zlib, leaveOpen: true))
            encoder.Write(plain);
        return (int)sink.Position;
    }

    unsafe int Zstd(byte* from, int count, byte* to)
    {
        if (!_isReady)
            Prepare();
        // SAFETY: both spans are the caller's and fixed; the encoder is told their lengths. It fails where there is no
        // room.
        if (_system != 0)
            return Math.Max(0, SystemZstd.Compress(_system, new(from, count), new(to, PackedBytesMax)));
        nuint length = Methods.ZSTD_compress2(_context, to, PackedBytesMax, from, (nuint)count);
        return Methods.ZSTD_isError(length) ? 0 : (int)length;
    }

    unsafe void Prepare()
    {
        _isReady = true;
        if (mayUseSystem && SystemZstd.IsThere)
            _system = SystemZstd.CreateCompressor();
        if (_system == 0)
            _context = Methods.ZSTD_createCCtx();
        Set(SystemZstd.Level, packing.Level);
        if (packing.Level > 1 || _system != 0)
            return;
        // A table of 8 KiB stays in the first cache: 12 % faster, and 0.8 % longer, of programs' files. The system's
        // library gains nothing by it.
        Set(SystemZstd.HashLog, 11);
        Set(SystemZstd.MinMatch, 5);
    }

    unsafe void Set(int parameter, int value)
    {
        if (_system != 0)
            SystemZstd.Set(_system, parameter, value);
        else
            _ = Methods.ZSTD_CCtx_setParameter(_context, (ZSTD_cParameter)parameter, value);
    }

    public unsafe void Dispose()
    {
        if (_context != null)
            _ = Methods.ZSTD_freeCCtx(_context);
        if (_system != 0)
            SystemZstd.FreeCompressor(_system);
        _context = null;
        (_system, _isReady) = (0, false);
    }
}
