// fb_tracker_* and fb_disk_tracker_*.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Calls;

static class TrackerCalls
{
    const uint PathBytesMax = 4095;
    const ulong GranuleBytesMin = 4096;
    const ulong GranuleBytesMax = 4 * Units.MiB;

    public static unsafe int Create(ulong deviceId, byte* path, uint pathLength, ulong granularity)
    {
        Answer answer = Find(deviceId, path, pathLength, out DeviceObject? device, out string text);
        bool isFit = Units.IsPowerOfTwo(granularity) && granularity is >= GranuleBytesMin and <= GranuleBytesMax;
        if (answer.IsOk && granularity != 0 && !isFit)
            answer = Answer.Invalid($"granularity {granularity} is not a power of two of 4 KiB to 4 MiB");
        if (!answer.IsOk)
            return answer.Tell();
        UInt128 trackerId = MemoryMarshal.Read<UInt128>(Guid.NewGuid().ToByteArray());
        OpenRefusal refusal = TrackerFile.TryCreate(
            device!.Engine!.Reactor,
            text,
            (FileDevice)device.Device,
            trackerId,
            granularity,
            out TrackerFile? file
        );
        Close(device, file);
        return (refusal.IsNone ? Answer.Ok : Answer.Of(refusal)).Tell();
    }

    public static unsafe int Read(ulong deviceId, byte* path, uint pathLength, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        Answer answer = Find(deviceId, path, pathLength, out DeviceObject? device, out string text);
        if (!answer.IsOk)
            return answer.Tell();
        OpenRefusal refusal = TrackerFile.TryOpen(
            device!.Engine!.Reactor,
            text,
            isReadOnly: true,
            out TrackerFile? file
        );
        TrackedChanges? changes = null;
        if (refusal.IsNone)
            refusal = file!.Read((FileDevice)device.Device, out changes);
        Close(device, file);
        if (!refusal.IsNone)
            return Answer.Of(refusal).Tell();
        if (changes!.Refusal == TrackerRefusal.None)
        {
            *result = HandleTable.Open(new BitmapObject(changes.Changed!, changes.Changed!.SizeBytes));
            return Status.Ok;
        }
        string why = TrackerRefusals.Describe(text, changes.Refusal);
        return (changes.Refusal.IsHealedByFull() ? Answer.State(why) : Answer.Invalid(why)).Tell();
    }

    public static unsafe int Attach(ulong diskId, byte* path, uint pathLength)
    {
        if (HandleTable.Find<DiskObject>(diskId) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        Answer answer = Utf8Name.TryRead(path, pathLength, 1, PathBytesMax, out string text);
        return (answer.IsOk ? DiskTracking.Attach(disk, text) : answer).Tell();
    }

    public static int Detach(ulong diskId) =>
        HandleTable.Find<DiskObject>(diskId) is { } disk
            ? DiskTracking.Detach(disk).Tell()
            : Answer.Handle(DiskObject.Noun).Tell();

    static unsafe Answer Find(ulong id, byte* path, uint pathLength, out DeviceObject? device, out string text)
    {
        text = "";
        device = HandleTable.Find<DeviceObject>(id);
        if (device == null)
            return Answer.Handle(DeviceObject.Noun);
        if (device.Device is not FileDevice)
            return Answer.Invalid("only files and block devices of this machine have trackers");
        return device.Engine!.IsStopped
            ? EngineObject.StoppedAnswer()
            : Utf8Name.TryRead(path, pathLength, 1, PathBytesMax, out text);
    }

    static void Close(DeviceObject device, TrackerFile? file)
    {
        if (file == null)
            return;
        _ = device.Engine!.Run(
            device,
            () =>
            {
                file.Dispose();
                return Answer.Ok;
            }
        );
        file.WaitClosed();
    }
}
