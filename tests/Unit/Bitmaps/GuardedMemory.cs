using System;
using FastBackup.Interop.Linux;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

/// <summary>Memory between two pages that must not be touched: one byte too far ends the process.</summary>
sealed unsafe class GuardedMemory : IDisposable
{
    const int PageBytes = 4096;

    readonly nint _mapped;
    readonly nuint _mappedBytes;

    public GuardedMemory(int pageCount)
    {
        LengthBytes = pageCount * PageBytes;
        _mappedBytes = (nuint)(LengthBytes + 2 * PageBytes);
        _mapped = Libc.Mmap(
            0,
            _mappedBytes,
            Libc.PROT_READ | Libc.PROT_WRITE,
            Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS,
            -1,
            0
        );
        Assert.NotEqual(Libc.MapFailed, _mapped);
        Assert.Equal(0, Libc.Mprotect(_mapped, PageBytes, Libc.PROT_NONE));
        Assert.Equal(0, Libc.Mprotect(_mapped + PageBytes + LengthBytes, PageBytes, Libc.PROT_NONE));
    }

    public int LengthBytes { get; }

    byte* First => (byte*)_mapped + PageBytes;

    /// <summary>The first bytes, right behind the lower guard.</summary>
    public Span<byte> Head(int lengthBytes) => new(First, lengthBytes);

    /// <summary>The last bytes, right before the upper guard.</summary>
    public Span<byte> Tail(int lengthBytes) => new(First + LengthBytes - lengthBytes, lengthBytes);

    public void Dispose() => Libc.Munmap(_mapped, _mappedBytes);
}
