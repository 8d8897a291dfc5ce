// The backup job: one loop that walks the copy bitmap and keeps the copy engine's window full.
//
// Every mode is the same loop over the same bitmap; they differ in which bits are set at start and in what
// a hole means. The walk follows the source's allocation map: data extents are copied, clusters that lie
// wholly in a hole are made zero on the target (full) or dropped (top). Bits that a failure or somebody
// else set back are found by a further pass of the same loop, until none is left and nothing is in flight;
// then the target is flushed, and only then is the job a success.
//
// A failed read or write fails the job with that first fault; what is in flight is waited for. Cancel and
// pause take effect between chunks.
// Cost per chunk: O(1) and no allocation, also at start and end of a run (asserted by a test).
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Memory;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's, except Query, which any may call. Dispose after it has ended.</summary>
public sealed class BackupJob : ICopyOwner, IBlockOwner, ILoopTask, IDisposable
{
    const ulong ZeroRunBytesMax = 256 * Units.MiB;
    const uint StepsPerPumpMax = 1024;
    const ulong PumpArgument = 0;
    const ulong TimerArgument = 1;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly IBlockDevice _source;
    readonly IBlockDevice _target;
    readonly BackupSync _sync;
    readonly HierarchicalBitmap _todo;
    readonly CopyEngine _engine;
    readonly AllocationScan _scan;
    readonly CopyWindow _window;
    readonly RateLimit _rate = new();

    // --- touched only by the reactor's thread
    ulong _cursorCluster;
    ulong _doneBytes;
    ulong _totalBytes;
    Fault _fault;
    bool _isSourceFault;
    bool _isFlushing;
    bool _isPumping;
    bool _isPumpWanted;
    bool _isDeferred;
    uint _pauseCount;
    ulong _timerKey;

    // --- any thread: a picture, rewritten after each step; odd sequence = being written
    uint _pictureSequence;
    JobProgress _picture;

    BackupJob(IIoLoop loop, IBlockDevice source, IBlockDevice target, BufferPool pool, BackupOptions options)
    {
        (_loop, _source, _target, _sync) = (loop, source, target, options.Sync);
        Id = options.Id ?? source.Name;
        _totalBytes = source.Limits.CapacityBytes;
        _todo = HierarchicalBitmap.Create(_totalBytes, options.ClusterBytes, new BitmapOptions(IsResident: true));
        uint taskMax = Math.Min(pool.BufferCount, 64);
        _engine = new CopyEngine(source, target, _todo, pool, taskMax);
        uint chunkBytesMin = Math.Min(pool.BufferBytes, Math.Max(options.ClusterBytes, (uint)(256 * Units.KiB)));
        _window = new CopyWindow(chunkBytesMin, pool.BufferBytes, (ulong)pool.BufferBytes * taskMax);
        _scan = new AllocationScan(source, Pump);
        _rate.Set(options.SpeedBytesPerSecond, loop.Clock.NowNs);
        Publish();
    }

    public string Id { get; }

    public JobStatus Status { get; private set; } = JobStatus.Created;

    /// <summary>Called once on the reactor's thread when the job has concluded.</summary>
    public Action<BackupJob>? OnConcluded { get; set; }

    /// <summary>The clusters that were not copied: what is left after a failure or a cancel.</summary>
    public HierarchicalBitmap Todo => _todo;

    /// <summary>What the window allows now.</summary>
    public ulong WindowBytes => _window.WindowBytes;

    /// <summary>Makes a job in state Created; nothing is read or written yet.</summary>
    /// <param name="loop">The reactor that source and target belong to.</param>
    /// <param name="source">Disk to copy; must not change size.</param>
    /// <param name="target">At least as large.</param>
    /// <param name="pool">I/O memory; shared with other users of the reactor.</param>
    /// <param name="options">What to do.</param>
    /// <param name="job">The job, or null when refused.</param>
    /// <returns>None, or a fault and a sentence that names the value and the rule.</returns>
    public static OpenRefusal TryCreate(
        IIoLoop loop,
        IBlockDevice source,
        IBlockDevice target,
        BufferPool pool,
        BackupOptions options,
        out BackupJob? job
    )
    {
        job = null;
        OpenRefusal refusal = BackupRules.Check(source, target, pool, options);
        if (refusal.IsNone)
            job = new BackupJob(loop, source, target, pool, options);
        return refusal;
    }

    public void Start()
    {
        Check.That(Status == JobStatus.Created);
        _todo.SetAll();
        MoveTo(JobStatus.Running);
        Pump();
    }

    /// <summary>Asks the job to stop; it concludes with Canceled when what is in flight has ended.</summary>
    /// <returns>None, or State where the verb is not allowed.</returns>
    public Fault Cancel()
    {
        if (!JobLife.Allows(Status, JobVerb.Cancel))
            return new Fault(FaultKind.State);
        if (Status == JobStatus.Paused) // a paused job is resumed first, so that it can end
        {
            _pauseCount = 0;
            MoveTo(JobStatus.Running);
        }
        Fail(new Fault(FaultKind.Canceled), isSource: false);
        return Fault.None;
    }

    /// <summary>Starts no further chunk until resumed as often as paused.</summary>
    public Fault Pause()
    {
        if (!JobLife.Allows(Status, JobVerb.Pause))
            return new Fault(FaultKind.State);
        _pauseCount++;
        if (Status == JobStatus.Running)
            MoveTo(JobStatus.Paused);
        return Fault.None;
    }

    /// <summary>Undoes one Pause.</summary>
    public Fault Resume()
    {
        if (!JobLife.Allows(Status, JobVerb.Resume) || _pauseCount == 0)
            return new Fault(FaultKind.State);
        if (--_pauseCount == 0 && Status == JobStatus.Paused)
        {
            MoveTo(JobStatus.Running);
            _window.Forget(_loop.Clock.NowNs);
            Pump();
        }
        return Fault.None;
    }

    /// <param name="bytesPerSecond">0 = unlimited.</param>
    public Fault SetSpeed(ulong bytesPerSecond)
    {
        if (!JobLife.Allows(Status, JobVerb.SetSpeed))
            return new Fault(FaultKind.State);
        _rate.Set(bytesPerSecond, _loop.Clock.NowNs);
        _window.Forget(_loop.Clock.NowNs);
        CancelTimer();
        Pump();
        return Fault.None;
    }

    /// <summary>A consistent picture. Threads: any. Cost: O(1), repeated while the reactor writes it.</summary>
    public JobProgress Query()
    {
        while (true)
        {
            uint before = Volatile.Read(ref _pictureSequence);
            JobProgress picture = _picture;
            Interlocked.MemoryBarrier(); // the reads above may not slip below the second look
            if ((before & 1) == 0 && Volatile.Read(ref _pictureSequence) == before)
                return picture;
            Thread.Yield();
        }
    }

    public void Dispose()
    {
        Check.That(_engine.InFlightCount == 0);
        CancelTimer();
        _scan.Dispose();
        _todo.Dispose();
    }

    void ICopyOwner.OnCopied(in CopyOutcome outcome)
    {
        if (outcome.Fault.IsNone)
        {
            _doneBytes += outcome.Extent.LengthBytes;
            _window.OnChunkDone(outcome.Extent.LengthBytes, _loop.Clock.NowNs);
        }
        else
        {
            Fail(outcome.Fault, outcome.IsSourceFault);
        }
        Pump();
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        _isFlushing = false;
        if (result.Fault.IsFault)
            Fail(result.Fault, isSource: false);
        else if (Status == JobStatus.Running)
        {
            MoveTo(JobStatus.Waiting);
            MoveTo(JobStatus.Pending);
            Conclude();
            return;
        }
        Pump();
    }

    void ILoopTask.Run(ulong argument)
    {
        if (argument == TimerArgument)
            _timerKey = 0;
        else
            _isDeferred = false;
        Pump();
    }

    /// <summary>Takes the job as far as it can go now. Calls from inside itself are folded into the loop.</summary>
    void Pump()
    {
        if (_isPumping)
        {
            _isPumpWanted = true;
            return;
        }
        _isPumping = true;
        uint stepCount = 0;
        do
        {
            _isPumpWanted = false;
            while (Status == JobStatus.Running && stepCount < StepsPerPumpMax && TryStep())
                stepCount++;
            if (Status is JobStatus.Running or JobStatus.Aborting)
                TryEnd();
        } while (_isPumpWanted && stepCount < StepsPerPumpMax);
        _isPumping = false;
        if (stepCount >= StepsPerPumpMax && !_isDeferred)
        {
            _isDeferred = true; // let the loop serve others before a long run of holes goes on
            _loop.Defer(this, PumpArgument);
        }
        Publish();
    }

    /// <summary>Starts one chunk or passes one map entry; false when the job must wait or is through.</summary>
    bool TryStep()
    {
        if (!MayStart() || !_scan.TryPeek(out MapEntry entry))
            return false;
        ulong granularity = _todo.GranularityBytes;
        ulong endBytes = entry.OffsetBytes + entry.LengthBytes;
        bool isHole = entry.Kind == ExtentKind.Hole;
        bool isDeviceEnd = endBytes == _source.Limits.CapacityBytes;
        // A cluster that is partly data is data: data extents are widened to clusters, holes narrowed.
        ulong first = isHole ? Units.DivCeil(entry.OffsetBytes, granularity) : entry.OffsetBytes / granularity;
        ulong end = isHole && !isDeviceEnd ? endBytes / granularity : Units.DivCeil(endBytes, granularity);
        first = Math.Max(first, _cursorCluster);
        if (first >= end || !TryStart(isHole, first, end, out Extent claimed))
        {
            _cursorCluster = Math.Max(_cursorCluster, end);
            _scan.Advance();
            return true;
        }
        _cursorCluster = Units.DivCeil(claimed.EndBytes, granularity);
        return true;
    }

    bool TryStart(bool isHole, ulong first, ulong end, out Extent claimed)
    {
        if (!isHole)
        {
            bool isStarted = _engine.TryStart(first, end, _window.ChunkBytes, this, out claimed);
            if (isStarted)
                _rate.Take(claimed.LengthBytes, _loop.Clock.NowNs);
            return isStarted;
        }
        if (_sync == BackupSync.Full)
            return _engine.TryStartZeroes(first, end, ZeroRunBytesMax, this, out claimed);
        return TryDrop(first, end, out claimed);
    }

    /// <summary>Top: what is not allocated is not this job's; its bits are cleared and it leaves the total.</summary>
    bool TryDrop(ulong first, ulong end, out Extent dropped)
    {
        dropped = default;
        ulong clusterMax = Math.Max(1, ZeroRunBytesMax / _todo.GranularityBytes);
        if (!_todo.TryClaimRun(first, end, clusterMax, out ulong claimedFirst, out ulong count))
            return false;
        ulong offsetBytes = claimedFirst * _todo.GranularityBytes;
        ulong endBytes = Math.Min((claimedFirst + count) * _todo.GranularityBytes, _todo.SizeBytes);
        dropped = new Extent(offsetBytes, endBytes - offsetBytes);
        _totalBytes -= dropped.LengthBytes;
        return true;
    }

    /// <summary>Room in the window, a buffer, and leave of the rate limit.</summary>
    bool MayStart()
    {
        if (!_engine.CanStart)
            return false;
        ulong inFlightBytes = _engine.InFlightBytes;
        if (inFlightBytes > 0 && inFlightBytes + _window.ChunkBytes > _window.WindowBytes)
            return false;
        if (_rate.IsFree(_loop.Clock.NowNs, out ulong retryAtNs))
            return true;
        if (_timerKey == 0)
            _timerKey = _loop.StartTimer(retryAtNs, this, TimerArgument);
        return false;
    }

    void TryEnd()
    {
        if (_engine.InFlightCount > 0 || _scan.IsQuerying || _isFlushing)
            return;
        if (Status == JobStatus.Aborting)
        {
            Conclude();
            return;
        }
        if (!_scan.IsAtEnd)
            return;
        if (_todo.CountBits() > 0)
        {
            // Bits were set back behind the cursor: another pass of the same loop.
            _scan.Restart();
            _cursorCluster = 0;
            _isPumpWanted = true;
            return;
        }
        _isFlushing = true;
        BlockRequest request = default;
        request.Operation = BlockOperation.Flush;
        request.Owner = this;
        _target.Submit(request);
    }

    /// <summary>The first fault is the root cause and stays; later ones are its consequences.</summary>
    void Fail(Fault fault, bool isSource)
    {
        if (_fault.IsFault || Status is JobStatus.Concluded or JobStatus.Null)
            return;
        (_fault, _isSourceFault) = (fault, isSource);
        if (Status == JobStatus.Paused)
            MoveTo(JobStatus.Running);
        MoveTo(JobStatus.Aborting);
        CancelTimer();
        Pump();
    }

    void Conclude()
    {
        CancelTimer();
        MoveTo(JobStatus.Concluded);
        Publish();
        OnConcluded?.Invoke(this);
    }

    void MoveTo(JobStatus status)
    {
        Check.That(JobLife.IsEdge(Status, status));
        Status = status;
    }

    void CancelTimer()
    {
        if (_timerKey != 0)
            _loop.CancelTimer(_timerKey);
        _timerKey = 0;
    }

    void Publish()
    {
        ref readonly CopyCounters counters = ref _engine.Counters;
        Volatile.Write(ref _pictureSequence, _pictureSequence + 1);
        Interlocked.MemoryBarrier(); // odd before the fields change ...
        _picture = new JobProgress(
            Status,
            _totalBytes,
            _doneBytes,
            counters.WrittenBytes,
            counters.SkippedZeroBytes,
            counters.WrittenZeroBytes,
            _engine.InFlightBytes,
            _fault,
            _isSourceFault
        );
        Volatile.Write(ref _pictureSequence, _pictureSequence + 1); // ... and even only after all of them
    }
}
