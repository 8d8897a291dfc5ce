// The system's libzstd, where there is one: at compressing two to four times as fast as the managed port. Declarations
// only: no retries, no policy. Looked up at run time, so that nothing depends on it; a system without one, as Windows,
// has the port.
// Source: zstd.h of libzstd 1.5, Explicit context and Advanced compression API; error codes lie at the end of size_t.
using System;
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>Threads: any; a context is one's.</summary>
public static unsafe class LibZstd
{
    /// <summary>ZSTD_c_compressionLevel</summary>
    public const int Level = 100;

    /// <summary>ZSTD_c_hashLog</summary>
    public const int HashLog = 102;

    /// <summary>ZSTD_c_minMatch</summary>
    public const int MinMatch = 105;

    // SAFETY: these are the C signatures; a context is made and freed by the same library, and spans outlive the calls.
    static readonly nint s_library = NativeLibrary.TryLoad("libzstd.so.1", out nint found) ? found : 0;
    static readonly delegate* unmanaged<void*> s_createCompressor = (delegate* unmanaged<void*>)Find("ZSTD_createCCtx");
    static readonly delegate* unmanaged<void*, nuint> s_freeCompressor = (delegate* unmanaged<void*, nuint>)Find(
        "ZSTD_freeCCtx"
    );
    static readonly delegate* unmanaged<void*, int, int, nuint> s_set = (delegate* unmanaged<
        void*,
        int,
        int,
        nuint>)Find("ZSTD_CCtx_setParameter");
    static readonly delegate* unmanaged<void*, void*, nuint, void*, nuint, nuint> s_compress = (delegate* unmanaged<
        void*,
        void*,
        nuint,
        void*,
        nuint,
        nuint>)Find("ZSTD_compress2");
    static readonly delegate* unmanaged<void*> s_createReader = (delegate* unmanaged<void*>)Find("ZSTD_createDCtx");
    static readonly delegate* unmanaged<void*, nuint> s_freeReader = (delegate* unmanaged<void*, nuint>)Find(
        "ZSTD_freeDCtx"
    );
    static readonly delegate* unmanaged<void*, nuint, nuint> s_frame = (delegate* unmanaged<void*, nuint, nuint>)Find(
        "ZSTD_findFrameCompressedSize"
    );
    static readonly delegate* unmanaged<void*, void*, nuint, void*, nuint, nuint> s_decompress = (delegate* unmanaged<
        void*,
        void*,
        nuint,
        void*,
        nuint,
        nuint>)Find("ZSTD_decompressDCtx");
    static readonly delegate* unmanaged<nuint, uint> s_isError = (delegate* unmanaged<nuint, uint>)Find("ZSTD_isError");

    public static bool IsThere { get; } =
        s_createCompressor != null
        && s_freeCompressor != null
        && s_set != null
        && s_compress != null
        && s_createReader != null
        && s_freeReader != null
        && s_frame != null
        && s_decompress != null
        && s_isError != null;

    /// <returns>0: no memory.</returns>
    public static nint CreateCompressor() => (nint)s_createCompressor();

    public static void FreeCompressor(nint context) => _ = s_freeCompressor((void*)context);

    /// <returns>0: no memory.</returns>
    public static nint CreateReader() => (nint)s_createReader();

    public static void FreeReader(nint context) => _ = s_freeReader((void*)context);

    /// <summary>For all that is compressed from now on.</summary>
    /// <param name="context">Of a compressor.</param>
    /// <param name="parameter">One of the constants.</param>
    /// <param name="value">In its range, or it stays as it was.</param>
    public static void Set(nint context, int parameter, int value) => _ = s_set((void*)context, parameter, value);

    /// <returns>Bytes, or -1: it does not fit.</returns>
    public static int Compress(nint context, ReadOnlySpan<byte> from, Span<byte> to)
    {
        fixed (byte* source = from)
        fixed (byte* target = to)
            return Count(s_compress((void*)context, target, (nuint)to.Length, source, (nuint)from.Length));
    }

    /// <summary>How long the frame is that these bytes begin with.</summary>
    /// <returns>Bytes, or -1: they begin with none.</returns>
    public static int FrameBytes(ReadOnlySpan<byte> from)
    {
        fixed (byte* source = from)
            return Count(s_frame(source, (nuint)from.Length));
    }

    /// <returns>Bytes, or -1: it is no such text, or does not fit.</returns>
    public static int Decompress(nint context, ReadOnlySpan<byte> from, Span<byte> to)
    {
        fixed (byte* source = from)
        fixed (byte* target = to)
            return Count(s_decompress((void*)context, target, (nuint)to.Length, source, (nuint)from.Length));
    }

    static int Count(nuint result) => s_isError(result) != 0 ? -1 : (int)result;

    static nint Find(string name) =>
        s_library != 0 && NativeLibrary.TryGetExport(s_library, name, out nint address) ? address : 0;
}
