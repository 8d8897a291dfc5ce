// Whether source and target have kept their sizes while the job ran. A hole at the end of a file that was cut is a hole
// still, and what has grown is never looked at: only the size tells.
//
// Asked when the job begins and again when all is copied, before the flush that seals the target: an image that is not
// right must not look whole. A device may be larger than its disk, which has yet to grow; so what counts as growth is
// more than there was at the beginning. Costs two requests at each end, without any data.
// Another size ends the job, whatever its error policies say: no second try makes such an image right. A question that
// fails at the end is an error of its device like that of a read or a write, and is asked again where the policy says
// so.
// Does not see what comes and goes in between, nor what a device that cannot tell its size does.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
/// <param name="work">Told of a size that is not right, and when an answer has come.</param>
/// <param name="source">Asked first.</param>
/// <param name="target">Asked then.</param>
sealed class KeptSizes(IBackupWork work, IBlockDevice source, IBlockDevice target) : IBlockOwner
{
    const ulong SourceKey = 0;
    const ulong TargetKey = 1;

    bool _hasFirst;
    bool _hasLast; // and they are right; only until the next flush
    ulong _sourceGainBytes; // the size at the beginning, where that was more than the capacity; else 0
    ulong _targetGainBytes;

    /// <summary>A device has not answered yet.</summary>
    public bool IsAsking { get; private set; }

    /// <summary>False until they are known: what is gained meanwhile would count as there from the beginning.</summary>
    public bool HasFirstOrAsks()
    {
        if (!_hasFirst && !IsAsking)
            Ask(SourceKey);
        return _hasFirst;
    }

    /// <summary>All is copied: are the sizes known to be right?</summary>
    /// <returns>False: it is asked; or asked already, and the job goes on from there.</returns>
    public bool HasLastOrAsks()
    {
        if (!_hasLast)
            Ask(SourceKey);
        return _hasLast;
    }

    /// <summary>More is copied, or it is flushed: what was told last does not count any more.</summary>
    public void ForgetLast() => _hasLast = false;

    /// <summary>From one device to the next; a device that cannot tell counts as one that has told.</summary>
    void Ask(ulong key)
    {
        IBlockDevice device = key == SourceKey ? source : target;
        if (!device.Limits.CanTellSize)
        {
            OnRight(key);
            return;
        }
        IsAsking = true;
        BlockRequest request = default;
        request.Operation = BlockOperation.Size;
        request.Lane = IoLane.Background;
        request.Owner = this;
        request.UserData = key;
        device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        IsAsking = false;
        if (work.Status is JobStatus.Running or JobStatus.Paused)
            OnTold(userData, result.Fault);
        work.GoOn();
    }

    void OnTold(ulong key, Fault fault)
    {
        bool isSource = key == SourceKey;
        ref ulong gainBytes = ref _targetGainBytes;
        if (isSource)
            gainBytes = ref _sourceGainBytes;
        if (fault.Kind == FaultKind.Grown && !_hasFirst)
            gainBytes = fault.OffsetBytes;
        bool hasKept = fault.IsNone || (fault.Kind == FaultKind.Grown && fault.OffsetBytes <= gainBytes);
        // An error of another kind at the beginning may be over at the end; until then it is the copying that tells.
        if (hasKept || (!_hasFirst && fault.Kind != FaultKind.Truncated))
            OnRight(key);
        else
            work.OnDeviceFault(fault, isSource, isFinal: fault.Kind is FaultKind.Truncated or FaultKind.Grown);
    }

    void OnRight(ulong key)
    {
        if (key == SourceKey)
        {
            Ask(TargetKey);
            return;
        }
        _hasLast = _hasFirst && work.Status == JobStatus.Running; // a pause may be long
        _hasFirst = true;
    }
}
