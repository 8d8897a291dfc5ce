// Compresses and decompresses what goes into a repository: by libzstd where the system has it, else by the managed
// port. Level 1: level 3 takes nearly three times as long for 1 % less of a disk.
using System;
using System.IO;
using FastBackup.Interop.Linux;
using ZstdSharp;

namespace FastBackup.Repositories;

/// <summary>Threads: one.</summary>
sealed class ZstdCodec : IDisposable
{
    const int Level = 1;

    /// <summary>Documents: an index or a list of files that claims more is no such thing.</summary>
    const long TextBytesMax = 1L << 30;

    readonly nint _compressor;
    readonly nint _reader;
    readonly Compressor? _port;
    readonly Decompressor? _portReader;

    /// <param name="mayUseSystem">False: the port, for the tests.</param>
    public ZstdCodec(bool mayUseSystem = true)
    {
        if (mayUseSystem && LibZstd.IsThere)
            (_compressor, _reader) = (LibZstd.CreateCompressor(), LibZstd.CreateReader());
        if (_compressor != 0)
            LibZstd.Set(_compressor, LibZstd.Level, Level);
        if (_compressor == 0 || _reader == 0)
            (_port, _portReader) = (new Compressor(Level), new Decompressor());
    }

    /// <summary>Room that any text of this length fits compressed.</summary>
    public static int BoundBytes(int textBytes) => textBytes + textBytes / 128 + 1024;

    /// <returns>Bytes of the result; 0: it does not fit, so it is not worth it.</returns>
    public int Compress(ReadOnlySpan<byte> text, Span<byte> to)
    {
        if (_port == null)
            return Math.Max(0, LibZstd.Compress(_compressor, text, to));
        return _port.TryWrap(text, to, out int count) ? count : 0;
    }

    /// <param name="from">Compressed.</param>
    /// <param name="text">Of exactly the length that it has.</param>
    /// <returns>False: it is damaged, or of another length.</returns>
    public bool TryDecompress(ReadOnlySpan<byte> from, Span<byte> text)
    {
        if (_portReader == null)
            return LibZstd.Decompress(_reader, from, text) == text.Length;
        try
        {
            return _portReader.Unwrap(from, text) == text.Length;
        }
        catch (ZstdException)
        {
            return false;
        }
    }

    /// <summary>A document, whose length nobody knows.</summary>
    /// <returns>Null: damaged, or longer than any document.</returns>
    public static byte[]? DecompressDocument(byte[] from, int start)
    {
        using MemoryStream source = new(from, start, from.Length - start, writable: false);
        using DecompressionStream reader = new(source);
        using MemoryStream all = new();
        byte[] part = new byte[256 << 10];
        try
        {
            for (int count; (count = reader.Read(part, 0, part.Length)) > 0; )
            {
                if (all.Length + count > TextBytesMax)
                    return null;
                all.Write(part, 0, count);
            }
        }
        catch (Exception exception) when (exception is ZstdException or EndOfStreamException)
        {
            return null;
        }
        return all.ToArray();
    }

    public void Dispose()
    {
        _port?.Dispose();
        _portReader?.Dispose();
        if (_compressor != 0)
            LibZstd.FreeCompressor(_compressor);
        if (_reader != 0)
            LibZstd.FreeReader(_reader);
    }
}
