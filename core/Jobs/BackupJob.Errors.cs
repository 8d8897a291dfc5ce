// What the backup job does about outcomes: counts the good ones, and applies the error policies to the others.
//
//   a failed read, or a failed write before release   its bits were set back: report, or a later walk tries again
//   a failed write after release (parked)             the buffer has the only copy: report, or write it again
//   a failed flush                                    the job fails, whatever the policy: the kernel may have
//                                                     dropped what it could not write and calls the rest clean,
//                                                     so a later flush that succeeds proves nothing
// Back-off doubles from 10 ms to 2 s while failures follow each other, and ends with the first success.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Filter;

namespace FastBackup.Jobs;

public sealed partial class BackupJob
{
    const ulong BackOffNsMin = 10 * Units.NsPerMs;
    const ulong BackOffNsMax = 2 * Units.NsPerSecond;
    const ulong DiscardKey = 1;

    readonly ulong[] _parked; // task keys that wait for a retry
    int _parkedCount;
    ulong _backOffNs = BackOffNsMin;
    ulong _backOffUntilNs;
    Fault _stoppedBy;
    bool _isAborted;

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
                if (Planted.Is(PlantedBug.R16FailureIsProgress))
                    _doneBytes += outcome.Extent.LengthBytes;
                if (outcome.Lane == CopyLane.Background)
                    OnDeviceFault(outcome.Fault, outcome.IsSourceFault, isFlush: false);
                break;
        }
        Run();
    }

    void IFilterOwner.OnCaptured() => Publish();

    void IFilterOwner.OnRoom() => RunLater();

    void IFilterOwner.OnBroken(Fault fault, bool isSource) => Fail(fault, isSource);

    void OnDone(in CopyOutcome outcome)
    {
        _doneBytes += outcome.Extent.LengthBytes;
        _backOffNs = BackOffNsMin;
        if (outcome.Lane == CopyLane.Background && outcome.WasRead)
            _governor.OnChunkDone(outcome.Extent.LengthBytes, _loop.Clock.NowNs);
        if (_options.DiscardSource)
            DiscardSource(outcome.Extent);
    }

    void DiscardSource(in Extent extent)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Discard;
        request.Lane = IoLane.Background;
        request.OffsetBytes = extent.OffsetBytes;
        request.LengthBytes = extent.LengthBytes;
        request.Owner = this;
        request.UserData = DiscardKey;
        Disk.Device.Submit(request);
    }

    void OnParked(in CopyOutcome outcome)
    {
        if (Status == JobStatus.Aborting)
        {
            _engine.Abandon(outcome.TaskKey);
            return;
        }
        Check.That(_parkedCount < _parked.Length);
        _parked[_parkedCount++] = outcome.TaskKey;
        OnDeviceFault(outcome.Fault, isSource: false, isFlush: false);
    }

    void OnDeviceFault(Fault fault, bool isSource, bool isFlush)
    {
        if (Status is not (JobStatus.Running or JobStatus.Paused))
            return;
        ErrorPolicy action =
            isFlush && !Planted.Is(PlantedBug.R69FailedFlushRetried)
                ? ErrorPolicy.Report
                : Decide(isSource ? _options.OnSourceError : _options.OnTargetError, fault);
        Emit(TracePoint.PolicyDecision, (int)action);
        Raise(new JobEvent(JobEventKind.DeviceError, Status, fault, isSource, action));
        switch (action)
        {
            case ErrorPolicy.Ignore:
                _backOffUntilNs = _loop.Clock.NowNs + _backOffNs;
                _backOffNs = Math.Min(_backOffNs * 2, BackOffNsMax);
                StartTimer(_backOffUntilNs);
                break;
            case ErrorPolicy.Stop:
                _stoppedBy = fault;
                _engine.IsTargetHeld |= !isSource; // what guests' writes capture waits in memory or scratch
                PauseByError();
                break;
            default:
                Fail(fault, isSource);
                break;
        }
    }

    static ErrorPolicy Decide(ErrorPolicy policy, Fault fault) =>
        policy switch
        {
            ErrorPolicy.EnoSpc or ErrorPolicy.Auto => fault.Kind == FaultKind.NoSpace
                ? ErrorPolicy.Stop
                : ErrorPolicy.Report,
            _ => policy,
        };

    protected override void OnResumedByUser()
    {
        _stoppedBy = Fault.None;
        _engine.IsTargetHeld = false;
        _governor.Forget(_loop.Clock.NowNs);
        RetryParked();
    }

    /// <summary>Writes again what waits for it; a failure parks it again.</summary>
    void RetryParked()
    {
        if (Status is not (JobStatus.Running or JobStatus.Paused) || IsUserPaused)
            return;
        for (int count = _parkedCount; count > 0; count--)
        {
            ulong key = _parked[0];
            _parkedCount--;
            Array.Copy(_parked, 1, _parked, 0, _parkedCount);
            _engine.Retry(key);
        }
    }

    void AbandonParked()
    {
        while (_parkedCount > 0)
            _engine.Abandon(_parked[--_parkedCount]);
    }
}
