// Which writes may not be in flight side by side. A write through the page cache reads, changes and writes whole
// pages; a direct write beside it in the same page makes the kernel drop or overwrite one of the two ("Page cache
// invalidation failure on direct I/O. Possible data corruption due to collision with buffered I/O!"). So a write
// that passes the page cache, in part or whole, waits for every write in flight that shares a page with it, and
// the other way round. Plain aligned writes among themselves never wait.
// Cost: O(1) while no such write is in flight, else O(slots) per write.
using FastBackup.Base;

namespace FastBackup.BlockIo;

public sealed partial class FileDevice
{
    const ulong PageBytesMin = 4096;

    uint _pagedCount; // in flight or waiting

    static bool IsWrite(BlockOperation operation) =>
        operation is BlockOperation.Write or BlockOperation.WriteZeroes or BlockOperation.Discard;

    ulong PageBytes => Limits.RequestAlignBytes > PageBytesMin ? Limits.RequestAlignBytes : PageBytesMin;

    /// <summary>
    /// An unaligned transfer; or a range that fallocate zeroes at its edges by writing pages. Nothing, where all
    /// I/O is buffered anyway.
    /// </summary>
    bool PassesPageCache(in BlockRequest request, Step first)
    {
        if (_file == _buffered || !IsWrite(request.Operation))
            return false;
        ulong position = request.OffsetBytes | request.LengthBytes;
        if (request.Operation == BlockOperation.Write)
            return !Units.IsAligned(position, Limits.RequestAlignBytes)
                || !Units.IsAligned((ulong)request.Buffer, Limits.BufferAlignBytes);
        return first == Step.Allocate
            ? !Units.IsAligned(position, PageBytes)
            : !Units.IsAligned(position, Limits.RequestAlignBytes);
    }

    bool HasPageConflict(Slot slot)
    {
        if (_pagedCount == 0 || !IsWrite(slot.Request.Operation) || Planted.Is(PlantedBug.PageSharedByUnaligned))
            return false;
        Extent pages = Pages(slot.Request);
        for (uint i = 0; i < _slots.Capacity; i++)
        {
            bool isTaken = _slots.TryGetAt(i, out _, out Slot other);
            if (!isTaken || ReferenceEquals(other, slot) || other.Step is Step.Idle or Step.Finished)
                continue;
            bool isConflict = (slot.IsPaged || other.IsPaged) && IsWrite(other.Request.Operation);
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

    /// <summary>A write has ended: those that wait look again, in the order in which they came.</summary>
    void LaunchConflicted()
    {
        for (uint count = _conflicted.Count; count > 0 && _conflicted.TryDequeue(out ulong key); count--)
        {
            Slot slot = _slots.Get(key);
            if (HasPageConflict(slot))
                _conflicted.Enqueue(key);
            else
                Launch(key, slot);
        }
    }
}
