// Reads of a job's snapshot while the guests write: each that succeeds must show T0, each that fails must have a
// reason. Some ask for its map instead: what that calls a hole must have been zero at T0.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

/// <summary>Reused; owns one buffer.</summary>
sealed class ViewRead(Simulation world, nint buffer) : IBlockOwner
{
    public const int BufferBytes = 64 * 1024;

    const uint MapEntriesMax = 64;

    JobRun _run = null!;
    Extent _extent;
    bool _isMap;
    bool _wasDiscarded;
    ulong _faultsBefore;

    public bool IsUnderWay { get; private set; }

    /// <param name="run">A job with a view.</param>
    /// <param name="extent">Of its disk.</param>
    /// <param name="isMap">Ask for its map, not for its bytes.</param>
    public void Begin(JobRun run, in Extent extent, bool isMap = false)
    {
        _isMap = isMap;
        (_run, _extent, IsUnderWay) = (run, extent, true);
        _wasDiscarded = TouchesGivenUp();
        _faultsBefore = Faults();
        run.ReadsInFlight++;
        BlockRequest request = default;
        request.Operation = isMap ? BlockOperation.Map : BlockOperation.Read;
        request.MapCapacity = 1 + (uint)extent.OffsetBytes % MapEntriesMax;
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
        if (fault.IsNone && _isMap)
        {
            // This buffer is ours again.
            CheckMap(new ReadOnlySpan<MapEntry>((void*)buffer, (int)result.Count));
            world.Tallies.Count(Branch.ViewMapVerified);
            return;
        }
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

    void CheckMap(ReadOnlySpan<MapEntry> entries)
    {
        ulong offset = _extent.OffsetBytes;
        foreach (MapEntry entry in entries)
        {
            if (entry.OffsetBytes != offset || entry.LengthBytes == 0)
                throw new SimulationFailure("O1", $"the map of the snapshot of {_run.Id} has a gap at {offset}");
            if (entry.ReadsAsZero)
                _run.Point!.CheckHole(new Extent(entry.OffsetBytes, entry.LengthBytes));
            offset += entry.LengthBytes;
        }
        bool isSome = offset > _extent.OffsetBytes || _extent.IsEmpty;
        if (!isSome || offset > _extent.EndBytes)
            throw new SimulationFailure("O1", $"the map of the snapshot of {_run.Id} ends at {offset}");
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
