// The one owner of unmanaged memory: pages of the system (HostMemory), page aligned, zero filled.
// Resident regions are populated at once (huge pages where the kernel grants them), so that I/O never
// faults; lazy ones reserve address space and take pages at first touch, for sparse tables.
// Does not grow, shrink or share.
using System;
using System.Threading;
using FastBackup.Base;

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
    /// <returns>None, or NoMemory with the number of the system.</returns>
    /// <remarks>Cost of a resident region: one zeroed page at a time, about 0.1 s per GiB.</remarks>
    public static Fault TryMap(ulong lengthBytes, RegionResidency residency, out AlignedRegion? region)
    {
        region = null;
        if (lengthBytes > 1UL << 46)
            return new Fault(FaultKind.NoMemory, Errnos.ENOMEM);
        ulong wanted = Units.AlignUp(Math.Max(lengthBytes, 1), PageBytes);
        bool huge = wanted >= HugePageBytes;
        ulong mappedBytes = huge ? wanted + HugePageBytes : wanted;
        int errno = HostMemory.Current.TryMap((nuint)mappedBytes, out nint mapped);
        if (errno != 0)
            return new Fault(FaultKind.NoMemory, errno);
        nint start = huge ? (nint)Units.AlignUp((ulong)mapped, HugePageBytes) : mapped;
        if (residency == RegionResidency.Resident)
            errno = HostMemory.Current.TryPopulate(start, (nuint)wanted, huge);
        if (errno != 0)
        {
            HostMemory.Current.Unmap(mapped, (nuint)mappedBytes);
            return new Fault(FaultKind.NoMemory, errno);
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

    /// <summary>
    /// Takes the pages of a part now, so that nobody waits for them later. They stay pages like the others: thousands
    /// of small regions are few mappings for the kernel.
    /// </summary>
    /// <param name="offsetBytes">At most LengthBytes.</param>
    /// <param name="lengthBytes">The sum must not pass LengthBytes.</param>
    /// <remarks>Threads: alone with the region.</remarks>
    public void Touch(ulong offsetBytes, ulong lengthBytes)
    {
        Check.That(new Extent(offsetBytes, lengthBytes).IsWithin(LengthBytes));
        HostMemory.Touch(Start + (nint)offsetBytes, lengthBytes);
    }

    /// <summary>Gives the pages back to the kernel; the content is zero afterwards.</summary>
    public void Discard()
    {
        if (LengthBytes > 0)
            Check.That(HostMemory.Current.TryDiscard(Start, (nuint)Units.AlignUp(LengthBytes, PageBytes)) == 0);
    }

    public void Dispose()
    {
        Unmap();
        GC.SuppressFinalize(this);
    }

    void Unmap()
    {
        nint mapped = Interlocked.Exchange(ref _mapped, 0);
        if (mapped == 0)
            return;
        HostMemory.Current.Unmap(mapped, _mappedBytes);
    }

    /// <summary>Keeps the memory mapped for ever: the kernel may still write to it, and nobody can be asked.</summary>
    public void Leak() => _mapped = 0;
}
