// fb_disk_*: open, close, query, and the guest's calls in hook mode and in device mode.
using System;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Pacing;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Calls;

static partial class DiskCalls
{
    const uint NameBytesMax = 255;
    const uint WaitingMax = 65536;

    public static unsafe int Open(ulong engineId, ulong deviceId, DiskOptionsStruct* host, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<EngineObject>(engineId) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        if (HandleTable.Find<DeviceObject>(deviceId) is not { } device)
            return Answer.Handle(DeviceObject.Noun).Tell();
        Answer answer = StructSize.TryRead(host, DiskOptionsStruct.SizeFirst, out DiskOptionsStruct given);
        string name = "";
        if (answer.IsOk)
            answer = Check(engine, device, ref given);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Name, given.NameLength, 1, NameBytesMax, out name);
        if (!answer.IsOk)
            return answer.Tell();
        DiskObject? disk = null;
        answer = engine.RunUnlessStopped(
            device,
            () => DiskObject.TryMake(engine, device, name, given.WaitingMax, given.AbsorbBytes, false, out disk)
        );
        *result = disk?.Id ?? 0;
        return answer.Tell();
    }

    static Answer Check(EngineObject engine, DeviceObject device, ref DiskOptionsStruct given)
    {
        if (!ReferenceEquals(device.Engine, engine))
            return Answer.Invalid("the device is of another engine");
        if (given.Flags != 0)
            return Answer.Unsupported($"disk flags {given.Flags:x} are not known");
        if (given.WaitingMax == 0)
            given.WaitingMax = DiskObject.WaitingDefault;
        if (given.AbsorbBytes > DiskObject.AbsorbBytesMax)
            return Answer.Invalid($"absorb_bytes {given.AbsorbBytes} is above {DiskObject.AbsorbBytesMax}");
        return !Units.IsPowerOfTwo(given.WaitingMax) || given.WaitingMax is < 2 or > WaitingMax
            ? Answer.Invalid($"waiting_max {given.WaitingMax} is not a power of two of 2 to {WaitingMax}")
            : Answer.Ok;
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        return disk.Engine!.Run(disk, disk.CloseIfIdle).Tell();
    }

    public static unsafe int Query(ulong id, DiskStateStruct* host)
    {
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        DiskStateStruct state = new() { CapacityBytes = disk.Core.CapacityBytes };
        Answer answer = disk.Engine!.Run(
            disk,
            () =>
            {
                state.WritesInFlight = disk.Core.WritesInFlight;
                state.WaitingCount = disk.Core.WaitingCount;
                state.BitmapCount = (uint)disk.Core.Bitmaps.Count;
                state.JobCount = disk.JobCount;
                if (disk.Tracker is { } tracker)
                    (state.Tracker, state.TrackerRestart) = (StateOf(tracker), RestartOf(tracker.RestartReason));
                return Answer.Ok;
            }
        );
        return (answer.IsOk ? StructSize.TryWrite(host, DiskStateStruct.SizeFirst, state) : answer).Tell();
    }

    static uint StateOf(DiskTracker tracker) => tracker.IsOver ? Fb.TrackerFailed : Fb.TrackerGood;

    static uint RestartOf(TrackerRefusal reason) =>
        reason switch
        {
            TrackerRefusal.None => Fb.RestartNone,
            TrackerRefusal.Inconsistent => Fb.RestartInconsistent,
            _ => Fb.RestartForeignWrites, // what else IsHealedByFull says
        };

    /// <summary>The newest job of a disk whose point in time can be read now.</summary>
    public static unsafe int SnapshotOf(ulong diskId, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<DiskObject>(diskId) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        JobObject? newest = null;
        Answer answer = disk.Engine!.Run(
            disk,
            () =>
            {
                newest = JobObject.NewestReadable(disk.Engine!, of: disk);
                return newest == null ? Answer.State("no running job of the disk has a snapshot") : Answer.Ok;
            }
        );
        *result = newest?.Id ?? 0;
        return answer.Tell();
    }

    /// <summary>The I/O path: a grant at once allocates nothing, waits for nothing and takes no lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int WriteBegin(ulong id, ulong queueId, ulong offset, ulong length, ulong userData)
    {
        DiskObject? disk = HandleTable.Find<DiskObject>(id);
        QueueObject? queue = HandleTable.Find<QueueObject>(queueId);
        if (disk == null || queue == null)
            return RefuseHandle(disk == null);
        Grant grant = disk.Core.BeginWrite(offset, length, queue, userData, out Fault fault);
        return grant == Grant.Granted ? Status.Ok : Later(queue, grant, fault);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static int Later(QueueObject queue, Grant grant, Fault fault)
    {
        if (grant == Grant.Refused)
            return Answer.Of(fault).Tell();
        queue.CountPendingGrant();
        return Status.Pending;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static int RefuseHandle(bool isDisk) =>
        LastError.Set(Status.Handle, isDisk ? "disk: not an open handle" : "queue: not an open handle");

    /// <summary>The I/O path.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int WriteEnd(ulong id)
    {
        DiskObject? disk = HandleTable.Find<DiskObject>(id);
        if (disk == null)
            return RefuseHandle(isDisk: true);
        disk.Core.EndWrite();
        return Status.Ok;
    }

    /// <summary>The I/O path.</summary>
    public static int ReportRequest(ulong id, uint kind, ulong length, ulong elapsedNs)
    {
        DiskObject? disk = HandleTable.Find<DiskObject>(id);
        if (disk == null)
            return RefuseHandle(isDisk: true);
        switch (kind)
        {
            case Fb.RequestRead:
            case Fb.RequestWrite:
                disk.Core.Pulse.Report(GuestPulse.ClassOf(kind == Fb.RequestWrite, length), elapsedNs);
                return Status.Ok;
            case Fb.RequestFlush:
                disk.Core.Pulse.Report(GuestClass.Flush, elapsedNs);
                return Status.Ok;
            default:
                return LastError.Set(Status.Invalid, $"kind: {kind} is no FB_REQUEST_*");
        }
    }

    public static unsafe int Read(ulong id, ulong queueId, void* buffer, ulong offset, ulong length, ulong userData) =>
        Submit(id, queueId, BlockOperation.Read, 0, (nint)buffer, offset, length, userData);

    public static unsafe int Write(
        ulong id,
        ulong queueId,
        void* buffer,
        ulong offset,
        ulong length,
        uint flags,
        ulong userData
    ) =>
        (flags & ~(uint)BlockFlags.Fua) != 0
            ? Answer.Unsupported($"write flags {flags:x} are not known").Tell()
            : Submit(id, queueId, BlockOperation.Write, flags, (nint)buffer, offset, length, userData);

    public static int WriteZeroes(ulong id, ulong queueId, ulong offset, ulong length, uint flags, ulong userData) =>
        (flags & ~(uint)(BlockFlags.Fua | BlockFlags.MayUnmap)) != 0
            ? Answer.Unsupported($"write zeroes flags {flags:x} are not known").Tell()
            : Submit(id, queueId, BlockOperation.WriteZeroes, flags, 0, offset, length, userData);

    public static int Discard(ulong id, ulong queueId, ulong offset, ulong length, ulong userData) =>
        Submit(id, queueId, BlockOperation.Discard, 0, 0, offset, length, userData);

    public static int Flush(ulong id, ulong queueId, ulong userData) =>
        Submit(id, queueId, BlockOperation.Flush, 0, 0, 0, 0, userData);

    static int Submit(
        ulong id,
        ulong queueId,
        BlockOperation operation,
        uint flags,
        nint buffer,
        ulong offset,
        ulong length,
        ulong userData
    )
    {
        DiskObject? disk = HandleTable.Find<DiskObject>(id);
        QueueObject? queue = HandleTable.Find<QueueObject>(queueId);
        if (disk == null || queue == null)
            return RefuseHandle(disk == null);
        bool hasBuffer = operation is BlockOperation.Read or BlockOperation.Write;
        if (hasBuffer && buffer == 0 && length > 0)
            return Answer.Invalid("buffer is NULL").Tell();
        if (disk.Engine!.IsStopped)
            return EngineObject.StoppedAnswer().Tell();
        if (!queue.TryTake(userData, Fb.CompletionDiskIo, length, out QueueSlot? slot))
            return LastError.Set(Status.QueueFull, "as many submissions as the queue's depth are not harvested");
        GuestRequest request = new()
        {
            Operation = operation,
            Flags = (BlockFlags)flags,
            OffsetBytes = offset,
            LengthBytes = length,
            Buffer = buffer,
            Owner = slot!,
        };
        Fault fault = disk.Core.Submit(request);
        if (fault.IsNone)
            return Status.Pending;
        queue.Cancel(slot!);
        return Answer.Of(fault).Tell();
    }
}
