// fb_device_open for qcow2 images: one that is there, read-only, or a new one as the target of a job, which is
// published as other partial files are.
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Errors;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static partial class DeviceCalls
{
    const uint BackingBytesMax = 1023;

    static FormatRule RuleOf(in DeviceOptionsStruct given) =>
        given.Format switch
        {
            Fb.FormatQcow2 => FormatRule.Qcow2,
            Fb.FormatUnsaid when (given.Flags & Fb.DeviceProbeFormat) != 0 => FormatRule.Refused,
            _ => FormatRule.Raw,
        };

    /// <summary>What a new image shall be; null: none is made.</summary>
    static unsafe Answer ReadFormat(in DeviceOptionsStruct given, string path, out ImageMaking? making)
    {
        making = null;
        if (given.Preallocation > Fb.PreallocationMetadata)
            return Answer.Unsupported($"preallocation {given.Preallocation} is not known");
        if (given.Format > Fb.FormatQcow2 || given.BackingFormat > Fb.FormatQcow2)
            return Answer.Unsupported($"format {given.Format} and {given.BackingFormat} are not both known");
        bool isImage = given.Format == Fb.FormatQcow2;
        bool isNew = isImage && (given.Flags & Fb.DeviceCreate) != 0;
        if (isImage && DeviceSchemes.Known.IsMeant(path))
            return Answer.Invalid("a server's disk has no format here: the server opens its images");
        if (isNew && (given.Flags & Fb.DevicePartial) == 0)
            return Answer.Invalid("a new image is partial until it is whole: FB_DEVICE_PARTIAL is missing");
        if (isNew && (given.Flags & Fb.DeviceResume) != 0)
            return Answer.Invalid("a new image is begun anew: leave FB_DEVICE_RESUME out");
        uint ofNew =
            given.Packing | given.PackingLevel | given.BackingFormat | given.BackingLength | given.Preallocation;
        if (!isNew)
            return ofNew == 0 ? Answer.Ok : Answer.Invalid("packing, preallocation and backing are a new image's");
        Answer answer = ReadPacking(given, out NewImagePacking? packing);
        string backing = "";
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Backing, given.BackingLength, 0, BackingBytesMax, out backing);
        if (!answer.IsOk)
            return answer;
        FormatRule rule = given.BackingFormat switch
        {
            Fb.FormatRaw => FormatRule.Raw,
            Fb.FormatQcow2 => FormatRule.Qcow2,
            _ => FormatRule.Refused,
        };
        making = new ImageMaking(given.CreateBytes, packing, backing.Length == 0 ? null : backing, rule)
        {
            IsPreallocated = given.Preallocation == Fb.PreallocationMetadata,
        };
        return Answer.Ok;
    }

    static Answer ReadPacking(in DeviceOptionsStruct given, out NewImagePacking? packing)
    {
        packing = null;
        if (given.Packing > Fb.PackingZstd)
            return Answer.Unsupported($"packing {given.Packing} is not known");
        if (given.Packing == Fb.PackingNone)
            return given.PackingLevel == 0 ? Answer.Ok : Answer.Invalid("packing_level is given without packing");
        Qcow2Compression type = given.Packing == Fb.PackingZstd ? Qcow2Compression.Zstd : Qcow2Compression.Zlib;
        int levelMax = NewImagePacking.LevelMax(type);
        if (given.PackingLevel > levelMax)
            return Answer.Invalid($"packing_level {given.PackingLevel} is above {levelMax}");
        packing = new NewImagePacking(type, given.PackingLevel == 0 ? 1 : (int)given.PackingLevel);
        return Answer.Ok;
    }

    /// <param name="engine">Drives the device.</param>
    /// <param name="flags">Checked.</param>
    /// <param name="options">Of the file.</param>
    /// <param name="making">Null: the image is there.</param>
    /// <param name="device">Null after an error.</param>
    static Answer OpenImage(
        EngineObject engine,
        uint flags,
        FileOpenOptions options,
        ImageMaking? making,
        out DeviceObject? device
    )
    {
        device = null;
        if (engine.Reactor.MustNotWait)
            return Answer.State("the engine's own thread may not wait for an image: open it from another one");
        return making == null
            ? DeviceMaking.OpenImage(engine, options, out device)
            : DeviceMaking.Open(engine, () => OpenNewImage(engine, flags, options, making), out device);
    }

    static (OpenRefusal, IBlockDevice?, TargetPlace?) OpenNewImage(
        EngineObject engine,
        uint flags,
        FileOpenOptions options,
        ImageMaking making
    )
    {
        OpenRefusal refusal = making.TryBegin(
            engine.Reactor,
            options.Path,
            options.IsLockIgnored,
            out NewImageShape? shape,
            out IBlockDevice? backing
        );
        if (shape == null)
            return (refusal, null, null);
        (refusal, IBlockDevice? file, TargetPlace? place) = OpenPartial(
            engine,
            flags,
            options with
            {
                CreateBytes = shape.FileBytesMax,
                Format = FormatRule.Raw,
            }
        );
        if (file is FileDevice { IsBlockDevice: true } && place != null)
        {
            refusal = OpenRefusal.Rule($"target '{options.Path}' is a block device: a qcow2 image goes into a file");
            file.Dispose();
            place.Dispose();
            file = null;
        }
        if (file != null)
            return (default, Qcow2NewImage.Create(engine.Reactor, file, shape, backing), place);
        backing?.Dispose();
        return (refusal, null, null);
    }

    /// <summary>Of an image.</summary>
    static FileDevice? FileOf(DeviceObject device) =>
        device.Device switch
        {
            Qcow2Device image => image.File as FileDevice,
            Qcow2NewImage image => image.File as FileDevice,
            _ => null,
        };
}
