// Carries out the steps of one batch at a time on the tracker's device: what lies between two flushes at once, a flush
// when all before it has ended. The first fault ends it, when what was begun has ended; nothing is tried again.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Watch;

/// <summary>Threads: the loop's. Allocates nothing after its construction.</summary>
/// <param name="device">Holds the tracker file.</param>
/// <param name="onEnd">Told of the end, with the first fault; may begin the next batch.</param>
sealed class BatchRun(IBlockDevice device, Action<Fault> onEnd) : IBlockOwner
{
    TrackerBatch? _batch;
    uint _pendingCount;
    bool _isFlushNext;
    Fault _fault;

    public bool IsBusy => _batch != null;

    /// <param name="batch">Begun; ended by whoever is told of the end.</param>
    public void Begin(TrackerBatch batch)
    {
        Check.That(_batch == null);
        (_batch, _fault) = (batch, Fault.None);
        Go();
    }

    void Go()
    {
        while (_batch!.TryNext(out TrackerStep step))
        {
            if (step.IsFlush)
            {
                _isFlushNext = true;
                break;
            }
            Submit(step);
        }
        if (_pendingCount == 0)
            Advance();
    }

    void Submit(in TrackerStep step)
    {
        BlockRequest request = default;
        request.Operation = step.IsFlush ? BlockOperation.Flush : BlockOperation.Write;
        request.Lane = IoLane.CopyBeforeWrite; // guests wait for it
        if (!step.IsFlush)
        {
            (request.OffsetBytes, request.LengthBytes) = (step.OffsetBytes, (ulong)step.LengthBytes);
            request.Buffer = _batch!.Buffer.Start + step.BufferOffsetBytes;
        }
        request.Owner = this;
        _pendingCount++;
        device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (_fault.IsNone)
            _fault = result.Fault;
        if (--_pendingCount == 0)
            Advance();
    }

    void Advance()
    {
        if (_fault.IsNone && _isFlushNext)
        {
            _isFlushNext = false;
            Submit(new TrackerStep(true, 0, 0, 0));
            return;
        }
        if (_fault.IsNone && _batch!.HasSteps)
        {
            Go();
            return;
        }
        (_batch, _isFlushNext) = (null, false);
        onEnd(_fault);
    }
}
