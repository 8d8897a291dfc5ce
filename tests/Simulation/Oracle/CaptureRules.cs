// What must hold of captured data after every turn of the world:
//
//   O15  no guest write waits for a target while capture has room: each cluster that it still waits for is being read
//        for it right now, or held by a reader of the snapshot (a turn or two may pass between room and the look at
//        it); and none waits that nothing protects any more, unless it must land after one that was answered already
//   O16  guests' copies never hold more memory than their limit, the background never takes what is kept for them
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Tests.Simulation.Control;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Oracle;

sealed class CaptureRules(Simulation world)
{
    const uint TurnsOfGrace = 3;

    ulong _claimCount;

    public void Check()
    {
        // What was free has just gone to somebody else: whoever waits still has to wait for the next.
        bool wasTaken = world.Judge.ClaimCount != _claimCount;
        _claimCount = world.Judge.ClaimCount;
        foreach (GuestOperation operation in world.Guests.Busy)
        {
            if (wasTaken)
                operation.StalledTurns = 0;
            operation.StalledTurns = IsStalled(operation, out string why) ? operation.StalledTurns + 1 : 0;
            if (operation.StalledTurns > TurnsOfGrace)
                throw new SimulationFailure("O15", $"guest write {operation.Sequence} waits although {why}");
        }
        CheckMemory();
    }

    static bool IsStalled(GuestOperation operation, out string why)
    {
        why = "";
        if (!operation.IsChange || operation.Target.Disk.IsGateClosed)
            return false;
        bool isFree = operation.IsAsking && !operation.Target.Disk.HasAbsorbed(operation.Extent);
        foreach (PointInTime point in operation.Target.Points)
        {
            if (point.IsBroken || point.Filter.IsBroken)
                continue;
            point.Clusters(operation.Extent, out int first, out int end);
            for (int c = first; c < end; c++)
            {
                isFree = isFree && IsFree(point, c, operation.Extent);
                if (point.Policy == CbwErrorPolicy.BreakGuestWrite)
                    continue;
                if (!IsStalledAt(point, (ulong)c, operation.Extent, out why))
                    continue;
                why = $"cluster {c} {why}";
                return true;
            }
        }
        why = "nothing protects it any more";
        return isFree;
    }

    /// <summary>Of this cluster guests may overwrite all that the range touches.</summary>
    static bool IsFree(PointInTime point, int cluster, in Extent extent)
    {
        Extent bytes = point.Bytes(cluster);
        if (!point.Filter.Map.IsProtectedNow(bytes))
            return true;
        ulong startBytes = System.Math.Max(bytes.OffsetBytes, extent.OffsetBytes);
        ulong lengthBytes = System.Math.Min(bytes.EndBytes, extent.EndBytes) - startBytes;
        return point.Filter.Engine.Blocks?.AllowsNow(new Extent(startBytes, lengthBytes)) == true;
    }

    static bool IsStalledAt(PointInTime point, ulong cluster, in Extent extent, out string why)
    {
        CopyMap map = point.Filter.Map;
        CopyEngine engine = point.Filter.Engine;
        why = "";
        if (!map.Protected.GetBit(cluster) || engine.Blocks?.IsOnItsWay(cluster, extent) == true)
            return false;
        if (map.Todo.GetBit(cluster))
        {
            why = "is not claimed and there is memory";
            return engine.HasRoom(CopyLane.CopyBeforeWrite);
        }
        why = "is in memory already";
        return map.Busy.GetBit(cluster) && !engine.IsBeingRead(cluster);
    }

    void CheckMemory()
    {
        BufferPool pool = world.Pool;
        ulong poolBytes = pool.SizeBytes;
        ulong captureBytes = 0;
        ulong reserveBytes = ulong.MaxValue;
        foreach (JobRun run in world.Runs)
        {
            CopyEngine engine = run.Job.Filter.Engine;
            ulong limitBytes = engine.Rules.CaptureBytesMax;
            if (engine.CaptureBytes > limitBytes)
                throw new SimulationFailure("O16", $"{run.Id} holds {engine.CaptureBytes} bytes of {limitBytes}");
            captureBytes += engine.CaptureBytes;
            reserveBytes = System.Math.Min(reserveBytes, engine.Rules.ReserveBytes);
        }
        ulong backgroundBytes = poolBytes - pool.FreeBytes - captureBytes;
        bool isKnown = world.Runs.Count > 0 && world.OrphanedBytes == 0;
        if (isKnown && backgroundBytes > poolBytes - reserveBytes)
            throw new SimulationFailure(
                "O16",
                $"the background holds {backgroundBytes} bytes of {poolBytes}, {reserveBytes} are for guests"
            );
    }
}
