// Clusters that were zero at the point in time, as the source's map says: nothing of them need be kept, so guests may
// write there at once, without a read and without memory. That the target must be zero there, too, is remembered by a
// bit, and done whenever the job likes.
//
//   to be copied -> known to have been zero -> being made zero on the target -> done;  or parked, and made zero again
//
// Why what is told later is true of the point in time: a cluster that is still to be copied is protected, and no guest
// has written to it since then unless blocks of it were captured. So the map may have been asked at any time after the
// point in time; what counts is the mark when its answer is used, and what was marked before and is not any more is
// somebody else's. Nothing ever takes such a cluster back to where the source would be read: only a job that has failed
// marks it, as the record of what is missing.
//
// Readers of the snapshot get zeroes from here until the target has them.
// Cost: words of the bitmaps that the run touches. Does not know the map; whoever learns from it leaves out what was
// captured in part.
using System;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
/// <param name="map">Of the copy.</param>
/// <param name="trace">Told of each.</param>
sealed class KnownZeroes(CopyMap map, Tracer trace)
{
    const uint DroppedRunsMax = 512;
    const ulong DroppedClustersMax = 1 << 18;

    /// <summary>The target is not zero yet where it should be.</summary>
    public bool HasSome => map.Zeroes.CountBits() > 0;

    public bool Has(ulong cluster) => map.Zeroes.GetBit(cluster);

    /// <summary>The next marked run of a range that is zero: captured, and released.</summary>
    /// <param name="firstCluster">Where to look from.</param>
    /// <param name="endCluster">Where to stop looking; no cluster before it is captured in part.</param>
    /// <param name="clusterMax">Longest run.</param>
    /// <param name="isToBeWritten">Else the target is zero there, and this is all.</param>
    /// <param name="owner">Told of the release.</param>
    /// <param name="learned">The run.</param>
    /// <returns>False when nothing is marked there.</returns>
    public bool TryLearn(
        ulong firstCluster,
        ulong endCluster,
        ulong clusterMax,
        bool isToBeWritten,
        ICopyOwner owner,
        out Extent learned
    )
    {
        learned = default;
        if (!map.Todo.TryClaimRun(firstCluster, endCluster, clusterMax, out ulong first, out ulong count))
            return false;
        learned = map.Bytes(first, count);
        trace.Emit(TracePoint.Claim, learned, (int)CopyLane.Background);
        trace.Emit(TracePoint.Capture, learned, 1);
        if (isToBeWritten)
            map.Zeroes.SetBits(first, count);
        else
            End(first, count);
        trace.Emit(TracePoint.Release, learned);
        owner.OnReleased(first, count);
        return true;
    }

    /// <summary>The target has it; what of it failed there was zero, too.</summary>
    void End(ulong first, ulong count)
    {
        trace.Emit(TracePoint.Copied, map.Bytes(first, count));
        if (map.Unsure.CountBits() > 0)
            map.Unsure.ClearBits(first, count);
    }

    /// <summary>The next run that the target is to be made zero in.</summary>
    /// <returns>False when there is none.</returns>
    public bool TryTake(ulong clusterMax, out ulong first, out ulong count) =>
        map.Zeroes.TryClaimRun(0, map.ClusterCount, clusterMax, out first, out count);

    /// <summary>Old data: zeroes, as far as they are known in one run.</summary>
    /// <param name="offsetBytes">Device offset.</param>
    /// <param name="destination">Filled as far as that.</param>
    /// <returns>Bytes; 0 where the cluster is not known to have been zero, or the target has it.</returns>
    public ulong Read(ulong offsetBytes, Span<byte> destination)
    {
        ulong first = offsetBytes / map.ClusterBytes;
        if (!Has(first))
            return 0;
        ulong wantedEndBytes = offsetBytes + (ulong)destination.Length;
        ulong limit = Math.Min(map.ClusterCount, Units.DivCeil(wantedEndBytes, map.ClusterBytes));
        ulong end = Math.Min(limit, map.Zeroes.NextCleanBit(first, limit)); // NotFound is above any
        ulong lengthBytes = Math.Min(wantedEndBytes, end * map.ClusterBytes) - offsetBytes;
        destination[..(int)lengthBytes].Clear();
        return lengthBytes;
    }

    /// <summary>
    /// The snapshot is given up: marks a piece of what the target lacks as to be copied, the record of what is missing.
    /// </summary>
    /// <remarks>Cost: less than a millisecond; to be called until nothing is left.</remarks>
    public void Drop()
    {
        ulong left = DroppedClustersMax;
        for (uint runs = 0; runs < DroppedRunsMax && left > 0; runs++)
        {
            if (!TryTake(left, out ulong first, out ulong count))
                return;
            left -= count;
            trace.Emit(TracePoint.SetBack, map.Bytes(first, count), 0);
            map.Todo.SetBits(first, count);
        }
    }
}
