// The one owner of unmanaged memory: an anonymous private mapping, page aligned, zero filled.
// Resident regions are populated at once (huge pages where the kernel grants them), so that I/O never
// faults; lazy ones reserve address space and take pages at first touch, for sparse tables.
// Does not grow, shrink or share.
using System;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Memory;

public enum RegionResidency
{
    /// <summary>Every page is present when Map returns.</summary>
    Resident,

    /// <summary>Pages appear, zeroed, at first touch; the size may exceed physical memory.</summary>
    Lazy,
}

/// <summary>Threads: the memory is any thread's; Dispose once, when nobody uses it (the kernel included).</summary>
public sealed unsafe class AlignedRegion : IDisposable
{
    /// <summary>x86-64 and arm64 with 4 KiB pages; every region is at least this aligned.</summary>
    public const ulong PageBytes = 4096;

    const ulong HugePageBytes = 2 * Units.MiB;

    nint _mapped;
    readonly nuint _mappedBytes;

    AlignedRegion(nint mapped, nuint mappedBytes, nint start, ulong lengthBytes)
    {
        _mapped = mapped;
        _mappedBytes = mappedBytes;
        Start = start;
        LengthBytes = lengthBytes;
    }

    ~AlignedRegion() => Unmap();

    /// <summary>Address of the first byte; 2 MiB aligned from 2 MiB on, else page aligned.</summary>
    public nint Start { get; }

    public ulong LengthBytes { get; }

    public byte* Pointer => (byte*)Start;

    /// <param name="lengthBytes">May be 0; is rounded up to whole pages inside.</param>
    /// <param name="residency">Whether the pages are taken now.</param>
    /// <param name="region">The region, or null after a fault.</param>
    /// <returns>None, or NoMemory with the errno of mmap(2) or madvise(2).</returns>
    /// <remarks>Cost of a resident region: one zeroed page at a time, about 0.1 s per GiB.</remarks>
    public static Fault TryMap(ulong lengthBytes, RegionResidency residency, out AlignedRegion? region)
    {
        region = null;
        if (lengthBytes > 1UL << 46)
            return new Fault(FaultKind.NoMemory, Errnos.ENOMEM);
        ulong wanted = Units.AlignUp(Math.Max(lengthBytes, 1), PageBytes);
        bool huge = wanted >= HugePageBytes;
        ulong mappedBytes = huge ? wanted + HugePageBytes : wanted;
        int flags = Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE;
        nint mapped = Libc.Mmap(0, (nuint)mappedBytes, Libc.PROT_READ | Libc.PROT_WRITE, flags, -1, 0);
        if (mapped == Libc.MapFailed)
            return new Fault(FaultKind.NoMemory, Marshal.GetLastPInvokeError());
        nint start = huge ? (nint)Units.AlignUp((ulong)mapped, HugePageBytes) : mapped;
        if (residency == RegionResidency.Resident)
        {
            // A fork of the host must neither make these pages copy-on-write while the kernel's direct I/O has them
            // (open(2), NOTES: that can corrupt data) nor cost a fault per page afterwards.
            _ = Libc.Madvise(start, (nuint)wanted, Libc.MADV_DONTFORK);
            if (huge)
                _ = Libc.Madvise(start, (nuint)wanted, Libc.MADV_HUGEPAGE); // a wish: refused where THP is off
            if (!Populate(start, wanted))
            {
                int errno = Marshal.GetLastPInvokeError();
                _ = Libc.Munmap(mapped, (nuint)mappedBytes);
                return new Fault(FaultKind.NoMemory, errno);
            }
        }
        region = new AlignedRegion(mapped, (nuint)mappedBytes, start, lengthBytes);
        return Fault.None;
    }

    /// <summary>
    /// As <see cref="TryMap"/>, for construction that cannot go on without; throws InsufficientMemoryException.
    /// </summary>
    public static AlignedRegion Map(ulong lengthBytes, RegionResidency residency)
    {
        Fault fault = TryMap(lengthBytes, residency, out AlignedRegion? region);
        return fault.IsNone
            ? region!
            : throw new InsufficientMemoryException($"cannot map {lengthBytes} bytes: {fault}");
    }

    public Span<byte> Slice(ulong offsetBytes, int lengthBytes)
    {
        Check.That(lengthBytes >= 0);
        Check.That(new Extent(offsetBytes, (ulong)lengthBytes).IsWithin(LengthBytes));
        // SAFETY: the range was just checked against the mapping, which lives as long as this object.
        return new Span<byte>((byte*)Start + offsetBytes, lengthBytes);
    }

    /// <summary>Gives the pages back to the kernel; the content is zero afterwards.</summary>
    public void Discard()
    {
        if (LengthBytes > 0)
            Check.That(Libc.Madvise(Start, (nuint)Units.AlignUp(LengthBytes, PageBytes), Libc.MADV_DONTNEED) == 0);
    }

    public void Dispose()
    {
        Unmap();
        GC.SuppressFinalize(this);
    }

    static bool Populate(nint start, ulong lengthBytes)
    {
        if (Libc.Madvise(start, (nuint)lengthBytes, Libc.MADV_POPULATE_WRITE) == 0)
            return true;
        if (Marshal.GetLastPInvokeError() != Errnos.EINVAL)
            return false;
        // Kernels before 5.14 do not know the advice: touch each page instead.
        for (ulong offset = 0; offset < lengthBytes; offset += PageBytes)
            Volatile.Write(ref *((byte*)start + offset), 0);
        return true;
    }

    void Unmap()
    {
        nint mapped = Interlocked.Exchange(ref _mapped, 0);
        if (mapped == 0)
            return;
        // No check: this may be the finalizer's thread, and a mapping that the kernel cannot split is only a leak.
        _ = Libc.Munmap(mapped, _mappedBytes);
    }

    /// <summary>Keeps the memory mapped for ever: the kernel may still write to it, and nobody can be asked.</summary>
    public void Leak() => _mapped = 0;
}
