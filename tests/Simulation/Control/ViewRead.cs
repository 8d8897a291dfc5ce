// Reads of a job's snapshot while the guests write: each that succeeds must show T0, each that fails must have a
// reason.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

/// <summary>Reused; owns one buffer.</summary>
sealed class ViewRead(Simulation world, nint buffer) : IBlockOwner
{
    public const int BufferBytes = 64 * 1024;

    JobRun _run = null!;
    Extent _extent;
    bool _wasDiscarded;
    ulong _faultsBefore;

    public bool IsUnderWay { get; private set; }

    public void Begin(JobRun run, in Extent extent)
    {
        (_run, _extent, IsUnderWay) = (run, extent, true);
        _wasDiscarded = TouchesGivenUp();
        _faultsBefore = Faults();
        run.ReadsInFlight++;
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        (request.OffsetBytes, request.LengthBytes) = (extent.OffsetBytes, extent.LengthBytes);
        request.Buffer = buffer;
        request.Owner = this;
        run.Job.View!.Submit(request);
    }

    public unsafe void OnBlockCompleted(ulong userData, in BlockResult result)
    {
        IsUnderWay = false;
        _run.ReadsInFlight--;
        PointInTime point = _run.Point!;
        Fault fault = result.Fault;
        world.Log?.Invoke($"view of {_run.Id} read {_extent.OffsetBytes}+{_extent.LengthBytes}: {fault}");
        if (fault.IsNone)
        {
            if (_wasDiscarded)
                throw new SimulationFailure("O1", $"a discarded part of the snapshot of {_run.Id} was read");
            // This buffer is ours again.
            point.CheckRead(_extent, new ReadOnlySpan<byte>((void*)buffer, (int)_extent.LengthBytes));
            world.Tallies.Count(Branch.ViewReadVerified);
            return;
        }
        if (_run.IsBrokenOrEnded || _run.Dependents.Count > 0)
            return;
        if (fault.Errno == Errnos.EACCES)
        {
            world.Tallies.Count(Branch.ViewReadOfDiscarded);
            if (!TouchesGivenUp())
                throw new SimulationFailure("O1", $"a part of the snapshot of {_run.Id} is not readable: {fault}");
            return;
        }
        if (Faults() == _faultsBefore)
            throw new SimulationFailure("O1", $"a read of the snapshot of {_run.Id} failed without cause: {fault}");
    }

    ulong Faults() =>
        _run.Source.Image.HardFaultCount + _run.Target.Image.HardFaultCount + (_run.Scratch?.Image.HardFaultCount ?? 0);

    bool TouchesGivenUp()
    {
        PointInTime point = _run.Point!;
        point.Clusters(_extent, out int first, out int end);
        for (int c = first; c < end; c++)
            if (point.IsDiscarded[c] || !point.IsMember[c])
                return true;
        return false;
    }
}
