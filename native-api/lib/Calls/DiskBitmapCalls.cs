// fb_disk_bitmap_*: changes of a disk's bitmaps, each in a quiesced moment, in the order in which they were asked for.
// What can be refused is refused at once; what was accepted ends with one completion. What was right at the call is
// looked at again in the moment: another change may have come first; then nothing is changed and the completion says
// FB_E_STATE.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static class DiskBitmapCalls
{
    public static unsafe int Add(
        ulong id,
        byte* name,
        uint nameLength,
        ulong granularity,
        uint flags,
        ulong queueId,
        ulong userData,
        ulong* result
    )
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if ((flags & ~Fb.DiskBitmapDisabled) != 0)
            return Answer.Unsupported($"bitmap flags {flags:x} are not known").Tell();
        bool isEnabled = (flags & Fb.DiskBitmapDisabled) == 0;
        AddedBitmap added = new(isEnabled, Fill: null, Withdraw: null);
        return Add(id, name, nameLength, granularity, queueId, userData, added, result).Tell();
    }

    /// <summary>One that gains what was before it.</summary>
    /// <param name="id">The disk.</param>
    /// <param name="name">UTF-8.</param>
    /// <param name="nameLength">Bytes.</param>
    /// <param name="granularity">Bytes; 0 = the default.</param>
    /// <param name="queueId">Where the completion goes.</param>
    /// <param name="userData">Given back with it.</param>
    /// <param name="result">The bitmap's handle.</param>
    /// <param name="fill">In the moment; tells the end.</param>
    /// <param name="withdraw">Instead, when the moment finds that it cannot be added.</param>
    public static unsafe int AddFilled(
        ulong id,
        byte* name,
        uint nameLength,
        ulong granularity,
        ulong queueId,
        ulong userData,
        ulong* result,
        Action<BitmapObject, Action<Fault>> fill,
        Action withdraw
    ) => Add(id, name, nameLength, granularity, queueId, userData, new(IsEnabled: true, fill, withdraw), result).Tell();

    /// <summary>What becomes of a bitmap in its moment.</summary>
    sealed record AddedBitmap(bool IsEnabled, Action<BitmapObject, Action<Fault>>? Fill, Action? Withdraw);

    static unsafe Answer Add(
        ulong id,
        byte* name,
        uint nameLength,
        ulong granularity,
        ulong queueId,
        ulong userData,
        AddedBitmap wanted,
        ulong* result
    )
    {
        Answer answer = Utf8Name.TryRead(name, nameLength, 1, DirtyBitmap.NameBytesMax, out string text);
        if (granularity == 0)
            granularity = DirtyBitmap.GranularityBytesDefault;
        bool isFit =
            Units.IsPowerOfTwo(granularity)
            && granularity is >= DirtyBitmap.GranularityBytesMin and <= DirtyBitmap.GranularityBytesMax;
        if (answer.IsOk && !isFit)
            answer = Answer.Invalid($"granularity {granularity} is not a power of two of 512 bytes to 2 GiB");
        if (!answer.IsOk)
            return answer;
        BitmapObject? added = null;
        answer = Change(id, queueId, userData, (disk, slot) => Add(disk, slot, text, granularity, wanted, out added));
        if (added != null)
            *result = added.Id;
        return answer;
    }

    static Answer Add(
        DiskObject disk,
        QueueSlot slot,
        string name,
        ulong granularity,
        AddedBitmap wanted,
        out BitmapObject? added
    )
    {
        added = null;
        if (disk.Bitmaps.Find(name) != null)
            return Answer.State("the disk has a bitmap of this name");
        Fault fault = DirtyBitmap.TryCreate(name, disk.Core.CapacityBytes, granularity, out DirtyBitmap? dirty);
        if (fault.IsFault)
            return Answer.Of(fault);
        BitmapObject bitmap = new(disk.Engine!, disk.Id, dirty!);
        HandleTable.Open(bitmap);
        disk.Bitmaps.Add(name, bitmap);
        added = bitmap;
        Action<Fault> end = BeginChange([disk], slot);
        new QuiescedChange(disk.Engine!.Reactor, [disk.Core], () => AddQuiesced(disk, bitmap, wanted, end)).Begin();
        return Answer.Pending;
    }

    /// <summary>A client of a monitor may have taken the name since, or the disk have grown.</summary>
    static void AddQuiesced(DiskObject disk, BitmapObject bitmap, AddedBitmap wanted, Action<Fault> end)
    {
        if (disk.Core.FindBitmap(bitmap.Dirty!.Name) != null || bitmap.Dirty.SizeBytes != disk.Core.CapacityBytes)
        {
            if (ReferenceEquals(disk.Bitmaps.Find(bitmap.Dirty.Name), bitmap))
                disk.Bitmaps.Remove(bitmap.Dirty.Name);
            bitmap.Detach();
            wanted.Withdraw?.Invoke();
            end(new Fault(FaultKind.State));
            return;
        }
        bitmap.Dirty.SetEnabled(wanted.IsEnabled);
        disk.Core.Add(bitmap.Dirty);
        if (wanted.Fill == null)
            end(Fault.None);
        else
            wanted.Fill(bitmap, end);
    }

    public static int Remove(ulong id, ulong bitmapId, ulong queueId, ulong userData) =>
        ChangeIdle(
            id,
            bitmapId,
            queueId,
            userData,
            (disk, bitmap) =>
            {
                disk.Core.Remove(bitmap.Dirty!);
                disk.Bitmaps.Remove(bitmap.Dirty!.Name);
                bitmap.Detach();
            }
        );

    public static int Clear(ulong id, ulong bitmapId, ulong queueId, ulong userData) =>
        ChangeIdle(
            id,
            bitmapId,
            queueId,
            userData,
            (disk, bitmap) => disk.Core.Clear(bitmap.Dirty!),
            bitmap => bitmap.Dirty!.TidySpare()
        );

    public static int Enable(ulong id, ulong bitmapId, uint enabled, ulong queueId, ulong userData)
    {
        if (enabled > 1)
            return Answer.Invalid($"enabled is 0 or 1, not {enabled}").Tell();
        return ChangeIdle(
            id,
            bitmapId,
            queueId,
            userData,
            (disk, bitmap) =>
            {
                bitmap.Dirty!.SetEnabled(enabled == 1);
                disk.Core.RefreshRecording();
            }
        );
    }

    /// <summary>
    /// A source of a disk is read while that disk is quiet, too, and in its order of changes: what is cleared after
    /// this call is merged before. A bitmap of its own is read now.
    /// </summary>
    public static int Merge(ulong id, ulong bitmapId, ulong sourceId, ulong queueId, ulong userData)
    {
        if (HandleTable.Find<BitmapObject>(sourceId) is not { } source)
            return Answer.Handle("source bitmap").Tell();
        if (HandleTable.Find<DiskObject>(id) is { } owner && source.Bits.SizeBytes != owner.Core.CapacityBytes)
            return Answer.Invalid("the source bitmap is not of the disk's size").Tell();
        if (!source.IsOfDisk)
            return MergeOwn(id, bitmapId, source, queueId, userData);
        if (HandleTable.Find<DiskObject>(source.DiskId) is not { } from)
            return Answer.State("the disk of the source bitmap was just closed").Tell();
        if (source.Dirty!.IsBusy)
            return Answer.State("the source bitmap is busy: a job uses it").Tell();
        return MergeLater(id, bitmapId, queueId, userData, from, merge => merge.AddSource(source.Dirty, from.Core));
    }

    /// <summary>A merge, which takes more than one moment.</summary>
    static int MergeLater(
        ulong id,
        ulong bitmapId,
        ulong queueId,
        ulong userData,
        DiskObject? other,
        Action<BitmapMerge> addSource
    )
    {
        if (HandleTable.Find<BitmapObject>(bitmapId) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        return Change(
                id,
                queueId,
                userData,
                (disk, slot) =>
                {
                    if (other is { IsClosed: true })
                        return Answer.State("the disk of the source bitmap was just closed");
                    if (other != null && !ReferenceEquals(other.Engine, disk.Engine))
                        return Answer.Invalid("the source bitmap is of a disk of another engine");
                    Answer answer = WhyNot(disk, bitmap);
                    if (!answer.IsOk)
                        return answer;
                    DiskObject[] disks = other == null || ReferenceEquals(other, disk) ? [disk] : [disk, other];
                    BitmapMerge merge = new(disk.Core, bitmap.Dirty!, BeginChange(disks, slot));
                    addSource(merge);
                    merge.Begin(disk.Engine!.Reactor);
                    return Answer.Pending;
                }
            )
            .Tell();
    }

    static int MergeOwn(ulong id, ulong bitmapId, BitmapObject source, ulong queueId, ulong userData)
    {
        Fault fault;
        HierarchicalBitmap? copy;
        lock (source.Exclusive)
        {
            HierarchicalBitmap bits = source.Bits;
            fault = HierarchicalBitmap.TryCreate(bits.SizeBytes, bits.GranularityBytes, default, out copy);
            if (fault.IsNone)
                fault = copy!.Merge(bits);
            GC.KeepAlive(bits);
        }
        if (fault.IsFault)
            return Answer.Of(fault).Tell();
        return MergeLater(id, bitmapId, queueId, userData, other: null, merge => merge.AddSource(copy!));
    }

    public static unsafe int Find(ulong id, byte* name, uint nameLength, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        Answer answer = Utf8Name.TryRead(name, nameLength, 1, DirtyBitmap.NameBytesMax, out string text);
        ulong found = 0;
        if (answer.IsOk)
            answer = disk.Engine!.Run(
                disk,
                () =>
                {
                    BitmapObject? bitmap = disk.Bitmaps.Find(text);
                    bitmap?.Share();
                    found = bitmap?.Id ?? 0;
                    return found == 0 ? Answer.State("the disk has no bitmap of this name") : Answer.Ok;
                }
            );
        *result = found;
        return answer.Tell();
    }

    /// <summary>A change of a bitmap that no job uses, neither now nor in the quiesced moment.</summary>
    /// <param name="id">The disk.</param>
    /// <param name="bitmapId">One of its bitmaps.</param>
    /// <param name="queueId">Where the completion goes.</param>
    /// <param name="userData">Given back with it.</param>
    /// <param name="change">What is done in the moment.</param>
    /// <param name="prepare">What comes before, in parts, while guests write; true when all is done.</param>
    static int ChangeIdle(
        ulong id,
        ulong bitmapId,
        ulong queueId,
        ulong userData,
        Action<DiskObject, BitmapObject> change,
        Func<BitmapObject, bool>? prepare = null
    )
    {
        if (HandleTable.Find<BitmapObject>(bitmapId) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        return Change(
                id,
                queueId,
                userData,
                (disk, slot) =>
                {
                    Answer answer = WhyNot(disk, bitmap);
                    if (!answer.IsOk)
                        return answer;
                    Quiesce(
                        disk,
                        slot,
                        () => ChangeQuiesced(disk, bitmap, change),
                        prepare == null ? null : () => !IsIdleOn(disk, bitmap) || prepare(bitmap)
                    );
                    return Answer.Pending;
                }
            )
            .Tell();
    }

    static Answer WhyNot(DiskObject disk, BitmapObject bitmap) =>
        bitmap.DiskId != disk.Id ? Answer.Invalid("the bitmap is not one of the disk's")
        : bitmap.Dirty!.IsBusy ? Answer.State("the bitmap is busy: a job uses it")
        : bitmap.IsPersistent ? Answer.State(PersistentBitmaps.Rule(bitmap.Dirty.Name))
        : Answer.Ok;

    static Fault ChangeQuiesced(DiskObject disk, BitmapObject bitmap, Action<DiskObject, BitmapObject> change)
    {
        if (!IsIdleOn(disk, bitmap))
            return new Fault(FaultKind.State);
        change(disk, bitmap);
        return Fault.None;
    }

    /// <summary>The bitmap is still the disk's, and no job uses it.</summary>
    static bool IsIdleOn(DiskObject disk, BitmapObject bitmap) =>
        bitmap.DiskId == disk.Id
        && !bitmap.Dirty!.IsBusy
        && ReferenceEquals(disk.Core.FindBitmap(bitmap.Dirty.Name), bitmap.Dirty);

    /// <summary>Takes a slot and begins on the reactor's thread; a refusal gives the slot back.</summary>
    public static Answer Change(ulong id, ulong queueId, ulong userData, Func<DiskObject, QueueSlot, Answer> begin)
    {
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun);
        if (HandleTable.Find<QueueObject>(queueId) is not { } queue)
            return Answer.Handle(QueueObject.Noun);
        if (!ReferenceEquals(queue.Engine, disk.Engine))
            return Answer.Invalid("the queue is of another engine");
        if (!queue.TryTake(userData, Fb.CompletionDiskChange, 0, out QueueSlot? slot))
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

    /// <summary>The disks stay open until the end, which the slot tells.</summary>
    /// <returns>What is to be called at the end, once.</returns>
    public static Action<Fault> BeginChange(DiskObject[] disks, QueueSlot slot)
    {
        slot.Work = ChangeInProgress.Instance; // a stopped engine ends it
        foreach (DiskObject disk in disks)
            disk.ChangeCount++;
        return fault =>
        {
            foreach (DiskObject disk in disks)
                disk.ChangeCount--;
            slot.Complete(fault);
        };
    }

    static void Quiesce(DiskObject disk, QueueSlot slot, Func<Fault> change, Func<bool>? prepare = null)
    {
        Action<Fault> end = BeginChange([disk], slot);
        QuiescedChange moment =
            prepare == null
                ? new(disk.Engine!.Reactor, [disk.Core], () => end(change())) // many of them may share a moment
                : new(disk.Engine!.Reactor, [disk.Core], new PreparedChange(prepare, () => end(change())));
        moment.Begin();
    }

    sealed class PreparedChange(Func<bool> prepare, Action change) : IQuietWork
    {
        public bool Prepare() => prepare();

        public bool Change()
        {
            change();
            return true;
        }
    }

    /// <summary>Marks a slot as the engine's own: nothing is to be begun for it.</summary>
    public sealed class ChangeInProgress : ISlotWork
    {
        public static ChangeInProgress Instance { get; } = new();

        public void Begin(QueueSlot slot) => slot.Complete(new Fault(FaultKind.Bug));

        public void OnSlotDone()
        {
            // Nothing waits for it.
        }
    }
}
