// The loop of the backup job: one walk over the source's allocation map that keeps the window full.
//
// Data extents are copied; clusters that lie wholly in a hole are made zero on the target, or dropped (top).
// Clusters that a failure or a guest's failed copy set back lie behind the cursor: when the walk is through
// and something is still marked, it walks again, until nothing is marked and nothing in flight. Then the target
// is flushed, and only then is the work done.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Copy;

namespace FastBackup.Jobs;

public sealed partial class BackupJob
{
    const ulong ZeroRunBytesMax = 256 * Units.MiB;
    const uint StepsPerRunMax = 1024;
    const ulong RunArgument = 0;
    const ulong TimerArgument = 1;
    const ulong GraceArgument = 2;
    const ulong AbortGraceNs = 50 * Units.NsPerMs;
    const ulong FlushGraceNs = 2 * Units.NsPerSecond; // the target has just answered, and a flush may be slow

    ulong _cursorCluster;
    uint _walkCount;
    bool _isFlushing;

    // A flush failed: what of the copied is durable is not known, and never will be.
    bool _hasUnsureFlush;
    ulong _flushingBytes;
    ulong _flushedBytes;
    bool _isRunning;
    bool _isRunWanted;
    bool _isDeferred;
    ulong _timerKey;
    ulong _timerDeadlineNs;
    ulong _graceTimerKey;

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
        uint stepCount = 0;
        do
        {
            _isRunWanted = false;
            while (stepCount < StepsPerRunMax && TryStep())
                stepCount++;
            TryEnd();
        } while (_isRunWanted && stepCount < StepsPerRunMax);
        _isRunning = false;
        if (stepCount >= StepsPerRunMax)
            RunLater(); // let the reactor serve others before a long run of holes goes on
        Publish();
    }

    void RunLater()
    {
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, RunArgument);
    }

    void ILoopTask.Run(ulong argument)
    {
        if (argument == GraceArgument)
        {
            EndWithoutKernel();
            return;
        }
        if (argument == TimerArgument)
        {
            _timerKey = 0;
            // It may have been for the rate limit or the governor, and the back-off is not over.
            if (_parkedCount > 0 && _loop.Clock.NowNs < _backOffUntilNs)
                StartTimer(_backOffUntilNs);
            else
                RetryParked();
        }
        else
        {
            _isDeferred = false;
        }
        Run();
    }

    protected override void OnSpeed(ulong bytesPerSecond)
    {
        _rate.Set(bytesPerSecond, _loop.Clock.NowNs);
        _governor.Forget(_loop.Clock.NowNs);
        if (Status is not (JobStatus.Running or JobStatus.Paused))
            return;
        CancelTimer(); // it may have been for the old limit
        if (_parkedCount > 0 && !Planted.Is(PlantedBug.SetSpeedForgetsParked))
            StartTimer(_backOffUntilNs);
        Run();
    }

    bool IsBackgroundOn => Status == JobStatus.Running && _options.Sync != BackupSync.None && Transaction!.MayRun(this);

    /// <summary>Starts one chunk or passes one map entry; false when the job must wait or is through.</summary>
    bool TryStep()
    {
        if (!IsBackgroundOn || !MayStart() || !_scan.TryPeek(out MapEntry entry))
            return false;
        ulong granularity = _map.ClusterBytes;
        ulong endBytes = entry.OffsetBytes + entry.LengthBytes;
        // On a further walk nothing is a hole: a cluster that lies in two adjacent holes and wholly in neither
        // would be passed by for ever.
        bool isHole = entry.Kind == ExtentKind.Hole && _walkCount == 0;
        bool isDeviceEnd = endBytes == Disk.CapacityBytes;
        // A cluster that is partly data is data: data extents are widened to clusters, holes narrowed.
        ulong first = isHole ? Units.DivCeil(entry.OffsetBytes, granularity) : entry.OffsetBytes / granularity;
        ulong end = isHole && !isDeviceEnd ? endBytes / granularity : Units.DivCeil(endBytes, granularity);
        if (isHole && Planted.Is(PlantedBug.R29HolesRoundedOutwards))
            (first, end) = (entry.OffsetBytes / granularity, Units.DivCeil(endBytes, granularity));
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
            bool isStarted = _filter.TryStartBackground(first, end, _governor.ChunkBytes, out claimed);
            if (isStarted)
                _rate.Take(claimed.LengthBytes, _loop.Clock.NowNs);
            return isStarted;
        }
        return _options.Sync == BackupSync.Top
            ? TryDrop(first, end, out claimed)
            : _filter.TryStartZeroes(first, end, ZeroRunBytesMax, out claimed);
    }

    /// <summary>Top: what is not allocated is not this job's; its bits are cleared and it leaves the total.</summary>
    bool TryDrop(ulong first, ulong end, out Extent dropped)
    {
        dropped = default;
        ulong clusterMax = Math.Max(1, ZeroRunBytesMax / _map.ClusterBytes);
        if (!_map.Todo.TryClaimRun(first, end, clusterMax, out ulong claimedFirst, out ulong count))
            return false;
        dropped = _map.Bytes(claimedFirst, count);
        _filter.Trace.Emit(TracePoint.Skip, dropped);
        _totalBytes -= dropped.LengthBytes;
        _filter.Release(claimedFirst, count);
        return true;
    }

    /// <summary>Room in the window, a buffer, and leave of the rate limit and of the back-off.</summary>
    bool MayStart()
    {
        if (!_engine.CanStart(CopyLane.Background))
            return false;
        ulong nowNs = _loop.Clock.NowNs;
        bool isFree = _rate.IsFree(nowNs, out ulong retryAtNs);
        retryAtNs = Math.Max(isFree ? 0 : retryAtNs, _backOffUntilNs);
        if (retryAtNs > nowNs)
        {
            StartTimer(retryAtNs);
            return false;
        }
        bool mayStart = _governor.MayStart(_engine.DeviceBytes, nowNs, out retryAtNs);
        if (!mayStart && retryAtNs != 0)
            StartTimer(retryAtNs);
        return mayStart;
    }

    bool ICopyPacer.MayWrite(ulong deviceBytes, ulong lengthBytes)
    {
        ulong nowNs = _loop.Clock.NowNs;
        bool mayWrite = _governor.MayDrain(deviceBytes, lengthBytes, nowNs, out ulong retryAtNs);
        if (!mayWrite && retryAtNs != 0)
            StartTimer(retryAtNs);
        return mayWrite;
    }

    void ICopyPacer.OnWritten() => _governor.OnDrained(_loop.Clock.NowNs);

    bool IGuestListener.IsLoading => _engine.DeviceBytes > 0 && !_governor.IsDrained;

    void IGuestListener.OnGuestDone(in GuestSample sample) => _governor.OnGuestDone(sample);

    void IGuestListener.OnGuestsGone()
    {
        if (_governor.IsGated)
            RunLater();
    }

    void StartTimer(ulong deadlineNs)
    {
        if (_timerKey != 0 && _timerDeadlineNs <= deadlineNs)
            return; // at worst it fires early, and is set anew then
        CancelTimer();
        _timerDeadlineNs = deadlineNs;
        _timerKey = _loop.StartTimer(deadlineNs, this, TimerArgument);
    }

    void CancelTimer()
    {
        if (_timerKey != 0)
            _loop.CancelTimer(_timerKey);
        _timerKey = 0;
    }

    void TryEnd()
    {
        if (_engine.InFlightCount > 0 || _scan.IsQuerying || _isFlushing)
        {
            if (Status == JobStatus.Aborting)
                StartGrace(AbortGraceNs);
            return;
        }
        if (Status == JobStatus.Aborting)
        {
            TryEndAbort();
            return;
        }
        if (!IsBackgroundOn || !_scan.IsAtEnd)
            return;
        if (_map.Todo.CountBits() > 0 && !Planted.Is(PlantedBug.R14SetBackNotRevisited))
        {
            // Bits were set back behind the cursor: another walk of the same loop.
            Emit(TracePoint.SecondPass, 0);
            _scan.Restart();
            _walkCount++;
            _cursorCluster = 0;
            _isRunWanted = true;
            return;
        }
        Flush();
    }

    void TryEndAbort()
    {
        if (_isAborted)
            return;
        // Mode always will forget what was copied: only what is durable may be forgotten.
        bool mustFlush = _options.Bitmap != null && Mode == BitmapMode.Always && _hasBegun && !_hasUnsureFlush;
        mustFlush &= !Planted.Is(PlantedBug.RestForgottenUnflushed);
        if (mustFlush && _doneBytes > _flushedBytes)
        {
            Flush();
            CancelGrace();
            StartGrace(FlushGraceNs);
            return;
        }
        _isAborted = true;
        CancelGrace();
        OnAborted();
    }

    /// <summary>A device that does not answer must not hold up the end of the job for ever.</summary>
    void StartGrace(ulong graceNs)
    {
        if (_graceTimerKey == 0 && !_isAborted)
            _graceTimerKey = _loop.StartTimer(_loop.Clock.NowNs + graceNs, this, GraceArgument);
    }

    void CancelGrace()
    {
        if (_graceTimerKey != 0)
            _loop.CancelTimer(_graceTimerKey);
        _graceTimerKey = 0;
    }

    /// <summary>
    /// The job ends without what the kernel still holds: memory goes back when that ends. What the target has of it is
    /// not known.
    /// </summary>
    void EndWithoutKernel()
    {
        _graceTimerKey = 0;
        if (Status != JobStatus.Aborting || _isAborted)
            return;
        Emit(TracePoint.Orphaned, (int)_engine.InFlightCount);
        _hasUnsureFlush = true;
        _engine.Orphan();
        _isAborted = true;
        OnAborted();
    }

    void Flush()
    {
        Emit(TracePoint.JobFlush, 0);
        _isFlushing = true;
        _flushingBytes = _doneBytes;
        BlockRequest request = default;
        request.Operation = BlockOperation.Flush;
        request.Lane = IoLane.Background;
        request.Owner = this;
        _filter.Target.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (userData == DiscardKey || _engine.IsOrphaned)
            return; // a hint, whatever became of it; or too late to matter
        _isFlushing = false;
        _hasUnsureFlush |= result.Fault.IsFault;
        if (result.Fault.IsNone)
            _flushedBytes = _flushingBytes;
        if (result.Fault.IsFault)
            OnDeviceFault(result.Fault, isSource: false, isFlush: true);
        else if (
            Status == JobStatus.Running
            && (_map.Todo.CountBits() == 0 || Planted.Is(PlantedBug.R14SetBackNotRevisited))
        )
            Succeed();
        Run();
    }
}
