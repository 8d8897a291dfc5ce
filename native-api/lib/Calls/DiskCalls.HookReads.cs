// fb_disk_read_epoch, fb_disk_offer_read: what a host in hook mode reads for its guest may be backed up from its
// memory. See the filter's own words on "must read, may back up" (core/Filter/Disk.cs).
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static partial class DiskCalls
{
    public static unsafe int ReadEpoch(ulong id, ulong* epoch)
    {
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        if (epoch == null)
            return Answer.Invalid("epoch is NULL").Tell();
        *epoch = disk.Core.ReadEpoch;
        return Status.Ok;
    }

    /// <summary>Without a taker nothing is submitted: the usual case costs two look-ups.</summary>
    public static unsafe int OfferRead(
        ulong id,
        ulong queueId,
        ulong epoch,
        void* buffer,
        ulong offset,
        ulong length,
        ulong userData
    )
    {
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        if (HandleTable.Find<QueueObject>(queueId) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        if (buffer == null && length > 0)
            return Answer.Invalid("buffer is NULL").Tell();
        if (!ReferenceEquals(queue.Engine, disk.Engine))
            return Answer.Invalid("the queue is of another engine").Tell();
        if (!new Extent(offset, length).IsWithin(disk.Core.CapacityBytes))
            return LastError.Set(Status.Range, "the range passes the end of the disk", offset);
        if (!disk.Core.WantsReads || disk.Engine!.IsStopped)
            return Status.Ok;
        if (!queue.TryTake(userData, Fb.CompletionReadOffer, length, out QueueSlot? slot))
            return LastError.Set(Status.QueueFull, "as many submissions as the queue's depth are not harvested");
        GuestRequest read = new()
        {
            Operation = BlockOperation.Read,
            OffsetBytes = offset,
            LengthBytes = length,
            Buffer = (nint)buffer,
            Owner = slot!,
        };
        Fault fault = disk.Core.OfferRead(epoch, read);
        if (fault.IsNone)
            return Status.Pending;
        queue.Cancel(slot!);
        return Answer.Of(fault).Tell();
    }
}
