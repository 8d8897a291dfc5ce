// fb_path_check: the refusals of a place that is to be opened later, when nobody may be there any more to read them.
// Needs no engine. What the open itself must try (locks of block devices, room) is not known here.
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Interop.Linux;
using FastBackup.Native.Errors;
using FastBackup.Native.Header;
using FastBackup.Native.Monitor.Server;
using FastBackup.Native.Structs;
using FastBackup.Ports.Linux;

namespace FastBackup.Native.Calls;

static class PathCalls
{
    const uint PathBytesMax = 4095;

    public static unsafe int Check(PathOptionsStruct* host)
    {
        Answer answer = StructSize.TryRead(host, PathOptionsStruct.SizeFirst, out PathOptionsStruct given);
        string path = "";
        string source = "";
        string allow = "";
        if (answer.IsOk && (given.Flags & ~(Fb.DeviceReplace | Fb.DeviceIgnoreLocks)) != 0)
            answer = Answer.Unsupported($"path flags {given.Flags:x} are not all known");
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Path, given.PathLength, 1, PathBytesMax, out path);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Source, given.SourceLength, 0, PathBytesMax, out source);
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Allow, given.AllowLength, 0, PathBytesMax, out allow);
        if (!answer.IsOk)
            return answer.Tell();
        bool mayReplace = (given.Flags & Fb.DeviceReplace) != 0;
        bool isLockIgnored = (given.Flags & Fb.DeviceIgnoreLocks) != 0;
        answer = given.Kind switch
        {
            Fb.PathTarget => CheckTarget(
                new TargetOptions
                {
                    Path = path,
                    SizeBytes = given.Bytes,
                    MayReplace = mayReplace,
                    ReplaceWord = allow.Length > 0 ? allow : DeviceCalls.ReplaceWord,
                    SourceName = source,
                    IsLockIgnored = isLockIgnored,
                    IgnoreWord = DeviceCalls.IgnoreWord,
                }
            ),
            Fb.PathScratch => CheckScratch(path, mayReplace),
            Fb.PathMonitor => MonitorListener.Check(path),
            _ => Answer.Invalid($"kind {given.Kind} is none of FB_PATH_*"),
        };
        return answer.Tell();
    }

    static Answer CheckTarget(TargetOptions options)
    {
        if (options.SourceName.Length > 0)
        {
            Fault fault = TryIdentify(options.SourceName, out StorageKin? kin);
            if (fault.IsFault)
                return Answer.Of(fault) with { Text = $"cannot look at '{options.SourceName}': {fault}" };
            options = options with { Source = kin!.Identity, SourceStorage = kin };
        }
        OpenRefusal refusal = TargetPlace.TryPlan(NameCalls.Kernel, options, out TargetPlace? place);
        if (refusal.IsNone)
            refusal = place!.CheckFolder();
        place?.Dispose();
        return refusal.IsNone ? Answer.Ok : Answer.Of(refusal);
    }

    static Answer CheckScratch(string path, bool mayReplace)
    {
        OpenRefusal refusal = ScratchFile.Check(path, mayReplace);
        return refusal.IsNone ? Answer.Ok : Answer.Of(refusal);
    }

    static Fault TryIdentify(string path, out StorageKin? kin)
    {
        kin = null;
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, path, Files.O_RDONLY | Files.O_NONBLOCK);
        if (fd < 0)
            return Errnos.ToFault(-fd);
        Fault fault = StorageKin.TryGet(fd, out kin);
        NameCalls.Close(fd);
        return fault;
    }
}
