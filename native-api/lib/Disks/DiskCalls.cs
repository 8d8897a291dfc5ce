// fb_disk_*: open, close, query, and the guest's calls in hook mode and in device mode.
using System;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Filter;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Devices;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Queues;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Disks;

static class DiskCalls
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
        if (answer.IsOk && !engine.TryRetain(isChild: true))
            answer = Answer.Handle(EngineObject.Noun);
        if (!answer.IsOk)
            return answer.Tell();
        DiskObject? disk = null;
        try
        {
            answer = engine.RunUnlessStopped(
                device,
                () => TryMake(engine, device, name, given.WaitingMax, false, out disk)
            );
            if (disk != null)
                *result = HandleTable.Open(disk);
            return answer.Tell();
        }
        finally
        {
            if (disk == null)
                engine.Release(isChild: true);
        }
    }

    static Answer Check(EngineObject engine, DeviceObject device, ref DiskOptionsStruct given)
    {
        if (!ReferenceEquals(device.Engine, engine))
            return Answer.Invalid("the device is of another engine");
        if (given.Flags != 0)
            return Answer.Unsupported($"disk flags {given.Flags:x} are not known");
        if (given.WaitingMax == 0)
            given.WaitingMax = 1024;
        return !Units.IsPowerOfTwo(given.WaitingMax) || given.WaitingMax is < 2 or > WaitingMax
            ? Answer.Invalid($"waiting_max {given.WaitingMax} is not a power of two of 2 to {WaitingMax}")
            : Answer.Ok;
    }

    /// <summary>On the reactor's thread.</summary>
    public static Answer TryMake(
        EngineObject engine,
        DeviceObject device,
        string name,
        uint waitingMax,
        bool isOfMonitor,
        out DiskObject? disk
    )
    {
        disk = null;
        if (device.HasDisk || device.HasJob)
            return Answer.State("the device has a disk already, or is the target of a job");
        Disk core = new(engine.Reactor, device.Device, name, waitingMax);
        device.HasDisk = true;
        disk = new DiskObject(engine, device, core) { IsOfMonitor = isOfMonitor };
        engine.Disks.Add(disk);
        return Answer.Ok;
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        EngineObject engine = disk.Engine!;
        Answer answer = engine.Run(disk, () => TryClose(engine, disk));
        if (!answer.IsOk)
            return answer.Tell();
        engine.Release(isChild: true);
        return Status.Ok;
    }

    /// <summary>On the reactor's thread; the caller releases the engine.</summary>
    public static Answer TryClose(EngineObject engine, DiskObject disk)
    {
        if (disk.JobCount > 0)
            return Answer.State("jobs of the disk are open");
        bool isStopped = engine.Reactor.HasFailed;
        bool isBusy = disk.Core.WaitingCount > 0 || disk.Core.AtDeviceCount > 0 || disk.ChangeCount > 0;
        if (!isStopped && (isBusy || disk.Core.WritesInFlight != 0))
            return Answer.State("requests or granted writes of the disk have not ended");
        _ = disk.TryClose();
        HandleTable.Close(disk);
        // Nothing is in flight, so the quiesced moment is now: a call that found the disk in time records nothing.
        if (!isStopped)
            Disk.Quiesce(engine.Reactor, [disk.Core], () => TakeBitmapsOff(disk));
        foreach (BitmapObject bitmap in disk.Bitmaps)
        {
            bitmap.Detach();
            bitmap.CloseUnlessOfHost();
        }
        disk.Bitmaps.Clear();
        _ = engine.Disks.Remove(disk);
        disk.Device.HasDisk = false;
        if (!isStopped && disk.Core.Bitmaps.Count == 0 && disk.Core.WaitingCount == 0)
            disk.Core.Dispose();
        return Answer.Ok;
    }

    static void TakeBitmapsOff(DiskObject disk)
    {
        while (disk.Core.Bitmaps.Count > 0)
            disk.Core.Remove(disk.Core.Bitmaps[0]);
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
                return Answer.Ok;
            }
        );
        return (answer.IsOk ? StructSize.TryWrite(host, DiskStateStruct.SizeFirst, state) : answer).Tell();
    }

    /// <summary>The I/O path: a grant at once allocates nothing, waits for nothing and takes no lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int WriteBegin(ulong id, ulong queueId, ulong offset, ulong length, ulong userToken)
    {
        DiskObject? disk = HandleTable.Find<DiskObject>(id);
        QueueObject? queue = HandleTable.Find<QueueObject>(queueId);
        if (disk == null || queue == null)
            return RefuseHandle(disk == null);
        Grant grant = disk.Core.BeginWrite(offset, length, queue, userToken, out Fault fault);
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

    public static unsafe int Read(ulong id, ulong queueId, void* buffer, ulong offset, ulong length, ulong userToken) =>
        Submit(id, queueId, BlockOperation.Read, 0, (nint)buffer, offset, length, userToken);

    public static unsafe int Write(
        ulong id,
        ulong queueId,
        void* buffer,
        ulong offset,
        ulong length,
        uint flags,
        ulong userToken
    ) =>
        (flags & ~(uint)BlockFlags.Fua) != 0
            ? Answer.Unsupported($"write flags {flags:x} are not known").Tell()
            : Submit(id, queueId, BlockOperation.Write, flags, (nint)buffer, offset, length, userToken);

    public static int WriteZeroes(ulong id, ulong queueId, ulong offset, ulong length, uint flags, ulong userToken) =>
        (flags & ~(uint)(BlockFlags.Fua | BlockFlags.MayUnmap)) != 0
            ? Answer.Unsupported($"write zeroes flags {flags:x} are not known").Tell()
            : Submit(id, queueId, BlockOperation.WriteZeroes, flags, 0, offset, length, userToken);

    public static int Discard(ulong id, ulong queueId, ulong offset, ulong length, ulong userToken) =>
        Submit(id, queueId, BlockOperation.Discard, 0, 0, offset, length, userToken);

    public static int Flush(ulong id, ulong queueId, ulong userToken) =>
        Submit(id, queueId, BlockOperation.Flush, 0, 0, 0, 0, userToken);

    static int Submit(
        ulong id,
        ulong queueId,
        BlockOperation operation,
        uint flags,
        nint buffer,
        ulong offset,
        ulong length,
        ulong userToken
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
        if (!queue.TryTake(userToken, CompletionKind.DiskIo, length, out QueueSlot? slot))
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
