// The flush of a backup's target, and what is known of it: without a flush that has succeeded, nothing that was copied
// can be relied on. A failed one is final: the kernel may have dropped what it could not write and calls the rest
// clean, so a later flush that succeeds proves nothing.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's. One flush at a time.</summary>
/// <param name="work">Told when a flush has ended.</param>
/// <param name="target">What is flushed.</param>
sealed class TargetFlush(IBackupWork work, IBlockDevice target) : IBlockOwner
{
    ulong _flushingBytes;
    bool _isGivenUp;

    public bool IsFlushing { get; private set; }

    /// <summary>A flush failed.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>
    /// It failed, or the target did not answer: what of the copied is durable is not known, and never will be.
    /// </summary>
    public bool IsUnsure { get; private set; }

    /// <summary>What was copied before the last flush that succeeded began.</summary>
    public ulong FlushedBytes { get; private set; }

    /// <param name="doneBytes">What is copied now.</param>
    /// <param name="isSeal">All is copied: the target may count as whole from then on.</param>
    public void Begin(ulong doneBytes, bool isSeal)
    {
        IsFlushing = true;
        _flushingBytes = doneBytes;
        BlockRequest request = default;
        request.Operation = BlockOperation.Flush;
        request.Lane = IoLane.Background;
        if (isSeal)
            request.Flags = BlockFlags.Seal;
        request.Owner = this;
        target.Submit(request);
    }

    /// <summary>One that somebody made beside the job has failed. There are file systems that tell this only to who has
    /// asked, and the job's own flush would succeed.</summary>
    public void Fail(Fault fault)
    {
        if (_isGivenUp)
            return;
        (HasFailed, IsUnsure) = (true, true);
        work.OnFlushed(fault);
    }

    /// <summary>The job ends without what the kernel still holds: whatever comes now is too late to matter.</summary>
    public void GiveUp() => (_isGivenUp, IsUnsure) = (true, true);

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (_isGivenUp)
            return;
        IsFlushing = false;
        HasFailed |= result.Fault.IsFault;
        IsUnsure |= result.Fault.IsFault;
        if (result.Fault.IsNone)
            FlushedBytes = _flushingBytes;
        work.OnFlushed(result.Fault);
    }
}
