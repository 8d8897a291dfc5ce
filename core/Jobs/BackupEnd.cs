// How a backup comes to its end, once nothing is in flight.
//
//   success   nothing is marked any more - else another walk -, the sizes are right, and the target is flushed
//   abort     what the bitmap is to forget must be durable: then the target is flushed first
//
// A device that does not answer must not hold up an abort for ever: after a while of grace the job ends without what
// the kernel still holds, whose memory goes back when that ends.
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Ports;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
sealed class BackupEnd
{
    const ulong AbortGraceNs = 50 * Units.NsPerMs;
    const ulong FlushGraceNs = 2 * Units.NsPerSecond; // the target has just answered, and a flush may be slow

    readonly IBackupWork _work;
    readonly CopyBeforeWriteFilter _filter;
    readonly CopyEngine _engine;
    readonly BackupWalk _walk;
    readonly KeptSizes _sizes;
    readonly TargetFlush _flush;
    readonly BitmapFate _fate;
    readonly JobTimer _grace;
    bool _isAborted;

    /// <param name="work">Told of the end.</param>
    /// <param name="loop">The reactor.</param>
    /// <param name="filter">What may be in flight.</param>
    /// <param name="walk">What may be left to copy.</param>
    /// <param name="sizes">Looked at before success.</param>
    /// <param name="flush">Of the target.</param>
    /// <param name="fate">Says whether an abort has to flush.</param>
    public BackupEnd(
        IBackupWork work,
        IIoLoop loop,
        CopyBeforeWriteFilter filter,
        BackupWalk walk,
        KeptSizes sizes,
        TargetFlush flush,
        BitmapFate fate
    )
    {
        (_work, _filter, _engine, _walk, _sizes) = (work, filter, filter.Engine, walk, sizes);
        (_flush, _fate) = (flush, fate);
        _grace = new JobTimer(loop, EndWithoutKernel);
    }

    bool IsAllCopied => IsNoneLeft(_filter.Map.Todo) && IsNoneLeft(_filter.Map.Zeroes);

    static bool IsNoneLeft(HierarchicalBitmap bits) => bits.CountBits() == 0;

    /// <summary>Takes the next step to the end, if the time has come; called after each run of the loop.</summary>
    /// <param name="doneBytes">What is copied.</param>
    public void TryEnd(ulong doneBytes)
    {
        if (!_filter.Map.IsWhole)
            return; // milliseconds; whatever the end, what is left is known only then
        if (_work.IsCopying && _walk.MapFault is { IsFault: true } untold)
            _work.OnDeviceFault(untold, isSource: true, isFinal: true);
        bool isAborting = _work.Status == JobStatus.Aborting;
        bool isUnderWay = _engine.InFlightCount > 0 || _walk.IsQuerying || _flush.IsFlushing || _sizes.IsAsking;
        if (isUnderWay || (isAborting && !IsNoneLeft(_filter.Map.Zeroes)))
        {
            if (isAborting)
                StartGrace(AbortGraceNs);
        }
        else if (isAborting)
        {
            TryEndAbort(doneBytes);
        }
        else if (_work.IsCopying && _walk.IsAtEnd)
        {
            TryEndWell(doneBytes);
        }
    }

    /// <summary>Only the sizes and the flush are missing, or another walk.</summary>
    void TryEndWell(ulong doneBytes)
    {
        if (!IsAllCopied)
        {
            // Bits were set back behind the cursor: another walk of the same loop.
            Emit(TracePoint.SecondPass, 0);
            _walk.Restart();
            _sizes.ForgetLast();
            _work.GoOn();
        }
        else if (_work.MustBackOff())
        {
            return; // a device has not told its size
        }
        else if (_sizes.HasLastOrAsks())
        {
            Flush(doneBytes);
        }
        else if (!_sizes.IsAsking)
        {
            _work.GoOn();
        }
    }

    void TryEndAbort(ulong doneBytes)
    {
        if (_isAborted)
            return;
        if (_fate.NeedsFlush && doneBytes > _flush.FlushedBytes)
        {
            Flush(doneBytes);
            _grace.Cancel();
            StartGrace(FlushGraceNs);
            return;
        }
        _isAborted = true;
        _grace.Cancel();
        _work.OnAborted();
    }

    /// <summary>The target's flush has ended well.</summary>
    public void OnFlushed()
    {
        if (_work.Status == JobStatus.Running && IsAllCopied)
            _work.OnSucceeded();
    }

    /// <summary>Nothing comes any more.</summary>
    public void Leave() => _grace.Cancel();

    void Flush(ulong doneBytes)
    {
        Emit(TracePoint.JobFlush, 0);
        _sizes.ForgetLast(); // should there be another one
        _flush.Begin(doneBytes, isSeal: _work.IsCopying && IsAllCopied);
    }

    void StartGrace(ulong graceNs)
    {
        if (!_grace.IsSet && !_isAborted)
            _grace.StartBy(_grace.NowNs + graceNs);
    }

    /// <summary>What the target has of what is still in flight is not known.</summary>
    void EndWithoutKernel()
    {
        if (_work.Status != JobStatus.Aborting || _isAborted)
            return;
        if (!_engine.IsDropped)
        {
            StartGrace(AbortGraceNs);
            return;
        }
        Emit(TracePoint.Orphaned, (int)_engine.InFlightCount);
        _flush.GiveUp();
        _engine.Orphan();
        _isAborted = true;
        _work.OnAborted();
    }

    void Emit(TracePoint point, int cause) => _filter.Trace.Emit(point, default, cause);
}
