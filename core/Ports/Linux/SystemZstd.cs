// The system's libzstd for those who pack, where there is one: the calls of interop, by the same names.
using System;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any; a context is one's.</summary>
public static class SystemZstd
{
    public const int Level = LibZstd.Level;
    public const int HashLog = LibZstd.HashLog;
    public const int MinMatch = LibZstd.MinMatch;

    public static bool IsThere => LibZstd.IsThere;

    /// <returns>0: no memory.</returns>
    public static nint CreateCompressor() => LibZstd.CreateCompressor();

    public static void FreeCompressor(nint context) => LibZstd.FreeCompressor(context);

    /// <returns>0: no memory.</returns>
    public static nint CreateReader() => LibZstd.CreateReader();

    public static void FreeReader(nint context) => LibZstd.FreeReader(context);

    /// <inheritdoc cref="LibZstd.Set"/>
    public static void Set(nint context, int parameter, int value) => LibZstd.Set(context, parameter, value);

    /// <returns>Bytes, or -1: it does not fit.</returns>
    public static int Compress(nint context, ReadOnlySpan<byte> from, Span<byte> to) =>
        LibZstd.Compress(context, from, to);

    /// <returns>Bytes, or -1: they begin with no frame.</returns>
    public static int FrameBytes(ReadOnlySpan<byte> from) => LibZstd.FrameBytes(from);

    /// <returns>Bytes, or -1: it is no such text, or does not fit.</returns>
    public static int Decompress(nint context, ReadOnlySpan<byte> from, Span<byte> to) =>
        LibZstd.Decompress(context, from, to);
}
