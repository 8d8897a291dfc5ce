// What a guest may rely on where its writes are answered early: a flush that ends well has made all durable that was
// answered before it began, and once the device has failed a write that was answered, no flush ends well.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Oracle;

sealed class WriteCache(Shadow shadow, DiskImage image)
{
    const int AnsweredMax = 48;

    readonly List<(Extent Extent, uint Sequence)> _answered = []; // the last ones
    readonly List<(Extent Extent, ulong AtNs)> _absorbed = []; // may have landed since
    bool _hasLost;

    public void OnFlushBegun(GuestOperation flush)
    {
        flush.Owed.Clear();
        flush.Owed.AddRange(_answered);
    }

    public void OnAnswered(GuestOperation operation)
    {
        if (operation.Operation != BlockOperation.Write || operation.IsHook || operation.IsOverlapped)
            return; // nobody knows which of two overlapping ones lands last
        if (_answered.Count == AnsweredMax)
            _answered.RemoveAt(0);
        _answered.Add((operation.Extent, operation.Sequence));
    }

    /// <summary>A write is answered, and lands later.</summary>
    public void OnAbsorbed(Disk disk, in Extent extent, ulong nowNs)
    {
        _absorbed.RemoveAll(one => !disk.HasAbsorbed(one.Extent));
        _absorbed.Add((extent, nowNs));
    }

    /// <summary>Such a write has waited for a point in time for as long as it may.</summary>
    public bool HasTimedOut(Disk disk, PointInTime point, ulong nowNs) =>
        point.WaitLimitNs > 0
        && _absorbed.Exists(one =>
            nowNs - one.AtNs >= point.WaitLimitNs && point.Touches(one.Extent) && disk.HasAbsorbed(one.Extent)
        );

    /// <summary>The device has failed a write whose guest was told that it is done.</summary>
    public void OnLost(in Extent extent)
    {
        _hasLost = true;
        _answered.Clear();
        shadow.Lose(extent);
    }

    public void OnFlushDone(GuestOperation flush, Tallies tallies)
    {
        if (_hasLost)
            throw new SimulationFailure("O20", $"flush {flush.Sequence} ends well, although a write was lost");
        foreach ((Extent extent, uint sequence) in flush.Owed)
            if (shadow.IsNewest(extent, sequence) && !image.IsFlushed(extent))
                throw new SimulationFailure(
                    "O20",
                    $"flush {flush.Sequence} ends well, and write {sequence} from before is not durable"
                );
        tallies.Count(Branch.FlushVerified);
    }
}
