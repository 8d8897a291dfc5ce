// One walk over the source's allocation map, chunk by chunk.
//
// Data extents are copied; clusters that lie wholly in a hole are made zero on the target, or dropped (top).
// Clusters that a failure or a guest's failed copy set back lie behind the cursor: for them the walk begins again, from
// a fresh map, until nothing is marked.
// Cost: O(1) a step; a step is a chunk, an entry of the map, or a run of a hole. Does not say when it may go on.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Ports;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's. Dispose as AllocationScan.</summary>
sealed class BackupWalk : IDisposable
{
    const ulong ZeroRunBytesMax = 256 * Units.MiB;
    const ulong ZeroRunClustersMax = 8192;

    readonly Disk _disk;
    readonly CopyBeforeWriteFilter _filter;
    readonly CopyMap _map;
    readonly BackupPacer _pacer;
    readonly bool _dropsHoles;
    readonly AllocationScan _scan;
    ulong _cursorCluster;
    uint _walkCount;

    /// <param name="disk">Whose map it is.</param>
    /// <param name="filter">Where chunks are started.</param>
    /// <param name="pacer">Says how long they are, and is told of them.</param>
    /// <param name="sync">Top: what is not allocated is not the job's.</param>
    /// <param name="onMapped">Called when a step that could not be taken for want of the map can be.</param>
    public BackupWalk(Disk disk, CopyBeforeWriteFilter filter, BackupPacer pacer, BackupSync sync, Action onMapped)
    {
        (_disk, _filter, _map, _pacer, _dropsHoles) = (disk, filter, filter.Map, pacer, sync == BackupSync.Top);
        _scan = new AllocationScan(disk.Device, onMapped);
    }

    /// <summary>The device is being asked for its map.</summary>
    public bool IsQuerying => _scan.IsQuerying;

    public bool IsAtEnd => _scan.IsAtEnd;

    /// <summary>Top: marked at T0, and found not to be allocated.</summary>
    public ulong DroppedBytes { get; private set; }

    /// <summary>Bits were set back behind the cursor: another walk, from the start.</summary>
    public void Restart()
    {
        _scan.Restart();
        _walkCount++;
        _cursorCluster = 0;
    }

    /// <summary>Starts one chunk or passes one map entry; false when the map must be waited for, or ends.</summary>
    public bool TryStep()
    {
        if (!_scan.TryPeek(out MapEntry entry))
            return false;
        ulong granularity = _map.ClusterBytes;
        ulong endBytes = entry.OffsetBytes + entry.LengthBytes;
        // On a further walk nothing is a hole: a cluster that lies in two adjacent holes and wholly in neither
        // would be passed by for ever.
        bool isHole = entry.ReadsAsZero && _walkCount == 0;
        bool isDeviceEnd = endBytes == _disk.CapacityBytes;
        // A cluster that is partly data is data: data extents are widened to clusters, holes narrowed.
        ulong first = isHole ? Units.DivCeil(entry.OffsetBytes, granularity) : entry.OffsetBytes / granularity;
        ulong end = isHole && !isDeviceEnd ? endBytes / granularity : Units.DivCeil(endBytes, granularity);
        first = Math.Max(first, _cursorCluster);
        ulong runEnd = isHole ? EndOfRun(first, end, ref isHole) : end;
        if (first >= runEnd || !TryStart(isHole, first, runEnd, out Extent claimed))
        {
            _cursorCluster = Math.Max(_cursorCluster, runEnd);
            if (runEnd == end)
                _scan.Advance();
            return true;
        }
        _cursorCluster = Units.DivCeil(claimed.EndBytes, granularity);
        return true;
    }

    public void Dispose() => _scan.Dispose();

    /// <summary>
    /// Where guests have written to a part of a cluster, what is a hole now may have been data at the point in time,
    /// and is copied.
    /// </summary>
    ulong EndOfRun(ulong first, ulong end, ref bool isHole)
    {
        ulong written = _filter.Engine.Blocks?.Next(first, end) ?? end;
        isHole = written > first || first >= end;
        return isHole ? Math.Min(written, end) : first + 1;
    }

    bool TryStart(bool isHole, ulong first, ulong end, out Extent claimed)
    {
        if (!isHole)
        {
            bool isStarted = _filter.TryStartBackground(first, end, _pacer.ChunkBytes, out claimed);
            if (isStarted)
                _pacer.OnStarted(claimed.LengthBytes);
            return isStarted;
        }
        return _dropsHoles
            ? TryDrop(first, end, out claimed)
            : _filter.TryStartZeroes(first, end, ZeroRunClusters * _map.ClusterBytes, out claimed);
    }

    /// <summary>The longest hole that is handled at once: the work is in proportion to clusters.</summary>
    ulong ZeroRunClusters => Math.Clamp(ZeroRunBytesMax / _map.ClusterBytes, 1, ZeroRunClustersMax);

    /// <summary>Top: what is not allocated is not this job's; its bits are cleared and it leaves the total.</summary>
    bool TryDrop(ulong first, ulong end, out Extent dropped)
    {
        dropped = default;
        if (!_map.Todo.TryClaimRun(first, end, ZeroRunClusters, out ulong claimedFirst, out ulong count))
            return false;
        dropped = _map.Bytes(claimedFirst, count);
        _filter.Trace.Emit(TracePoint.Skip, dropped);
        DroppedBytes += dropped.LengthBytes;
        _filter.Release(claimedFirst, count);
        return true;
    }
}
