// What the engine asks of the system about memory: pages, a fence on every thread, how much there is. One class a
// system. AlignedRegion owns what it hands out.
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: any.</summary>
abstract class HostMemory
{
    public static HostMemory Current { get; } = HostSystem.IsWindows ? new WindowsMemory() : new LinuxMemory();

    /// <summary>Takes address space that reads as zeroes; pages come at first touch.</summary>
    /// <param name="lengthBytes">A multiple of a page.</param>
    /// <param name="start">Page aligned.</param>
    /// <returns>0, or an error number.</returns>
    public abstract int TryMap(nuint lengthBytes, out nint start);

    /// <summary>Takes every page now, and keeps it as the system lets it: large, locked, not for children.</summary>
    /// <param name="start">Of what was mapped, or within it.</param>
    /// <param name="lengthBytes">A multiple of a page.</param>
    /// <param name="isLarge">Large pages would fit; a wish.</param>
    /// <returns>0, or an error number.</returns>
    public abstract int TryPopulate(nint start, nuint lengthBytes, bool isLarge);

    /// <summary>Gives the pages back; the range reads as zeroes after it.</summary>
    /// <returns>0, or an error number.</returns>
    public abstract int TryDiscard(nint start, nuint lengthBytes);

    /// <summary>Never fails in a way that anybody could mend.</summary>
    public abstract void Unmap(nint start, nuint lengthBytes);

    /// <summary>Whether <see cref="TryFence"/> works here; asked once.</summary>
    public abstract bool TryPrepareFence();

    /// <summary>A full fence on every other thread of the process between begin and end of the call.</summary>
    public abstract bool TryFence();

    /// <returns>Bytes that this process may still take; ulong.MaxValue where nothing is known.</returns>
    public abstract ulong AvailableBytes();

    /// <summary>Takes each page by a write of what is there already.</summary>
    /// <param name="start">Within a mapping that nobody else uses meanwhile.</param>
    /// <param name="lengthBytes">Of it.</param>
    public static unsafe void Touch(nint start, ulong lengthBytes)
    {
        byte* end = (byte*)start + lengthBytes;
        for (
            byte* at = (byte*)start;
            at < end;
            at = (byte*)Units.AlignDown((ulong)at, AlignedRegion.PageBytes) + AlignedRegion.PageBytes
        )
            Volatile.Write(ref *at, *at); // SAFETY: the caller's mapping, see start
    }
}
