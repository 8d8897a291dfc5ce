// The backup job: one point in time of a disk, copied to a target.
//
// Every mode is the same loop over the same copy map; they differ in which clusters are marked at T0, in what a
// hole means, and in what becomes of the bitmap at the end:
//
//   full         all                                    top      all, and what is not allocated is dropped
//   incremental, bitmap   what the bitmap names         none     all, but only guests' writes copy anything
//
// Life: T0 in a quiesced moment (freeze the bitmap, mark the map, attach the filter); then the loop; then the
// target is flushed; then, with its transaction, commit (the bitmap's successor takes over) or abort (nothing
// that was dirty is forgotten), again in a quiesced moment, in which the filter leaves the disk.
//
// A job whose snapshot broke fails with the root cause. After cancel or failure guests pass at once, what is in
// flight is waited for, parked chunks are given up.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Memory;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's, except Query, which any may call. Dispose after it has ended.</summary>
public sealed partial class BackupJob
    : Job,
        IFilterOwner,
        IBlockOwner,
        IGuestListener,
        ICopyPacer,
        ILoopTask,
        ILoopMember,
        IDisposable
{
    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly BackupOptions _options;
    readonly CopyBeforeWriteFilter _filter;
    readonly CopyEngine _engine;
    readonly CopyMap _map;
    readonly AllocationScan _scan;
    readonly LatencyGovernor _governor;
    readonly RateLimit _rate = new();

    // --- touched only by the reactor's thread
    bool _hasBegun;
    bool _isLost;
    ulong _doneBytes;
    ulong _totalBytes;

    // --- any thread: a picture, rewritten after each step; odd sequence = being written
    uint _pictureSequence;
    JobProgress _picture;
    JobGauges _gauges;

    BackupJob(
        IIoLoop loop,
        Disk disk,
        CopyBeforeWriteFilter filter,
        SnapshotView? view,
        BufferPool pool,
        BackupOptions options
    )
        : base(options.Id ?? disk.Name, disk)
    {
        (_loop, _options, _filter, View) = (loop, options, filter, view);
        (_engine, _map) = (filter.Engine, filter.Map);
        filter.Owner = this;
        _engine.Pacer = this;
        filter.Trace.Job = Id;
        uint chunkBytesMin = Math.Max(options.Filter.ClusterBytes, (uint)(64 * Units.KiB));
        _governor = new LatencyGovernor(
            Math.Min(pool.BufferBytes, chunkBytesMin),
            pool.BufferBytes,
            _engine.BackgroundBytesMax,
            disk.Pulse,
            options.GuestPriority
        );
        _scan = new AllocationScan(disk.Device, Run);
        _rate.Set(options.SpeedBytesPerSecond, loop.Clock.NowNs);
        _parked = new ulong[_engine.TaskMax];
        if (Planted.Is(PlantedBug.R21MapReadBeforePointInTime))
            _scan.TryPeek(out _);
        loop.Join(this);
        Publish();
    }

    public override bool AutoFinalize => _options.AutoFinalize;

    public override bool AutoDismiss => _options.AutoDismiss;

    public CopyBeforeWriteFilter Filter => _filter;

    /// <summary>The disk as of T0, from the start to the end of the job; null unless asked for at creation.</summary>
    public SnapshotView? View { get; }

    /// <summary>The clusters that were not copied: what is left after a failure or a cancel.</summary>
    public HierarchicalBitmap Todo => _map.Todo;

    /// <summary>How long guest writes waited for this job's copies. Threads: any.</summary>
    public LatencyHistogram GuestWaits => _filter.GuestWaits;

    /// <summary>What the window allows now.</summary>
    public ulong WindowBytes => _governor.WindowBytes;

    /// <summary>The limit of its background copy; 0 = none.</summary>
    public ulong SpeedBytesPerSecond => _rate.BytesPerSecond;

    /// <summary>Who comes first on the source's disk.</summary>
    public GuestPriority GuestPriority => _governor.Priority;

    /// <summary>Makes a job in state Created; nothing is read, written or frozen yet.</summary>
    /// <param name="loop">The reactor that disk and target belong to.</param>
    /// <param name="disk">Disk to copy.</param>
    /// <param name="target">At least as large; nobody else writes to it.</param>
    /// <param name="pool">I/O memory; shared with other users of the reactor.</param>
    /// <param name="options">What to do.</param>
    /// <param name="hasView">Whether <see cref="View"/> is wanted; not with sync top.</param>
    /// <param name="job">The job, or null when refused.</param>
    /// <returns>None, or a fault and a sentence that names the value and the rule.</returns>
    public static OpenRefusal TryCreate(
        IIoLoop loop,
        Disk disk,
        IBlockDevice target,
        BufferPool pool,
        BackupOptions options,
        bool hasView,
        out BackupJob? job
    )
    {
        job = null;
        OpenRefusal refusal = BackupRules.Check(disk, target, pool, options, hasView);
        if (!refusal.IsNone)
            return refusal;
        Fault fault = CopyBeforeWriteFilter.TryCreate(
            disk,
            target,
            pool,
            options.Filter,
            out CopyBeforeWriteFilter? filter
        );
        SnapshotView? view = null;
        if (fault.IsNone && hasView)
            fault = SnapshotView.TryCreate(loop, filter!, disk.Device, out view);
        if (fault.IsFault)
        {
            filter?.Dispose();
            return new OpenRefusal(fault, $"cannot take the memory for the copy map of '{disk.Name}': {fault}");
        }
        job = new BackupJob(loop, disk, filter!, view, pool, options);
        return default;
    }

    /// <summary>A consistent picture. Threads: any. Cost: O(1), repeated while the reactor writes it.</summary>
    public JobProgress Query() => Query(out _);

    /// <summary>What is in flight and in memory, and how guests fare. Threads: any.</summary>
    /// <remarks>Cost: walks over three histograms.</remarks>
    public JobStatistics QueryStatistics()
    {
        _ = Query(out JobGauges gauges);
        return new JobStatistics(
            gauges,
            _filter.GuestWaits.Summarize(),
            Disk.Pulse.QuietLatency.Summarize(),
            Disk.Pulse.LoadedLatency.Summarize()
        );
    }

    JobProgress Query(out JobGauges gauges)
    {
        while (true)
        {
            uint before = Volatile.Read(ref _pictureSequence);
            JobProgress picture = _picture;
            gauges = _gauges;
            Interlocked.MemoryBarrier(); // the reads above may not slip below the second look
            if ((before & 1) == 0 && Volatile.Read(ref _pictureSequence) == before)
                return picture;
            Thread.Yield();
        }
    }

    /// <summary>Changes who comes first, also while the job runs.</summary>
    public void SetGuestPriority(GuestPriority priority)
    {
        _governor.Priority = priority;
        if (Status == JobStatus.Running)
            RunLater();
    }

    public void Dispose()
    {
        Check.That(Status is JobStatus.Created or JobStatus.Concluded or JobStatus.Null);
        _loop.Leave(this);
        if (_isLost)
            return; // the reactor failed in the middle: what the kernel may still touch is left where it is
        CancelTimer();
        CancelGrace();
        View?.Dispose();
        _scan.Dispose();
        _filter.Dispose();
    }

    /// <summary>A bug has stopped the reactor: the job has failed, and whoever waits for it must learn that.</summary>
    void ILoopMember.OnLoopFailed()
    {
        if (Status is JobStatus.Concluded or JobStatus.Null)
            return;
        _isLost = true;
        ConcludeLost(new Fault(FaultKind.Bug));
    }

    internal override Fault BeginQuiesced()
    {
        if (Disk.FilterRoom == 0)
            return new Fault(FaultKind.QueueFull); // others, made before or after this one, began first
        if (_options.Bitmap is { } bitmap)
        {
            // The job was made at some earlier time: the bitmap may have gone to another one since, or away.
            if (bitmap.IsBusy || !ReferenceEquals(Disk.FindBitmap(bitmap.Name), bitmap))
                return new Fault(FaultKind.State);
            bitmap.Freeze();
            if (!Planted.Is(PlantedBug.R59FrozenBitmapRecords))
                Disk.RefreshRecording();
        }
        _hasBegun = true;
        if (_options.Sync is BackupSync.Incremental or BackupSync.Bitmap)
            _map.MarkDirty(_options.Bitmap!.Bits);
        else
            _map.MarkAll();
        _totalBytes = _options.Sync == BackupSync.None ? 0 : _map.Todo.CountBytes();
        View?.Open();
        _filter.Attach();
        Disk.Pulse.Join(this);
        _governor.Start(_loop.Clock.NowNs);
        return Fault.None;
    }

    protected override void LeaveEarly() => Disk.Quiesce(_loop, [Disk], Detach);

    void Detach()
    {
        _filter.Detach();
        Disk.Pulse.Leave(this);
    }

    internal override void CommitQuiesced()
    {
        if (_filter.IsAttached)
            Detach();
        if (_options.Bitmap is not { } bitmap)
            return;
        if (Mode == BitmapMode.Never)
            bitmap.Reclaim();
        else
            bitmap.Abdicate();
        Disk.RefreshRecording();
    }

    internal override void BeginAbort()
    {
        if (!_hasBegun)
        {
            OnAborted();
            return;
        }
        CancelTimer();
        _filter.Break(Fault); // guests pass from here on
        if (!Planted.Is(PlantedBug.R18CancelLeavesParked))
            AbandonParked();
        _engine.DropCaptured();
        Run();
    }

    internal override void AbortQuiesced()
    {
        if (!_hasBegun)
            return;
        if (_filter.IsAttached)
            Detach();
        if (_options.Bitmap is not { } bitmap)
            return;
        if (Planted.Is(PlantedBug.R19BitmapLostOnFailure))
        {
            bitmap.Abdicate();
            Disk.RefreshRecording();
            return;
        }
        if (Mode == BitmapMode.Always && _hasUnsureFlush)
            RestoreTodo(bitmap);
        if (Mode == BitmapMode.Always)
            bitmap.KeepRest(_map.Todo);
        else
            bitmap.Reclaim();
        Disk.RefreshRecording();
    }

    /// <summary>As at T0: nothing that this job copied can be relied on.</summary>
    void RestoreTodo(DirtyBitmap bitmap)
    {
        if (_options.Sync is BackupSync.Incremental or BackupSync.Bitmap)
            _map.MarkDirty(bitmap.Bits);
        else
            _map.MarkAll();
    }

    protected override void Emit(TracePoint point, int cause) => _filter.Trace.Emit(point, default, cause);

    BitmapMode Mode => _options.BitmapMode ?? BitmapMode.OnSuccess;

    protected override void Publish()
    {
        ref readonly CopyCounters counters = ref _engine.Counters;
        Volatile.Write(ref _pictureSequence, _pictureSequence + 1);
        Interlocked.MemoryBarrier(); // odd before the fields change ...
        _picture = new JobProgress(
            Status,
            _options.Sync == BackupSync.None ? _doneBytes + _engine.InFlightBytes : _totalBytes,
            _doneBytes,
            counters.WrittenBytes,
            counters.SkippedZeroBytes,
            counters.WrittenZeroBytes,
            counters.CopyBeforeWriteBytes,
            _engine.InFlightBytes,
            Fault,
            IsSourceFault,
            _stoppedBy
        );
        _gauges = Gauges();
        Volatile.Write(ref _pictureSequence, _pictureSequence + 1); // ... and even only after all of them
    }

    JobGauges Gauges()
    {
        ref readonly CopyCounters counters = ref _engine.Counters;
        return new JobGauges(
            _governor.WindowBytes,
            _governor.ChunkBytes,
            _governor.Priority,
            _engine.DeviceBytes,
            _engine.BackgroundCount,
            _engine.GuestReadCount,
            _engine.CapturedCount,
            View?.InFlightCount ?? 0,
            Disk.WaitingCount,
            _engine.CaptureBytes,
            _engine.CapturePeakBytes,
            _engine.CaptureLimitBytes,
            _engine.ScratchBytes,
            _engine.ScratchLimitBytes,
            _engine.ScratchFault,
            counters.SpilledBytes,
            counters.OfferedBytes
        );
    }
}
