// blockdev-backup. The job is made with the first check, as in fb_backup_create, and starts with its plan: at one
// point in time with all others of it.
//
// Refusals that QEMU knows come first, in its order and words; what they leave is judged by the engine's own rules.
// Source: QEMU 7.2 blockdev.c (do_backup_common), block/backup.c (backup_job_create), job.c.
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Devices;
using FastBackup.Native.Disks;
using FastBackup.Native.Errors;
using FastBackup.Native.Jobs;

namespace FastBackup.Native.Monitor.Plans;

sealed class BackupAction(BackupArguments arguments) : PlanAction
{
    const uint WorkersMax = 1024;
    const int JobsMax = 256; // of a monitor: one that has ended keeps its memory until it is dismissed
    const uint ClusterBytesMin = (uint)(64 * Units.KiB);
    const int IdBytesMax = 255;

    DiskObject? _source;
    BitmapObject? _bitmap;

    public override string Type => "blockdev-backup";

    DiskObject Source => _source!;

    /// <summary>In state created from the first check on.</summary>
    public JobObject? Job { get; private set; }

    public override QmpError? Check(Plan plan, PlanState state)
    {
        if (Resolve(plan, arguments.Device, ref _source) is { } error)
            return error;
        if (!state.TryAddBackup(Source))
            return QmpError.Generic($"disk '{Source.Core.Name}' has as many backups at once as it can watch");
        QmpError? problem = CheckBitmap(state, out PlannedBitmap? bitmap);
        if (Job == null)
            problem = plan.Monitor.Nodes.HasTarget(arguments.Target) ?? problem ?? Make(plan, bitmap);
        else if (Job.Core.Status != JobStatus.Created || Job.IsClosed)
            problem = QmpError.Generic($"Job '{Job.Core.Id}' was cancelled, or started by somebody else");
        else if (!ReferenceEquals(bitmap?.Bitmap, _bitmap))
            problem = QmpError.Generic($"Bitmap '{arguments.Bitmap}' was replaced");
        if (problem == null && bitmap is { } used)
            state.Set(Source, arguments.Bitmap!, used with { IsBusy = true });
        return problem;
    }

    /// <summary>Its plan starts the job.</summary>
    public override void Apply(Plan plan) { }

    public override void Abandon(Plan plan)
    {
        if (Job is { IsClosed: false })
            plan.Monitor.Forget(Job);
    }

    QmpError? CheckBitmap(PlanState state, out PlannedBitmap? bitmap)
    {
        bitmap = null;
        (string sync, string? mode) = (arguments.Sync, arguments.BitmapMode);
        if (sync is "bitmap" or "incremental" && arguments.Bitmap == null)
            return QmpError.Generic($"must provide a valid bitmap name for '{sync}' sync mode");
        if (sync == "incremental" && mode is not (null or "on-success"))
            return QmpError.Generic("Bitmap sync mode must be 'on-success' when using sync mode 'incremental'");
        if (arguments.Bitmap == null)
            return mode == null ? null : QmpError.Generic("Cannot specify bitmap sync mode without a bitmap");
        bitmap = state.Find(Source, arguments.Bitmap);
        if (bitmap == null)
            return QmpError.Generic($"Bitmap '{arguments.Bitmap}' could not be found");
        if (mode == null && sync != "incremental")
            return QmpError.Generic("Bitmap sync mode must be given when providing a bitmap");
        if (bitmap.Value.IsBusy)
            return BitmapAction.Busy(arguments.Bitmap);
        if (sync == "none")
            return QmpError.Generic("sync mode 'none' does not produce meaningful bitmap outputs");
        return mode == "never" && sync != "bitmap"
            ? QmpError.Generic(
                $"Bitmap sync mode 'never' has no meaningful effect when combined with sync mode '{sync}'"
            )
            : null;
    }

    QmpError? Make(Plan plan, PlannedBitmap? bitmap)
    {
        if (plan.Monitor.Jobs.Count >= JobsMax)
            return QmpError.Generic($"{JobsMax} jobs are here, which is the most: dismiss those that have ended");
        if (plan.Monitor.Nodes.FindTarget(arguments.Target, Source, out DeviceObject? target) is { } missing)
            return missing;
        DeviceObject? scratch = null;
        if (arguments.Scratch != null)
        {
            if (plan.Monitor.Nodes.FindTarget(arguments.Scratch, Source, out scratch) is { } lost)
                return lost;
            if (scratch!.HasJob)
                return InUse(arguments.Scratch);
        }
        string id = arguments.JobId ?? Source.Core.Name;
        if (CheckNumbers(plan, target!, id) is { } wrong)
            return wrong;
        bool hasView = arguments.HasSnapshot ?? arguments.Sync != "top";
        Answer answer = BackupCreation.TryMakeForMonitor(
            Source,
            target!,
            scratch,
            (ulong)arguments.ScratchBytes,
            hasView,
            Options(id, bitmap),
            out JobObject? job
        );
        if (job == null)
            return QmpError.Of(answer);
        (Job, _bitmap) = (job, bitmap?.Bitmap);
        job.IsPlanned = true;
        plan.Monitor.Adopt(job);
        return null;
    }

    QmpError? CheckNumbers(Plan plan, DeviceObject target, string id)
    {
        bool isSource = ReferenceEquals(target, Source.Device);
        if (isSource)
            return QmpError.Generic("Source and target cannot be the same");
        if (arguments.IsCompressed)
            return QmpError.Generic("Compression is not supported for this drive ");
        if (target.HasJob)
            return InUse(arguments.Target);
        if (arguments.MaxWorkers is < 1 or > int.MaxValue)
            return QmpError.Generic($"max-workers must be between 1 and {int.MaxValue}");
        if (arguments.MaxChunk < 0)
            return QmpError.Generic("max-chunk must be zero (which means no limit) or positive");
        ulong targetBytes = target.Device.Limits.CapacityBytes;
        bool isFit =
            targetBytes == Source.Core.CapacityBytes
            || (arguments.MayTargetBeLarger && targetBytes > Source.Core.CapacityBytes);
        if (!isFit)
            return QmpError.Generic("Source and target image have different sizes");
        if (target.Device.Limits.IsReadOnly)
            return QmpError.Generic("Could not create node: Block node is read-only");
        if (arguments.MinClusterBytes < 0 || arguments.MinClusterBytes > uint.MaxValue)
            return QmpError.Generic($"min-cluster-size {arguments.MinClusterBytes} is not a size of clusters");
        if (arguments.MaxChunk > 0 && arguments.MaxChunk < ClusterBytes)
            return QmpError.Generic(
                $"Required max-chunk ({arguments.MaxChunk}) is less than backup cluster size ({ClusterBytes})"
            );
        if (!IsWellFormed(id))
            return QmpError.Generic($"Invalid job ID '{id}'");
        if (plan.Monitor.Engine!.Jobs.Find(id) != null)
            return QmpError.Generic($"Job ID '{id}' already in use");
        if (arguments.Speed < 0)
            return QmpError.Generic("Parameter 'speed' expects a non-negative value");
        if (arguments.ScratchBytes < 0 || arguments.CaptureBytes < 0)
            return QmpError.Generic("x-scratch-bytes and x-capture-bytes expect a non-negative value");
        if (arguments.Scratch == null && arguments.ScratchBytes > 0)
            return QmpError.Generic("x-scratch-bytes is given without x-scratch");
        return arguments.CaptureBytes > 0 && arguments.CaptureBytes < ClusterBytes
            ? QmpError.Generic($"x-capture-bytes {arguments.CaptureBytes} is below one cluster, {ClusterBytes}")
            : null;
    }

    uint ClusterBytes => System.Math.Max(ClusterBytesMin, (uint)arguments.MinClusterBytes);

    BackupOptions Options(string id, PlannedBitmap? bitmap)
    {
        _ = HostGuestPriority.TryRead((uint)arguments.GuestPriority, out GuestPriority priority);
        FilterOptions filter = new()
        {
            OnCbwError = arguments.BreaksGuestWrite ? CbwErrorPolicy.BreakGuestWrite : CbwErrorPolicy.BreakSnapshot,
            ClusterBytes = ClusterBytes,
            TaskMax = (uint)System.Math.Min(arguments.MaxWorkers, WorkersMax),
            CaptureBytesMax = arguments.CaptureBytes == 0 ? ulong.MaxValue : (ulong)arguments.CaptureBytes,
            TakesGuestReads = arguments.TakesGuestReads,
        };
        if (arguments.CbwTimeoutMs is { } limit)
            filter = filter with { CbwTimeoutMs = limit };
        return new BackupOptions
        {
            Id = id,
            Sync = arguments.Sync switch
            {
                "full" => BackupSync.Full,
                "top" => BackupSync.Top,
                "incremental" => BackupSync.Incremental,
                "bitmap" => BackupSync.Bitmap,
                _ => BackupSync.None,
            },
            Bitmap = bitmap?.Bitmap.Dirty,
            IsBitmapStillToCome = bitmap is { IsToCome: true },
            BitmapMode = arguments.BitmapMode switch
            {
                "on-success" => BitmapMode.OnSuccess,
                "never" => BitmapMode.Never,
                "always" => BitmapMode.Always,
                _ => null,
            },
            SpeedBytesPerSecond = (ulong)arguments.Speed,
            GuestPriority = priority,
            OnSourceError = Policy(arguments.OnSourceError),
            OnTargetError = Policy(arguments.OnTargetError),
            MayTargetBeLarger = arguments.MayTargetBeLarger,
            DiscardSource = arguments.IsSourceDiscarded,
            AutoFinalize = arguments.IsAutoFinalize,
            AutoDismiss = arguments.IsAutoDismiss,
            Filter = filter,
        };
    }

    static ErrorPolicy Policy(string word) =>
        word switch
        {
            "ignore" => ErrorPolicy.Ignore,
            "enospc" => ErrorPolicy.EnoSpc,
            "stop" => ErrorPolicy.Stop,
            "auto" => ErrorPolicy.Auto,
            _ => ErrorPolicy.Report,
        };

    static QmpError InUse(string node) =>
        QmpError.Generic($"Node '{node}' is busy: block device is in use by block job: backup");

    /// <summary>A letter, then letters, digits, - . and _. Source: QEMU util/id.c.</summary>
    public static bool IsWellFormed(string id)
    {
        if (id.Length is 0 or > IdBytesMax || !char.IsAsciiLetter(id[0]))
            return false;
        foreach (char one in id)
            if (!char.IsAsciiLetterOrDigit(one) && one is not ('-' or '.' or '_'))
                return false;
        return true;
    }
}
