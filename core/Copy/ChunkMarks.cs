// What becomes of the marks of a chunk's clusters: claimed, released, set back, copied. CopyMap says what each means.
// Cost: words of the bitmaps that the run touches.
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
/// <param name="map">Of the copy.</param>
/// <param name="trace">Told of each.</param>
sealed class ChunkMarks(CopyMap map, Tracer trace)
{
    bool _hasUnsure; // some bit of Unsure was set once

    /// <summary>Claims the next marked run.</summary>
    /// <returns>False when nothing is marked there.</returns>
    public bool TryClaim(
        ulong firstCluster,
        ulong endCluster,
        ulong clusterMax,
        CopyLane lane,
        out ulong first,
        out ulong count
    )
    {
        if (!map.Todo.TryClaimRun(firstCluster, endCluster, clusterMax, out first, out count))
            return false;
        Check.That(!map.Busy.IsAnySet(first, count)); // no two copies of one cluster
        map.Busy.SetBits(first, count);
        trace.Emit(TracePoint.Claim, map.Bytes(first, count), (int)lane);
        return true;
    }

    /// <summary>The release point: from here on the clusters of these pieces may be overwritten.</summary>
    public void Release(CopyTask task, ulong pieces)
    {
        Check.That((task.Released & pieces) == 0);
        task.Released |= pieces;
        while (task.Pieces.TryTakeRun(ref pieces, out ulong first, out ulong count))
        {
            trace.Emit(TracePoint.Release, map.Bytes(first, count));
            map.Busy.ClearBits(first, count);
            task.Owner.OnReleased(first, count);
        }
    }

    /// <summary>To be copied by whoever claims it next.</summary>
    public void SetBack(CopyTask task, ulong firstCluster, ulong clusterCount, Fault fault)
    {
        trace.Emit(TracePoint.SetBack, map.Bytes(firstCluster, clusterCount), fault.Errno);
        if (!task.HasReleased(firstCluster))
            map.Busy.ClearBits(firstCluster, clusterCount);
        map.Todo.SetBits(firstCluster, clusterCount);
        if (!task.HasReachedTarget)
            return;
        _hasUnsure = true;
        map.Unsure.SetBits(firstCluster, clusterCount);
    }

    /// <summary>The target has it.</summary>
    public void End(CopyTask task, ulong firstCluster, ulong clusterCount)
    {
        trace.Emit(TracePoint.Copied, map.Bytes(firstCluster, clusterCount));
        if (_hasUnsure)
            map.Unsure.ClearBits(firstCluster, clusterCount);
        if (!task.HasReleased(firstCluster))
            Release(task, task.Captured & ~task.Released);
    }
}
