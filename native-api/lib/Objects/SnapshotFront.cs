// The point in time of a job as a device that is read only, for as long as there is one: a client that still has it
// after the job's end gets errors.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Serving;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the loop's.</summary>
/// <param name="job">Readable when this is made; others may read its snapshot beside this.</param>
sealed class SnapshotFront(JobObject job)
    : RequestFront(job.Engine!.Reactor, job.Core.View!.Limits.InFlightMax),
        IBlockOwner
{
    public override string Name { get; } = job.Core.View!.Name;

    public override BlockLimits Limits { get; } = job.Core.View!.Limits;

    public JobObject Job => job;

    protected override Fault HandOn(in BlockRequest request, ulong key)
    {
        BlockRequest own = request;
        (own.Owner, own.UserData) = (this, key);
        return job.TryBegin(own);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        job.OnSlotDone();
        Finish(userData, result);
    }
}
