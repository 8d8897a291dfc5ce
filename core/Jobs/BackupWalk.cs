// One walk over what is to be copied, front to back, chunk by chunk: the data that the scan of holes has left marked,
// as far as that has come. Where it waits for the scan, and at the end, it makes the target zero where the source was:
// guests wait for data, and for no zeroes. A region in which guests' first writes wait again and again comes before its
// turn, as a whole, so that the disk streams; then the walk goes on where it was (FirstWriteHeat).
// A source that does not tell its map soon enough holds nothing up: from there on all is data, until it tells. With
// sync top it is waited for: what is not the top layer's must not be written.
// Clusters that a failure or a guest's failed copy set back lie behind the cursor: for them the walk begins again,
// until nothing is marked. They are data then, whatever the source would tell.
// Cost: O(1) a step; a step is a chunk, or a run of zeroes. Does not say when it may go on.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's. Dispose as AllocationScan.</summary>
sealed class BackupWalk : IDisposable
{
    const ulong ZeroRunBytesMax = 256 * Units.MiB;
    const ulong ZeroRunClustersMax = 8192;

    readonly CopyBeforeWriteFilter _filter;
    readonly CopyMap _map;
    readonly BackupPacer _pacer;
    readonly HoleScan _holes;
    ulong _cursorCluster;
    ulong _hotCluster; // the rest of a region that comes before its turn
    ulong _hotEndCluster;

    /// <param name="disk">Whose map it is.</param>
    /// <param name="filter">Where chunks are started.</param>
    /// <param name="pacer">Says how long they are, and is told of them.</param>
    /// <param name="sync">Top: what is not allocated is not the job's.</param>
    /// <param name="onMapped">Called when a step that could not be taken for want of the map can be.</param>
    public BackupWalk(Disk disk, CopyBeforeWriteFilter filter, BackupPacer pacer, BackupSync sync, Action onMapped)
    {
        (_filter, _map, _pacer) = (filter, filter.Map, pacer);
        _holes = new HoleScan(disk, filter, sync, onMapped);
    }

    /// <summary>The device is being asked for its map, and the walk has not passed it by.</summary>
    public bool IsQuerying => _holes.IsQuerying && _cursorCluster < _map.ClusterCount;

    /// <summary>Top: the source cannot tell what it has itself, so that the walk does not go on.</summary>
    public Fault MapFault => _holes.Fault;

    /// <summary>Whatever is marked now lies behind the cursor.</summary>
    public bool IsAtEnd => _cursorCluster == _map.ClusterCount && _map.Zeroes.CountBits() == 0;

    /// <summary>Top: marked at T0, and found not to be allocated.</summary>
    public ulong DroppedBytes => _holes.DroppedBytes;

    /// <summary>The point in time is now: from here on holes are let go.</summary>
    public void Begin() => _holes.Begin();

    /// <summary>Bits were set back behind the cursor: another walk, from the start.</summary>
    public void Restart()
    {
        Check.That(IsAtEnd);
        _cursorCluster = 0;
    }

    /// <summary>Starts one chunk, or passes what is not marked.</summary>
    /// <returns>False when the map must be waited for, and at the end.</returns>
    public bool TryStep()
    {
        ulong end = _holes.IsSlow ? _map.ClusterCount : _holes.MappedCluster;
        if (TryStepInHotRegion(end))
            return true;
        if (_cursorCluster >= end)
            return _filter.TryStartZeroes(Math.Clamp(ZeroRunBytesMax / _map.ClusterBytes, 1, ZeroRunClustersMax));
        if (!_filter.TryStartBackground(_cursorCluster, end, _pacer.ChunkBytes, out Extent claimed))
        {
            _cursorCluster = end;
            return true;
        }
        _pacer.OnStarted(claimed.LengthBytes);
        _cursorCluster = Units.DivCeil(claimed.EndBytes, _map.ClusterBytes);
        return true;
    }

    /// <summary>Starts one chunk where guests' writes wait, if they do and it is mapped.</summary>
    bool TryStepInHotRegion(ulong mappedEnd)
    {
        if (_hotCluster >= _hotEndCluster && !_filter.Heat.TryTake(out _hotCluster, out _hotEndCluster))
            return false;
        ulong end = Math.Min(_hotEndCluster, mappedEnd);
        if (_hotCluster >= end)
            return false; // later
        if (!_filter.TryStartBackground(_hotCluster, end, _pacer.ChunkBytes, out Extent claimed))
        {
            _hotCluster = end;
            return false;
        }
        _pacer.OnStarted(claimed.LengthBytes);
        _hotCluster = Units.DivCeil(claimed.EndBytes, _map.ClusterBytes);
        return true;
    }

    public void Dispose() => _holes.Dispose();
}
