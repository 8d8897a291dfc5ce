// fb_device_*.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Queues;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Devices;

static class DeviceCalls
{
    const uint FlagReadOnly = 1;
    const uint FlagCreate = 2;
    const uint FlagPageCache = 4;
    const uint StateIsReadOnly = 1;
    const uint StateIsDirect = 2;
    const uint StateIsBlock = 4;
    const uint StateIsHost = 8;
    const uint InFlightMin = 4;
    const uint InFlightMax = 4096;
    const uint AlignMax = 65536;
    const uint PathBytesMax = 4095;

    public static unsafe int Open(ulong engineId, DeviceOptionsStruct* host, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<EngineObject>(engineId) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        Answer answer = StructSize.TryRead(host, DeviceOptionsStruct.SizeFirst, out DeviceOptionsStruct given);
        string path = "";
        if (answer.IsOk)
            answer = Check(given);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Path, given.PathLength, 1, PathBytesMax, out path);
        if (!answer.IsOk)
            return answer.Tell();
        FileOpenOptions options = new()
        {
            Path = path,
            IsReadOnly = (given.Flags & FlagReadOnly) != 0,
            CreateBytes = (given.Flags & FlagCreate) != 0 ? given.CreateBytes : null,
            IsDirect = (given.Flags & FlagPageCache) == 0,
            InFlightMax = given.InFlightMax == 0 ? 1024 : given.InFlightMax,
        };
        answer = OpenFile(engine, options, out DeviceObject? device);
        *result = device?.Id ?? 0;
        return answer.Tell();
    }

    static Answer Check(in DeviceOptionsStruct given)
    {
        if ((given.Flags & ~(FlagReadOnly | FlagCreate | FlagPageCache)) != 0)
            return Answer.Unsupported($"device flags {given.Flags:x} are not all known");
        bool isCreate = (given.Flags & FlagCreate) != 0;
        if (isCreate && (given.Flags & FlagReadOnly) != 0)
            return Answer.Invalid("a new file cannot be read-only");
        if (!isCreate && given.CreateBytes != 0)
            return Answer.Invalid("create_bytes goes with FB_DEVICE_CREATE");
        return given.InFlightMax != 0 && given.InFlightMax is < InFlightMin or > InFlightMax
            ? Answer.Invalid($"in_flight_max {given.InFlightMax} is not between {InFlightMin} and {InFlightMax}")
            : Answer.Ok;
    }

    /// <summary>Opens a file or a block device and gives it a handle.</summary>
    /// <remarks>
    /// On the caller's thread, because an open, and the trial read after it, may wait for a file system or a disk that
    /// does not answer: guests wait for the engine's thread, and must not wait for that.
    /// </remarks>
    public static Answer OpenFile(EngineObject engine, FileOpenOptions options, out DeviceObject? device)
    {
        device = null;
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun);
        try
        {
            if (engine.IsStopped)
                return EngineObject.StoppedAnswer();
            OpenRefusal refusal = FileDevice.TryOpen(engine.Reactor, options, out FileDevice? file);
            if (file == null)
                return Answer.Of(refusal);
            device = new DeviceObject(engine, file);
            _ = HandleTable.Open(device);
            return Answer.Ok;
        }
        finally
        {
            if (device == null)
                engine.Release(isChild: true);
        }
    }

    /// <summary>Makes a device on the reactor's thread and gives it a handle.</summary>
    static Answer AddTo(EngineObject engine, Func<IIoLoop, (Answer, IBlockDevice?)> make, out ulong id)
    {
        id = 0;
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun);
        DeviceObject? made = null;
        try
        {
            Answer answer = engine.RunUnlessStopped(
                engine,
                () =>
                {
                    (Answer inner, IBlockDevice? device) = make(engine.Reactor);
                    made = device == null ? null : new DeviceObject(engine, device);
                    return inner;
                }
            );
            id = made == null ? 0 : HandleTable.Open(made);
            return answer;
        }
        finally
        {
            if (made == null)
                engine.Release(isChild: true);
        }
    }

    public static unsafe int Register(ulong engineId, DeviceOpsStruct* host, ulong* result)
    {
        Answer answer = StructSize.TryRead(host, DeviceOpsStruct.SizeFirst, out DeviceOpsStruct ops);
        ulong id = 0;
        if (answer.IsOk)
            answer = result == null ? Answer.Invalid("out is NULL") : TryRegister(engineId, ref ops, out id);
        if (result != null)
            *result = id;
        if (!answer.IsOk && ops.Release != null)
            ops.Release(ops.Context); // SAFETY: the promise of the header, once
        return answer.Tell();
    }

    static Answer TryRegister(ulong engineId, ref DeviceOpsStruct given, out ulong id)
    {
        id = 0;
        if (HandleTable.Find<EngineObject>(engineId) is not { } engine)
            return Answer.Handle(EngineObject.Noun);
        if (given.RequestAlign == 0)
            given.RequestAlign = 1;
        if (given.InFlightMax == 0)
            given.InFlightMax = 256;
        Answer answer = Check(given);
        if (!answer.IsOk)
            return answer;
        DeviceOpsStruct ops = given;
        QueueObject? queue = null;
        if (ops.Queue != 0)
        {
            queue = HandleTable.Find<QueueObject>(ops.Queue);
            if (queue == null)
                return Answer.Handle(QueueObject.Noun);
            if (!ReferenceEquals(queue.Engine, engine))
                return Answer.Invalid("the queue is of another engine");
        }
        return AddTo(
            engine,
            loop =>
                queue is { IsClosed: true }
                    ? (Answer.Handle(QueueObject.Noun), null)
                    : (Answer.Ok, new HostDevice(loop, ops, queue)),
            out id
        );
    }

    static unsafe Answer Check(in DeviceOpsStruct ops)
    {
        if ((ops.Flags & ~HostDevice.FlagsKnown) != 0)
            return Answer.Unsupported($"host device flags {ops.Flags:x} are not all known");
        if (ops.Submit == null)
            return Answer.Invalid("submit is NULL");
        if (!Units.IsPowerOfTwo(ops.RequestAlign) || ops.RequestAlign > AlignMax)
            return Answer.Invalid($"request_align {ops.RequestAlign} is not a power of two up to {AlignMax}");
        if (ops.CapacityBytes > long.MaxValue)
            return new Answer(Status.Range, default, "capacity_bytes is above 2^63 - 1");
        if (!Units.IsAligned(ops.CapacityBytes, ops.RequestAlign))
            return new Answer(Status.Align, default, "capacity_bytes is not a multiple of request_align");
        return ops.InFlightMax is < InFlightMin or > InFlightMax
            ? Answer.Invalid($"in_flight_max {ops.InFlightMax} is not between {InFlightMin} and {InFlightMax}")
            : Answer.Ok;
    }

    public static int Complete(ulong id, ulong token, int status, int sysErrno)
    {
        DeviceObject? device = HandleTable.Find<DeviceObject>(id);
        if (device is { Device: not HostDevice })
            return Answer.State("the device was opened by the library").Tell();
        HostDevice? host = device == null ? LingeringDevices.Find(id) : (HostDevice)device.Device;
        if (host == null)
            return Answer.Handle(DeviceObject.Noun).Tell();
        if (status > 0 || sysErrno < 0)
            return Answer.Invalid("a completion has FB_OK or an error, and no negative errno").Tell();
        return host.TryComplete(token, status, sysErrno) ? Status.Ok : Answer.State("no such request is open").Tell();
    }

    public static unsafe int Query(ulong id, DeviceStateStruct* host)
    {
        if (HandleTable.Find<DeviceObject>(id) is not { } device)
            return Answer.Handle(DeviceObject.Noun).Tell();
        BlockLimits limits = device.Device.Limits;
        DeviceStateStruct state = new()
        {
            CapacityBytes = limits.CapacityBytes,
            RequestAlign = limits.RequestAlignBytes,
            BufferAlign = limits.BufferAlignBytes,
            InFlightMax = limits.InFlightMax,
            Flags = limits.IsReadOnly ? StateIsReadOnly : 0,
        };
        if (device.Device is FileDevice file)
            state.Flags |= (file.IsDirect ? StateIsDirect : 0) | (file.IsBlockDevice ? StateIsBlock : 0);
        else
            state.Flags |= StateIsHost;
        Answer answer = device.Engine!.Run(
            device,
            () =>
            {
                state.InFlightCount = device.Device.InFlightCount;
                return Answer.Ok;
            }
        );
        return (answer.IsOk ? StructSize.TryWrite(host, DeviceStateStruct.SizeFirst, state) : answer).Tell();
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<DeviceObject>(id) is not { } device)
            return Answer.Handle(DeviceObject.Noun).Tell();
        EngineObject engine = device.Engine!;
        bool isLingering = false;
        Answer answer = engine.Run(
            device,
            () =>
            {
                if (device.HasDisk || device.HasJob)
                    return Answer.State("a disk or a job uses the device");
                _ = device.TryClose();
                isLingering = IsLingeringAfterClose(device);
                HandleTable.Close(device);
                return Answer.Ok;
            }
        );
        if (!answer.IsOk)
            return answer.Tell();
        if (!isLingering)
            (device.Device as HostDevice)?.Release();
        engine.Release(isChild: true);
        return Status.Ok;
    }

    /// <summary>Ends the device, now or when its last request has ended. On the reactor's thread.</summary>
    /// <returns>True: a host device, and later.</returns>
    static bool IsLingeringAfterClose(DeviceObject device)
    {
        bool isIdle = device.Device.InFlightCount == 0;
        if (isIdle)
            device.Device.Dispose();
        else if (device.Device is FileDevice file)
            file.DisposeWhenIdle();
        if (isIdle || device.Device is not HostDevice host || device.Engine!.Reactor.HasFailed)
            return false; // of a stopped engine nobody will see an end
        ulong id = device.Id;
        LingeringDevices.Add(id, device.Engine, host);
        host.DisposeWhenIdle(() => LingeringDevices.Remove(id));
        return true;
    }
}
