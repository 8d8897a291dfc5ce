// The backup job: one point in time of a disk, copied to a target.
// Every mode is the same loop over the same copy map; they differ in which clusters are marked at T0, in what a
// hole means, and in what becomes of the bitmap at the end:
//
//   full         all                                    top      all, and what is not allocated is dropped
//   incremental, bitmap   what the bitmap names         none     all, but only guests' writes copy anything
//
// Life: T0 in a quiesced moment (freeze the bitmap, attach the filter); then what the bitmap names is taken over; then
// the loop, which keeps the window full, until nothing is marked and nothing in flight; then the sizes are looked at
// again and the target is flushed; then, with its transaction, commit (the bitmap's successor takes over) or abort
// (nothing that was dirty is forgotten), again in a quiesced moment, in which the filter leaves the disk.
//
// The parts, each with its own state:  BackupWalk - what is copied next;  BackupPacer - when;  ErrorRetry - what failed
// and may pass;  KeptSizes, TargetFlush - whether the target can be relied on;  BitmapFate - what becomes of the
// bitmap;  BackupEnd - what is to do when nothing is in flight;  JobPicture - what others see.  Back: IBackupWork.
//
//   a failed read, or a failed write before release   its bits were set back: report, or a later walk tries again
//   a failed write after release (parked)             the buffer has the only copy: report, or write it again
//   a failed flush, a size that has changed           the job fails, whatever the policy
//   a snapshot that broke                             the job fails with the root cause
// After a cancel or failure guests pass at once, what is in flight is waited for, parked chunks are given up.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Pacing;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's, except Query, which any may call. Dispose after it has ended.</summary>
public sealed class BackupJob : Job, IFilterOwner, IBackupWork, ILoopTask, ILoopMember, IDisposable
{
    const uint StepsPerRunMax = 256;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly BackupOptions _options;
    readonly BackupMemory _memory;
    readonly CopyBeforeWriteFilter _filter;
    readonly CopyEngine _engine;
    readonly CopyMap _map;

    // --- its parts
    readonly JobTimer _timer; // when something may start that may not now
    readonly BackupPacer _pacer;
    readonly BackupWalk _walk;
    readonly ErrorRetry _retry;
    readonly KeptSizes _sizes;
    readonly TargetFlush _flush;
    readonly BitmapFate _fate;
    readonly BackupEnd _end;
    readonly SourceDiscard? _discard;
    readonly JobPicture _picture;

    // --- touched only by the reactor's thread
    ulong _markedBytes; // at T0
    ulong _doneBytes;
    bool _hasBegun;
    bool _isRunning;
    bool _isRunWanted;
    bool _isDeferred;
    bool _isLost;

    /// <summary>By BackupMaking, with all that it needs.</summary>
    internal BackupJob(
        IIoLoop loop,
        Disk disk,
        BackupMemory memory,
        CopyBeforeWriteFilter filter,
        SnapshotView? view,
        BufferPool pool,
        BackupOptions options
    )
        : base(options.Id ?? disk.Name, disk)
    {
        (_loop, _options, _memory, _filter, View) = (loop, options, memory, filter, view);
        (_engine, _map) = (filter.Engine, filter.Map);
        _timer = new JobTimer(loop, OnTimer);
        _pacer = new BackupPacer(this, _timer, _engine, pool.BufferBytes, disk.Pulse, options);
        _walk = new BackupWalk(disk, filter, _pacer, options.Sync, Run);
        _retry = new ErrorRetry(_engine, _timer);
        _sizes = new KeptSizes(this, disk.Device, filter.Target);
        _flush = new TargetFlush(this, filter.Target);
        _fate = new BitmapFate(disk, _map, _flush, options);
        _end = new BackupEnd(this, loop, filter, _walk, _sizes, _flush, _fate);
        _discard = options.DiscardSource ? new SourceDiscard(disk.Device) : null;
        _picture = new JobPicture(disk, filter, view, _pacer, Publish);
        filter.Owner = this;
        _engine.Pacer = _pacer;
        filter.Trace.Job = Id;
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

    /// <summary>Whether a cluster was not copied yet, also right after T0, when Todo has not all of them.</summary>
    public bool IsTodo(ulong cluster) => _map.IsTodo(cluster);

    /// <summary>Adds what the target may lack after a flush from now on; false: that is not known now.</summary>
    public bool TryAddLeft(HierarchicalBitmap left) =>
        _hasBegun && !_flush.IsUnsure && _engine.TryAddUnderWay(left) && _map.TryAddLeft(left);

    /// <summary>Its target was flushed beside it, which failed: nothing that was copied can be relied on.</summary>
    public void TellFlushFailed(Fault fault) => _flush.Fail(fault);

    /// <summary>How long guest writes waited for this job's copies. Threads: any.</summary>
    public LatencyHistogram GuestWaits => _filter.GuestWaits;

    /// <summary>What the window allows now.</summary>
    public ulong WindowBytes => _pacer.WindowBytes;

    /// <summary>What it copies.</summary>
    public BackupSync Sync => _options.Sync;

    /// <summary>The limit of its background copy; 0 = none.</summary>
    public ulong SpeedBytesPerSecond => _pacer.SpeedBytesPerSecond;

    /// <summary>Who comes first on the source's disk.</summary>
    public GuestPriority GuestPriority => _pacer.Priority;

    /// <summary>As the other, with memory of its own: cost in proportion to the disk.</summary>
    public static OpenRefusal TryCreate(
        IIoLoop loop,
        Disk disk,
        IBlockDevice target,
        BufferPool pool,
        BackupOptions options,
        bool hasView,
        out BackupJob? job
    ) => TryCreate(loop, disk, target, pool, options, hasView, ready: null, out job);

    /// <summary>Makes a job in state Created; nothing is read, written or frozen yet.</summary>
    /// <param name="loop">The reactor that disk and target belong to.</param>
    /// <param name="disk">Disk to copy.</param>
    /// <param name="target">At least as large; nobody else writes to it.</param>
    /// <param name="pool">I/O memory; shared with other users of the reactor.</param>
    /// <param name="options">What to do.</param>
    /// <param name="hasView">Whether <see cref="View"/> is wanted; not with sync top.</param>
    /// <param name="ready">
    /// Memory for the same options that another thread has taken: then this is O(1), whatever the disk's size. Not used
    /// when the disk has grown since, or null.
    /// </param>
    /// <param name="job">The job, or null when refused.</param>
    /// <returns>None, or a fault and a sentence that names the value and the rule.</returns>
    public static OpenRefusal TryCreate(
        IIoLoop loop,
        Disk disk,
        IBlockDevice target,
        BufferPool pool,
        BackupOptions options,
        bool hasView,
        BackupMemory? ready,
        out BackupJob? job
    ) => BackupMaking.TryMake(loop, disk, target, pool, options, hasView, ready, out job);

    /// <summary>A consistent picture. Threads: any. Cost: O(1), repeated while the reactor writes it.</summary>
    public JobProgress Query() => _picture.Read(out _);

    /// <summary>What is in flight and in memory, and how guests fare. Threads: any.</summary>
    /// <remarks>Cost: walks over three histograms.</remarks>
    public JobStatistics QueryStatistics() => _picture.ReadStatistics();

    /// <summary>Changes who comes first, also while the job runs.</summary>
    public void SetGuestPriority(GuestPriority priority)
    {
        _pacer.Priority = priority;
        if (Status == JobStatus.Running)
            RunLater();
    }

    /// <summary>The first half of Dispose: nothing comes here any more, and what is left is memory.</summary>
    public void Leave()
    {
        Check.That(Status is JobStatus.Created or JobStatus.Concluded or JobStatus.Null);
        _loop.Leave(this);
        if (_isLost)
            return; // the reactor failed in the middle: what the kernel may still touch is left where it is
        _timer.Cancel();
        _picture.Leave();
        _end.Leave();
        View?.Dispose();
        _walk.Dispose();
        _filter.Leave();
    }

    /// <summary>The second half: memory in proportion to the disk goes back. Threads: any, after Leave.</summary>
    public void FreeMemory()
    {
        if (_isLost)
            return;
        _filter.Dispose();
        _memory.Free();
    }

    public void Dispose()
    {
        Leave();
        FreeMemory();
    }

    /// <summary>A bug has stopped the reactor: the job has failed, and whoever waits for it must learn that.</summary>
    void ILoopMember.OnLoopFailed()
    {
        if (Status is JobStatus.Concluded or JobStatus.Null)
            return;
        _isLost = true;
        ConcludeLost(new Fault(FaultKind.Bug));
    }

    // --- from T0 to the end

    internal override ulong Warm() => WarmUp.Begin(_options.WarmMs, Disk, _filter);

    internal override Fault BeginQuiesced()
    {
        if (Disk.FilterRoom == 0)
            return new Fault(FaultKind.QueueFull); // others, made before or after this one, began first
        Fault fault = _fate.Freeze();
        if (fault.IsFault)
            return fault;
        _hasBegun = true;
        bool isByBitmap = _options.Sync is BackupSync.Incremental or BackupSync.Bitmap;
        _filter.Target.BeginImage(
            isByBitmap && _options.Bitmap!.Serial != _options.CompletingSerial ? _options.Bitmap.Serial
            : _options.Sync == BackupSync.None ? UnfinishedMark.NeverWhole
            : 0
        );
        if (isByBitmap)
            _map.Name(_options.Bitmap!.Bits); // else all is marked since its memory was taken
        _markedBytes = isByBitmap ? _map.NamedBytesMax(_options.Bitmap!.Bits) : _map.Todo.CountBytes();
        View?.Open();
        _filter.Attach();
        _pacer.Start();
        _walk.Begin();
        return Fault.None;
    }

    /// <summary>A bitmap that is finer than clusters names less than its count of bits may mean.</summary>
    void IFilterOwner.OnWhole()
    {
        _markedBytes = _map.NamedBytes;
        RunLater();
    }

    internal override void CommitQuiesced()
    {
        EndQuiesced();
        _fate.Commit();
    }

    internal override void BeginAbort()
    {
        if (!_hasBegun)
        {
            _filter.DropWarm();
            OnAborted();
            return;
        }
        _timer.Cancel();
        _filter.Break(Fault); // guests pass from here on
        _retry.AbandonAll();
        RunLater(); // where this is inside of Run
        Run();
    }

    internal override void AbortQuiesced()
    {
        if (_hasBegun)
            EndQuiesced();
        _fate.Abort();
    }

    void EndQuiesced()
    {
        Check.That(_map.IsWhole); // else the frozen bits would change under the map's feet
        _filter.Target.EndImage();
        if (!_filter.IsAttached)
            return;
        _filter.Detach();
        _pacer.Stop();
    }

    internal override bool IsSettling => _fate.IsSettling;

    internal override void Settle() => _fate.Settle();

    // --- the loop

    /// <summary>Takes the job as far as it can go now. Calls from inside itself are folded into the loop.</summary>
    internal override void Run()
    {
        if (_isRunning)
        {
            _isRunWanted = true;
            return;
        }
        _isRunning = true;
        _engine.Pump(); // before the background: what is in memory has been read already
        if (Status == JobStatus.Aborting && !_engine.DropPiece())
            RunLater(); // so many that others shall have their turns in between
        uint stepCount = 0;
        do
        {
            _isRunWanted = false;
            while (stepCount < StepsPerRunMax && TryStep())
                stepCount++;
            _end.TryEnd(_doneBytes);
        } while (_isRunWanted && stepCount < StepsPerRunMax);
        _isRunning = false;
        if (stepCount >= StepsPerRunMax)
            RunLater(); // let the reactor serve others before a long run of holes goes on
        _picture.Owe();
    }

    void RunLater()
    {
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        Run();
    }

    void OnTimer()
    {
        // It may have been for the rate limit or the governor, and the back-off is not over.
        if (_retry.IsBackingOff)
            _retry.WaitAgain();
        else
            RetryParked();
        Run();
    }

    void IBackupWork.GoOn()
    {
        if (!_engine.IsOrphaned) // else too late to matter
            Run();
    }

    void IBackupWork.GoOnLater() => RunLater();

    bool IBackupWork.IsCopying => IsCopying;

    bool IBackupWork.MustBackOff()
    {
        if (_timer.NowNs >= _retry.BackOffUntilNs)
            return false;
        _timer.StartBy(_retry.BackOffUntilNs);
        return true;
    }

    bool IsCopying =>
        Status == JobStatus.Running && _options.Sync != BackupSync.None && _map.IsWhole && Transaction!.MayRun(this);

    /// <summary>False when the job must wait or is through.</summary>
    bool TryStep() => IsCopying && _sizes.HasFirstOrAsks() && _pacer.MayStart(_retry.BackOffUntilNs) && _walk.TryStep();

    void IBackupWork.OnFlushed(Fault fault)
    {
        if (fault.IsFault)
            OnDeviceFault(fault, isSource: false, isFinal: true);
        else
            _end.OnFlushed();
        Run();
    }

    void IBackupWork.OnSucceeded() => Succeed();

    void IBackupWork.OnAborted() => OnAborted();

    // --- outcomes, and what the user says

    void IFilterOwner.OnCopied(in CopyOutcome outcome)
    {
        switch (outcome.End)
        {
            case CopyEnd.Done:
                OnDone(outcome);
                break;
            case CopyEnd.Parked:
                OnParked(outcome);
                break;
            default:
                // A guest's copy was dealt with by the filter's policy; its clusters are marked again.
                if (outcome.Lane == CopyLane.Background)
                    OnDeviceFault(outcome.Fault, outcome.IsSourceFault, isFinal: false);
                break;
        }
        Run();
    }

    void IFilterOwner.OnCaptured() => _picture.Owe();

    void IFilterOwner.BeforeAnswer() => _picture.DrawIfOwed();

    void IFilterOwner.OnRoom() => RunLater();

    void IFilterOwner.OnBroken(Fault fault, bool isSource) => Fail(fault, isSource);

    void OnDone(in CopyOutcome outcome)
    {
        _doneBytes += outcome.Extent.LengthBytes;
        _retry.OnSuccess();
        if (outcome.Lane == CopyLane.Background && outcome.WasRead)
            _pacer.OnCopied(outcome.Extent.LengthBytes);
        _discard?.Begin(outcome.Extent);
    }

    void OnParked(in CopyOutcome outcome)
    {
        if (Status == JobStatus.Aborting)
        {
            _engine.Abandon(outcome.TaskKey);
            return;
        }
        _retry.Park(outcome.TaskKey);
        OnDeviceFault(outcome.Fault, isSource: false, isFinal: false);
    }

    void IBackupWork.OnDeviceFault(Fault fault, bool isSource, bool isFinal) => OnDeviceFault(fault, isSource, isFinal);

    void OnDeviceFault(Fault fault, bool isSource, bool isFinal)
    {
        if (Status is not (JobStatus.Running or JobStatus.Paused))
            return;
        ErrorPolicy action = isFinal
            ? ErrorPolicy.Report
            : ErrorRetry.Decide(isSource ? _options.OnSourceError : _options.OnTargetError, fault);
        Emit(TracePoint.PolicyDecision, (int)action);
        Raise(new JobEvent(JobEventKind.DeviceError, Status, fault, isSource, action));
        switch (action)
        {
            case ErrorPolicy.Ignore:
                _retry.BackOff();
                break;
            case ErrorPolicy.Stop:
                _retry.Stop(fault, isSource);
                PauseByError();
                break;
            default:
                Fail(fault, isSource);
                break;
        }
    }

    protected override void OnResumedByUser()
    {
        _retry.Resume();
        _pacer.Forget();
        RetryParked();
    }

    void RetryParked()
    {
        if (Status is (JobStatus.Running or JobStatus.Paused) && !IsUserPaused)
            _retry.RetryAll();
    }

    protected override void OnSpeed(ulong bytesPerSecond)
    {
        _pacer.SetSpeed(bytesPerSecond);
        if (Status is not (JobStatus.Running or JobStatus.Paused))
            return;
        _timer.Cancel(); // it may have been for the old limit
        _retry.WaitAgain();
        Run();
    }

    // --- what others see

    protected override void Emit(TracePoint point, int cause) => _filter.Trace.Emit(point, default, cause);

    protected override void Publish()
    {
        ulong? totalBytes = _options.Sync == BackupSync.None ? null : _markedBytes - _walk.DroppedBytes;
        _picture.Draw(this, totalBytes, _doneBytes, _retry.StoppedBy);
    }
}
