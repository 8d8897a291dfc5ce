// blockdev-backup. The job is made with the first check, as in fb_backup_create, and starts with its plan: at one
// point in time with all others of it.
//
// Refusals that QEMU knows come first, in its order and words; what they leave is judged by the engine's own rules.
// Source: QEMU 7.2 blockdev.c (do_backup_common), block/backup.c (backup_job_create), job.c.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
using FastBackup.Pacing;
using FastBackup.Repositories;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Monitor.Plans;

sealed class BackupAction(BackupArguments arguments) : PlanAction
{
    const uint WorkersMax = 1024;
    const int JobsMax = 256; // of a monitor: one that has ended keeps its memory until it is dismissed
    const uint ClusterBytesMin = FilterOptions.ClusterBytesDefault; // QEMU takes no smaller ones

    DiskObject? _source;
    BitmapObject? _bitmap;
    bool _mayHaveMemory;
    JobRecord? _record; // until the job is made, which has it then
    uint _sectorBytes; // of the target
    BackupMemory? _memory; // taken before the job is made, which then has it

    public override string Type => "blockdev-backup";

    DiskObject Source => _source!;

    /// <summary>In state created from the first check on.</summary>
    public JobObject? Job { get; private set; }

    /// <summary>Of those that the check would refuse for their number, none gets memory before.</summary>
    public override void Find(PlanContext plan)
    {
        _sectorBytes = plan.Nodes.Find(arguments.Target)?.Device.Device.Limits.RequestAlignBytes ?? 0;
        _mayHaveMemory =
            Resolve(plan, arguments.Device, ref _source) == null
            && plan.CountBackup(Source, out uint ofDisk) <= JobsMax - plan.Jobs.All.Count
            && ofDisk <= Source.Core.FilterRoom;
    }

    public override void TakeMemory()
    {
        BackupOptions options = Options("", bitmap: null, target: null);
        if (_mayHaveMemory && BackupMemory.IsPossible(options)) // else, and after a fault, the check says what is wrong
            _ = BackupMemory.TryTake(Source.Core.CapacityBytes, options, HasView, out _memory);
    }

    public override bool IsPatient => arguments.Record != null;

    public override DiskObject? Subject => _source;

    /// <summary>The record is opened: that may wait for storage.</summary>
    public override QmpError? Prepare(PlanContext plan)
    {
        if (arguments.RecordSince is not { } since)
            return QmpError.Generic("x-record needs x-record-since: a checkpoint that is there already");
        if (arguments.Sync is BackupSync.Top or BackupSync.None)
            return QmpError.Generic(
                $"x-record does not go with sync mode '{BackupWords.Sync.Of(arguments.Sync)}': it copies no whole disk"
            );
        if (TakePoints(plan, arguments.Device, ref _source, out DiskPoints? points) is { } error)
            return error;
        bool isThere = points!.TryGetTime(since, out ulong createdNs);
        PointsInHand.GiveBackInTurn(Source, points);
        return isThere
            ? OpenRecord(plan, (since, createdNs))
            : QmpError.Generic($"Disk '{arguments.Device}' has no checkpoint '{since}' (epoch)");
    }

    QmpError? OpenRecord(PlanContext plan, (string, ulong) point)
    {
        if (OpenAgain(plan, arguments.Target, Source, out DeviceObject? target, out int fd) is { } error)
            return error;
        OpenRefusal refusal = JobRecord.TryOpen(
            (FileDevice)Source.Core.Device, // it has a tracker
            target!,
            fd,
            arguments.Record!,
            ClusterBytes,
            point,
            out _record
        );
        return refusal.IsNone ? null : QmpError.Of(refusal);
    }

    public override bool Release(bool wasDone, bool isLeft)
    {
        _memory?.Dispose();
        return false;
    }

    bool HasView => arguments.HasSnapshot ?? arguments.Sync != BackupSync.Top;

    public override QmpError? Check(PlanContext plan, PlanState state)
    {
        if (Resolve(plan, arguments.Device, ref _source) is { } error)
            return error;
        if (!state.TryAddBackup(Source))
            return QmpError.Generic($"disk '{Source.Core.Name}' has as many backups at once as it can watch");
        QmpError? problem = CheckBitmap(state, out PlannedBitmap? bitmap);
        if (Job == null)
            problem = plan.Nodes.HasTarget(arguments.Target) ?? problem ?? Make(plan, bitmap);
        else if (Job.Core.Status != JobStatus.Created || Job.IsClosed)
            problem = QmpError.Generic($"Job '{Job.Core.Id}' was cancelled, or started by somebody else");
        else if (!ReferenceEquals(bitmap?.Bitmap, _bitmap))
            problem = QmpError.Generic($"Bitmap '{arguments.Bitmap}' was replaced");
        if (problem == null && bitmap is { } used)
            state.Set(Source, arguments.Bitmap!, used with { IsBusy = true });
        return problem;
    }

    public override bool MakeReady() => _bitmap?.Dirty!.TidySpare() ?? true;

    public override QmpError? WhatIsWrongNow() =>
        Job!.Core.Status != JobStatus.Created || Job.IsClosed
            ? QmpError.Generic($"Job '{Job.Core.Id}' was cancelled, or started by somebody else")
            : null;

    /// <summary>Its plan starts the job.</summary>
    public override void Apply(PlanContext plan)
    {
        if (Job!.Target.Device is PointTarget point)
            point.Checkpoint = plan.FindPoint(Source);
    }

    public override void Abandon(PlanContext plan)
    {
        _record?.Withdraw();
        _record = null;
        if (Job is { IsClosed: false })
            plan.Jobs.Forget(Job);
    }

    QmpError? CheckBitmap(PlanState state, out PlannedBitmap? bitmap)
    {
        bitmap = null;
        (BackupSync sync, BitmapMode? mode) = (arguments.Sync, arguments.BitmapMode);
        if (sync is BackupSync.Bitmap or BackupSync.Incremental && arguments.Bitmap == null)
            return QmpError.Generic($"must provide a valid bitmap name for '{BackupWords.Sync.Of(sync)}' sync mode");
        if (sync == BackupSync.Incremental && mode is not (null or BitmapMode.OnSuccess))
            return QmpError.Generic("Bitmap sync mode must be 'on-success' when using sync mode 'incremental'");
        if (arguments.Bitmap == null)
            return mode == null ? null : QmpError.Generic("Cannot specify bitmap sync mode without a bitmap");
        bitmap = state.Find(Source, arguments.Bitmap);
        if (bitmap == null)
            return QmpError.Generic($"Bitmap '{arguments.Bitmap}' could not be found");
        if (mode == null && sync != BackupSync.Incremental)
            return QmpError.Generic("Bitmap sync mode must be given when providing a bitmap");
        if (bitmap.Value.IsBusy)
            return BitmapAction.Busy(arguments.Bitmap);
        if (sync == BackupSync.None)
            return QmpError.Generic("sync mode 'none' does not produce meaningful bitmap outputs");
        if (bitmap.Value.Bitmap.IsPersistent && mode != BitmapMode.Never)
            return QmpError.Generic(PersistentBitmaps.Rule(arguments.Bitmap) + "; use it with bitmap-mode never");
        return mode == BitmapMode.Never && sync != BackupSync.Bitmap
            ? QmpError.Generic(
                $"Bitmap sync mode 'never' has no meaningful effect when combined with sync mode '{
                    BackupWords.Sync.Of(sync)}'"
            )
            : null;
    }

    QmpError? Make(PlanContext plan, PlannedBitmap? bitmap)
    {
        if (plan.Jobs.All.Count >= JobsMax)
            return QmpError.Generic($"{JobsMax} jobs are here, which is the most: dismiss those that have ended");
        if (plan.Nodes.FindTarget(arguments.Target, Source, out DeviceObject? target) is { } missing)
            return missing;
        if (_record != null && !ReferenceEquals(_record.Target, target))
            return QmpError.Generic($"Node '{arguments.Target}' was replaced");
        DeviceObject? scratch = null;
        if (arguments.Scratch != null)
        {
            if (plan.Nodes.FindTarget(arguments.Scratch, Source, out scratch) is { } lost)
                return lost;
            if (scratch!.HasJob)
                return InUse(arguments.Scratch);
        }
        string id = arguments.JobId ?? Source.Core.Name;
        if (CheckNumbers(plan, target!, id) is { } wrong)
            return wrong;
        JobRequest request = new()
        {
            Disk = Source,
            Target = target!,
            Scratch = scratch,
            ScratchBytesMax = (ulong)arguments.ScratchBytes,
            HasView = HasView,
            Options = Options(id, bitmap, target),
            Record = _record,
            IsOfMonitor = true,
        };
        if (!Source.Engine!.TryRetain(isChild: true))
            return QmpError.Of(Answer.Handle(EngineObject.Noun));
        Answer answer = request.TryMake(_memory, out JobObject? job);
        if (job == null)
        {
            Source.Engine.Release(isChild: true);
            return QmpError.Of(answer);
        }
        (Job, _bitmap, _record) = (job, bitmap?.Bitmap, null);
        _bitmap?.Share(); // for as long as the job is here
        job.IsPlanned = true;
        plan.Jobs.Adopt(job);
        return null;
    }

    QmpError? CheckNumbers(PlanContext plan, DeviceObject target, string id)
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
        if (!QmpName.IsWellFormed(id))
            return QmpError.Generic($"Invalid job ID '{id}'");
        if (plan.Turns.Engine.Jobs.Find(id) != null)
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

    /// <summary>As QEMU a target that takes larger pieces only gets them.</summary>
    uint ClusterBytes =>
        System.Math.Max(System.Math.Max(ClusterBytesMin, _sectorBytes), (uint)arguments.MinClusterBytes);

    BackupOptions Options(string id, PlannedBitmap? bitmap, DeviceObject? target)
    {
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
            Sync = arguments.Sync,
            Bitmap = bitmap?.Bitmap.Dirty,
            CompletingSerial = target == null ? 0 : bitmap?.Bitmap.SerialCompleting(target) ?? 0,
            IsBitmapStillToCome = bitmap is { IsToCome: true },
            BitmapMode = arguments.BitmapMode,
            SpeedBytesPerSecond = (ulong)arguments.Speed,
            GuestPriority = arguments.GuestPriority,
            WarmMs = arguments.WarmMs,
            OnSourceError = arguments.OnSourceError,
            OnTargetError = arguments.OnTargetError,
            MayTargetBeLarger = arguments.MayTargetBeLarger,
            DiscardSource = arguments.IsSourceDiscarded,
            AutoFinalize = arguments.IsAutoFinalize,
            AutoDismiss = arguments.IsAutoDismiss,
            Filter = filter,
        };
    }

    static QmpError InUse(string node) =>
        QmpError.Generic($"Node '{node}' is busy: block device is in use by block job: backup");
}
