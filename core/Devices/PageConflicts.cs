// Which writes may not be in flight side by side. A write through the page cache reads, changes and writes whole
// pages; a direct write beside it in the same page makes the kernel drop or overwrite one of the two ("Page cache
// invalidation failure on direct I/O. Possible data corruption due to collision with buffered I/O!"). So a write
// that passes the page cache, in part or whole, waits for every write in flight that shares a page with it, and
// the other way round. Plain aligned writes among themselves never wait.
// Cost: O(1) while no such write is in flight, else O(slots) per write.
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Devices;

/// <summary>Threads: the loop's.</summary>
/// <param name="slots">All requests of the device.</param>
/// <param name="limits">Its alignments.</param>
/// <param name="isAllBuffered">Then nothing conflicts.</param>
sealed class PageConflicts(SlotTable<FileSlot> slots, BlockLimits limits, bool isAllBuffered)
{
    const ulong PageBytesMin = 4096;

    readonly BoundedQueue<ulong> _waiting = new(slots.Capacity); // writes that wait for their pages
    uint _pagedCount; // in flight or waiting

    /// <summary>How many wait.</summary>
    public uint WaitingCount => _waiting.Count;

    ulong PageBytes => limits.RequestAlignBytes > PageBytesMin ? limits.RequestAlignBytes : PageBytesMin;

    /// <summary>Before anything of the request is in flight.</summary>
    public void Begin(FileSlot slot)
    {
        slot.IsPaged = PassesPageCache(slot.Request, slot.NextStep);
        if (slot.IsPaged)
            _pagedCount++;
    }

    /// <summary>Whether the request must wait; then TryNext gives it when it need not any more.</summary>
    public bool MustWait(ulong key, FileSlot slot)
    {
        if (!HasConflict(slot))
            return false;
        _waiting.Enqueue(key);
        return true;
    }

    /// <summary>The request has ended.</summary>
    public void End(FileSlot slot)
    {
        if (slot.IsPaged)
            _pagedCount--;
    }

    /// <summary>Looks at one that waits, in the order in which they came; it waits on, or may go.</summary>
    /// <returns>True when it may go.</returns>
    public bool TryNext(out ulong key, out FileSlot slot)
    {
        slot = null!;
        if (!_waiting.TryDequeue(out key))
            return false;
        slot = slots.Get(key);
        return !MustWait(key, slot);
    }

    /// <summary>
    /// An unaligned transfer; or a range that the file system zeroes at its edges by writing pages. Nothing, where all
    /// I/O is buffered anyway.
    /// </summary>
    bool PassesPageCache(in BlockRequest request, FileStep first)
    {
        if (isAllBuffered || !request.Operation.IsWrite())
            return false;
        ulong position = request.OffsetBytes | request.LengthBytes;
        if (request.Operation == BlockOperation.Write)
            return !Units.IsAligned(position, limits.RequestAlignBytes)
                || !Units.IsAligned((ulong)request.Buffer, limits.BufferAlignBytes);
        return first == FileStep.Clear
            ? !Units.IsAligned(position, PageBytes)
            : !Units.IsAligned(position, limits.RequestAlignBytes);
    }

    bool HasConflict(FileSlot slot)
    {
        if (_pagedCount == 0 || !slot.IsWrite)
            return false;
        Extent pages = Pages(slot.Request);
        for (uint i = 0; i < slots.Capacity; i++)
        {
            bool isTaken = slots.TryGetAt(i, out _, out FileSlot other);
            if (!isTaken || ReferenceEquals(other, slot) || other.Step is FileStep.Idle or FileStep.Finished)
                continue;
            bool isConflict = (slot.IsPaged || other.IsPaged) && other.IsWrite;
            if (isConflict && Pages(other.Request).Overlaps(pages))
                return true;
        }
        return false;
    }

    Extent Pages(in BlockRequest request)
    {
        ulong start = Units.AlignDown(request.OffsetBytes, PageBytes);
        return new Extent(start, Units.AlignUp(request.OffsetBytes + request.LengthBytes, PageBytes) - start);
    }
}
