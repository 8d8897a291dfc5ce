// fb_device_*.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static partial class DeviceCalls
{
    const uint FlagsKnown =
        Fb.DeviceReadOnly | Fb.DeviceCreate | Fb.DevicePageCache | Fb.DeviceIgnoreLocks | Fb.DeviceProbeFormat;
    const uint InFlightMin = 4;
    const uint InFlightMax = 4096;
    const uint LowerInFlightDefault = 2; // one that the host works on, one that is ready for it
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
        if (answer.IsOk && IsPlace(given.Flags))
            answer = CheckPlace(given.Flags);
        ImageMaking? making = null;
        if (answer.IsOk)
            answer = ReadFormat(given, path, out making);
        if (!answer.IsOk)
            return answer.Tell();
        bool isRemote = DeviceSchemes.Known.IsMeant(path);
        if (isRemote && (IsPlace(given.Flags) || (given.Flags & Fb.DeviceCreate) != 0))
            return Answer
                .Invalid("a server's disk is not created: leave FB_DEVICE_CREATE and what goes with it out")
                .Tell();
        if (isRemote && engine.Reactor.MustNotWait)
            return Answer.State("the engine's own thread may not wait for a server: open it from another one").Tell();
        FileOpenOptions options = new()
        {
            Path = path,
            IsReadOnly = (given.Flags & Fb.DeviceReadOnly) != 0,
            CreateBytes = (given.Flags & Fb.DeviceCreate) != 0 ? given.CreateBytes : null,
            IsDirect = (given.Flags & Fb.DevicePageCache) == 0,
            IsLockIgnored = (given.Flags & Fb.DeviceIgnoreLocks) != 0,
            Format = RuleOf(given),
            InFlightMax = given.InFlightMax == 0 ? FileOpenOptions.InFlightDefault : given.InFlightMax,
        };
        DeviceObject? device;
        if (making != null || given.Format == Fb.FormatQcow2)
            answer = OpenImage(engine, given.Flags, options, making, out device);
        else if (IsPlace(given.Flags))
            answer = OpenPlace(engine, given.Flags, options, out device);
        else
            answer = DeviceMaking.OpenFile(engine, options, out device);
        *result = device?.Id ?? 0;
        return answer.Tell();
    }

    static Answer Check(in DeviceOptionsStruct given)
    {
        if ((given.Flags & ~(FlagsKnown | PlaceFlags)) != 0)
            return Answer.Unsupported($"device flags {given.Flags:x} are not all known");
        bool isCreate = (given.Flags & Fb.DeviceCreate) != 0;
        if (isCreate && (given.Flags & Fb.DeviceReadOnly) != 0)
            return Answer.Invalid("a new file cannot be read-only");
        if (!isCreate && given.CreateBytes != 0)
            return Answer.Invalid("create_bytes goes with FB_DEVICE_CREATE");
        return given.InFlightMax != 0 && given.InFlightMax is < InFlightMin or > InFlightMax
            ? Answer.Invalid($"in_flight_max {given.InFlightMax} is not between {InFlightMin} and {InFlightMax}")
            : Answer.Ok;
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
        if (given.LowerInFlightMax == 0)
            given.LowerInFlightMax = LowerInFlightDefault;
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
        return DeviceMaking.AddTo(
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
        if (ops.Reserved != 0)
            return Answer.Unsupported($"reserved is {ops.Reserved}, not 0");
        if (ops.Submit == null)
            return Answer.Invalid("submit is NULL");
        if (!Units.IsPowerOfTwo(ops.RequestAlign) || ops.RequestAlign > AlignMax)
            return Answer.Invalid($"request_align {ops.RequestAlign} is not a power of two up to {AlignMax}");
        if (ops.CapacityBytes > long.MaxValue)
            return new Answer(Status.Range, default, "capacity_bytes is above 2^63 - 1");
        if (!Units.IsAligned(ops.CapacityBytes, ops.RequestAlign))
            return new Answer(Status.Align, default, "capacity_bytes is not a multiple of request_align");
        if (ops.InFlightMax is < InFlightMin or > InFlightMax)
            return Answer.Invalid($"in_flight_max {ops.InFlightMax} is not between {InFlightMin} and {InFlightMax}");
        return ops.LowerInFlightMax > ops.InFlightMax
            ? Answer.Invalid($"lower_in_flight_max {ops.LowerInFlightMax} is above in_flight_max {ops.InFlightMax}")
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
            Flags = limits.IsReadOnly ? Fb.DeviceIsReadOnly : 0,
        };
        if ((device.Device as FileDevice ?? FileOf(device)) is { } file)
            state.Flags |=
                (file.IsDirect ? Fb.DeviceIsDirect : 0)
                | (file.IsBlockDevice ? Fb.DeviceIsBlock : 0)
                | (file.UsedBy != null ? Fb.DeviceIsInUse : 0);
        else if (device.Device is not Qcow2Device)
            state.Flags |= Fb.DeviceIsHost;
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
        Answer answer = DeviceClosing.Close(device, out FileDevice? closing);
        closing?.WaitClosed(); // so that the next open finds no lock of this one
        return answer.Tell();
    }
}
