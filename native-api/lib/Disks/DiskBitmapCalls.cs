// fb_disk_bitmap_*: changes of a disk's bitmaps, each in the disk's next quiesced moment. What can be refused is
// refused at once; what was accepted ends with one completion.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Queues;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Disks;

static class DiskBitmapCalls
{
    const uint FlagDisabled = 1;
    const uint NameBytesMax = 1023;
    const ulong GranularityMin = 512;
    const ulong GranularityMax = 2 * Units.GiB;
    const ulong GranularityDefault = 64 * Units.KiB;

    public static unsafe int Add(
        ulong id,
        byte* name,
        uint nameLength,
        ulong granularity,
        uint flags,
        ulong queueId,
        ulong userToken,
        ulong* result
    )
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        Answer answer = Utf8Name.TryRead(name, nameLength, 1, NameBytesMax, out string text);
        if (answer.IsOk && (flags & ~FlagDisabled) != 0)
            answer = Answer.Unsupported($"bitmap flags {flags:x} are not known");
        if (granularity == 0)
            granularity = GranularityDefault;
        bool isFit = Units.IsPowerOfTwo(granularity) && granularity is >= GranularityMin and <= GranularityMax;
        if (answer.IsOk && !isFit)
            answer = Answer.Invalid($"granularity {granularity} is not a power of two of 512 bytes to 2 GiB");
        if (!answer.IsOk)
            return answer.Tell();
        BitmapObject? added = null;
        bool isEnabled = (flags & FlagDisabled) == 0;
        answer = Change(
            id,
            queueId,
            userToken,
            (disk, slot) => Add(disk, slot, text, granularity, isEnabled, out added)
        );
        if (added != null)
            *result = added.Id;
        return answer.Tell();
    }

    static Answer Add(
        DiskObject disk,
        QueueSlot slot,
        string name,
        ulong granularity,
        bool isEnabled,
        out BitmapObject? added
    )
    {
        added = null;
        foreach (BitmapObject other in disk.Bitmaps)
            if (other.Dirty!.Name == name)
                return Answer.State("the disk has a bitmap of this name");
        Fault fault = DirtyBitmap.TryCreate(name, disk.Core.CapacityBytes, granularity, out DirtyBitmap? dirty);
        if (fault.IsFault)
            return Answer.Of(fault);
        BitmapObject bitmap = new(disk.Engine!, disk, dirty!);
        HandleTable.Open(bitmap);
        disk.Bitmaps.Add(bitmap);
        added = bitmap;
        Quiesce(
            disk,
            slot,
            () =>
            {
                dirty!.SetEnabled(isEnabled);
                disk.Core.Add(dirty);
                return Fault.None;
            }
        );
        return Answer.Pending;
    }

    public static int Remove(ulong id, ulong bitmapId, ulong queueId, ulong userToken) =>
        ChangeIdle(
            id,
            bitmapId,
            queueId,
            userToken,
            (disk, bitmap) =>
            {
                disk.Core.Remove(bitmap.Dirty!);
                disk.Bitmaps.Remove(bitmap);
                bitmap.Detach();
            }
        );

    public static int Clear(ulong id, ulong bitmapId, ulong queueId, ulong userToken) =>
        ChangeIdle(id, bitmapId, queueId, userToken, (_, bitmap) => bitmap.Dirty!.Clear());

    public static int Enable(ulong id, ulong bitmapId, uint enabled, ulong queueId, ulong userToken)
    {
        if (enabled > 1)
            return Answer.Invalid($"enabled is 0 or 1, not {enabled}").Tell();
        return ChangeIdle(
            id,
            bitmapId,
            queueId,
            userToken,
            (disk, bitmap) =>
            {
                bitmap.Dirty!.SetEnabled(enabled == 1);
                disk.Core.RefreshRecording();
            }
        );
    }

    public static int Merge(ulong id, ulong bitmapId, ulong sourceId, ulong queueId, ulong userToken)
    {
        if (HandleTable.Find<BitmapObject>(sourceId) is not { } source)
            return Answer.Handle("source bitmap").Tell();
        HierarchicalBitmap bits = source.Bits;
        if (HandleTable.Find<DiskObject>(id) is { } owner && bits.SizeBytes != owner.Core.CapacityBytes)
            return Answer.Invalid("the source bitmap is not of the disk's size").Tell();
        if (source.Disk != null && source.Dirty!.IsBusy)
            return Answer.State("the source bitmap is busy: a job uses it").Tell();
        return ChangeIdle(
            id,
            bitmapId,
            queueId,
            userToken,
            (_, bitmap) =>
            {
                Check.That(bitmap.Dirty!.Bits.Merge(bits).IsNone);
                GC.KeepAlive(bits);
            }
        );
    }

    public static unsafe int Find(ulong id, byte* name, uint nameLength, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        Answer answer = Utf8Name.TryRead(name, nameLength, 1, NameBytesMax, out string text);
        ulong found = 0;
        if (answer.IsOk)
            answer = disk.Engine!.Run(
                disk,
                () =>
                {
                    foreach (BitmapObject bitmap in disk.Bitmaps)
                        if (bitmap.Dirty!.Name == text)
                            found = bitmap.Id;
                    return found == 0 ? Answer.State("the disk has no bitmap of this name") : Answer.Ok;
                }
            );
        *result = found;
        return answer.Tell();
    }

    /// <summary>A change of a bitmap that no job uses, neither now nor in the quiesced moment.</summary>
    static int ChangeIdle(
        ulong id,
        ulong bitmapId,
        ulong queueId,
        ulong userToken,
        Action<DiskObject, BitmapObject> change
    )
    {
        if (HandleTable.Find<BitmapObject>(bitmapId) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        return Change(
                id,
                queueId,
                userToken,
                (disk, slot) =>
                {
                    if (!ReferenceEquals(bitmap.Disk, disk))
                        return Answer.Invalid("the bitmap is not one of the disk's");
                    if (bitmap.Dirty!.IsBusy)
                        return Answer.State("the bitmap is busy: a job uses it");
                    Quiesce(disk, slot, () => ChangeQuiesced(disk, bitmap, change));
                    return Answer.Pending;
                }
            )
            .Tell();
    }

    static Fault ChangeQuiesced(DiskObject disk, BitmapObject bitmap, Action<DiskObject, BitmapObject> change)
    {
        bool isStillThere = ReferenceEquals(bitmap.Disk, disk) && !bitmap.Dirty!.IsBusy;
        isStillThere = isStillThere && ReferenceEquals(disk.Core.FindBitmap(bitmap.Dirty!.Name), bitmap.Dirty);
        if (!isStillThere)
            return new Fault(FaultKind.State);
        change(disk, bitmap);
        return Fault.None;
    }

    /// <summary>Takes a slot and begins on the reactor's thread; a refusal gives the slot back.</summary>
    static Answer Change(ulong id, ulong queueId, ulong userToken, Func<DiskObject, QueueSlot, Answer> begin)
    {
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun);
        if (HandleTable.Find<QueueObject>(queueId) is not { } queue)
            return Answer.Handle(QueueObject.Noun);
        if (!ReferenceEquals(queue.Engine, disk.Engine))
            return Answer.Invalid("the queue is of another engine");
        if (!queue.TryTake(userToken, CompletionKind.DiskChange, 0, out QueueSlot? slot))
            return new Answer(Status.QueueFull);
        Answer answer = default;
        try
        {
            answer = disk.Engine!.RunUnlessStopped(disk, () => begin(disk, slot!));
            return answer;
        }
        finally
        {
            if (answer.Status != Status.Pending)
                queue.Cancel(slot!);
        }
    }

    static void Quiesce(DiskObject disk, QueueSlot slot, Func<Fault> change)
    {
        slot.Work = ChangeInProgress.Instance; // a stopped engine ends it
        disk.ChangeCount++;
        Disk.Quiesce(
            disk.Engine!.Reactor,
            [disk.Core],
            () =>
            {
                disk.ChangeCount--;
                slot.Complete(change());
            }
        );
    }

    /// <summary>Marks a slot as the engine's own: nothing is to be begun for it.</summary>
    sealed class ChangeInProgress : ISlotWork
    {
        public static ChangeInProgress Instance { get; } = new();

        public void Begin(QueueSlot slot) => slot.Complete(new Fault(FaultKind.Bug));

        public void OnSlotDone()
        {
            // Nothing waits for it.
        }
    }
}
