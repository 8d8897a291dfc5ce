// fb_device_open for places that are not yet what they will be (FB_DEVICE_PARTIAL, FB_DEVICE_NAMELESS), and
// fb_device_publish. The rules are the engine's: TargetPlace and ScratchFile.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Ports.Linux;

namespace FastBackup.Native.Calls;

static partial class DeviceCalls
{
    internal const string ReplaceWord = "FB_DEVICE_REPLACE";
    internal const string ResumeWord = "FB_DEVICE_RESUME";
    internal const string IgnoreWord = "FB_DEVICE_IGNORE_LOCKS";

    const uint PlaceFlags = Fb.DevicePartial | Fb.DeviceNameless | Fb.DeviceReplace | Fb.DeviceResume;

    /// <summary>One of the flags of this file is set.</summary>
    static bool IsPlace(uint flags) => (flags & PlaceFlags) != 0;

    static Answer CheckPlace(uint flags) =>
        (flags & (Fb.DevicePartial | Fb.DeviceNameless)) switch
        {
            Fb.DevicePartial | Fb.DeviceNameless => Answer.Invalid(
                "a partial file has a name: not with FB_DEVICE_NAMELESS"
            ),
            0 => Answer.Invalid("FB_DEVICE_REPLACE goes with FB_DEVICE_PARTIAL or NAMELESS, RESUME with PARTIAL"),
            _ when (flags & Fb.DeviceResume) != 0 && (flags & (Fb.DeviceReplace | Fb.DeviceNameless)) != 0 =>
                Answer.Invalid("FB_DEVICE_RESUME goes on with what is there: not with REPLACE or NAMELESS"),
            _ => (flags & Fb.DeviceCreate) != 0 ? Answer.Ok : Answer.Invalid("FB_DEVICE_CREATE is missing"),
        };

    /// <param name="engine">Drives the device.</param>
    /// <param name="flags">Checked.</param>
    /// <param name="options">Path and CreateBytes are the host's.</param>
    /// <param name="device">Null after an error.</param>
    static Answer OpenPlace(EngineObject engine, uint flags, FileOpenOptions options, out DeviceObject? device)
    {
        bool mayReplace = (flags & Fb.DeviceReplace) != 0;
        return (flags & Fb.DevicePartial) != 0
            ? DeviceMaking.Open(engine, () => OpenPartial(engine, flags, options), out device)
            : DeviceMaking.Open(engine, () => OpenNameless(engine, mayReplace, options), out device);
    }

    static (OpenRefusal, IBlockDevice?, TargetPlace?) OpenPartial(
        EngineObject engine,
        uint flags,
        FileOpenOptions options
    )
    {
        TargetOptions wanted = new()
        {
            Path = options.Path,
            SizeBytes = options.CreateBytes!.Value,
            MayReplace = (flags & Fb.DeviceReplace) != 0,
            ReplaceWord = ReplaceWord,
            MayResume = (flags & Fb.DeviceResume) != 0,
            ResumeWord = ResumeWord,
            IsLockIgnored = options.IsLockIgnored,
            IgnoreWord = IgnoreWord,
        };
        OpenRefusal refusal = TargetPlace.TryPlan(NameCalls.Kernel, wanted, out TargetPlace? place);
        if (place == null)
            return (refusal, null, null);
        FileDevice? file = null;
        try
        {
            refusal = place.TryOpen(engine.Reactor, options, out file);
            return (refusal, file, place);
        }
        finally
        {
            if (file == null)
            {
                place.Undo(); // an exception leaves nothing either
                place.Dispose();
            }
        }
    }

    static (OpenRefusal, IBlockDevice?, TargetPlace?) OpenNameless(
        EngineObject engine,
        bool mayReplace,
        FileOpenOptions options
    ) =>
        (
            ScratchFile.TryOpen(
                engine.Reactor,
                options.Path,
                options.CreateBytes!.Value,
                mayReplace,
                out FileDevice? file
            ),
            file,
            null
        );

    /// <summary>A new image gets the length that it has.</summary>
    static OpenRefusal FinishImage(IBlockDevice device)
    {
        if (device is not Qcow2NewImage image)
            return default;
        if (!image.IsSealed)
            return OpenRefusal.Rule("the image is not whole: no job has ended well on it");
        Fault fault = image.Trim();
        return fault.IsNone ? default : new OpenRefusal(fault, $"cannot give its length to the image: {fault}");
    }

    public static unsafe int Publish(ulong id, byte* words, uint capacity, uint* length)
    {
        if (words == null && capacity > 0)
            return Answer.Invalid("words is NULL").Tell();
        if (HandleTable.Find<DeviceObject>(id) is not { } device)
            return Answer.Handle(DeviceObject.Noun).Tell();
        if (device.Place is not { } place)
            return Answer.Invalid("the device was opened without FB_DEVICE_PARTIAL").Tell();
        OpenRefusal refusal;
        string text;
        lock (place)
        {
            if (device.IsClosed)
                return Answer.Handle(DeviceObject.Noun).Tell();
            refusal = FinishImage(device.Device);
            if (refusal.IsNone)
                refusal = place.TryPublish();
            text = string.Join("; ", place.Words);
        }
        // SAFETY: the host vouches for capacity bytes.
        if (capacity > 0)
            _ = Utf8Name.Write(text, new Span<byte>(words, (int)Math.Min(capacity, int.MaxValue)));
        if (length != null)
            *length = (uint)System.Text.Encoding.UTF8.GetByteCount(text);
        return (refusal.IsNone ? Answer.Ok : Answer.Of(refusal)).Tell();
    }
}
