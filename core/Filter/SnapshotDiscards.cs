// Discards of a snapshot: what lies wholly inside a range is not copied any more and cannot be read any more. A range
// may be a whole disk of many tebibytes, so it is given up a piece a turn, and guests have their turns in between.
// Discards are carried out in their order. Cost: a turn gives up DiscardClustersMax clusters (60 us) or DiscardRunsMax
// runs (some hundred microseconds); 1 TiB in clusters of 4 KiB takes 60 ms in all.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
sealed class SnapshotDiscards : ILoopTask
{
    struct Waiting
    {
        public ulong Key;
        public ulong NextCluster;
        public ulong EndCluster;
    }

    const ulong DiscardClustersMax = 1 << 18; // of a turn
    const uint DiscardRunsMax = 1024; // of a turn

    readonly IIoLoop _loop;
    readonly CopyBeforeWriteFilter _filter;
    readonly HierarchicalBitmap _access;
    readonly Action<ulong> _onDone;
    readonly BoundedQueue<Waiting> _queue; // those behind the first
    Waiting _first;
    bool _hasFirst;
    bool _isDeferred;

    /// <param name="loop">The filter's reactor.</param>
    /// <param name="filter">Whose clusters they are.</param>
    /// <param name="access">What can be read.</param>
    /// <param name="countMax">At once.</param>
    /// <param name="onDone">Told of each, by its key, once it is through.</param>
    public SnapshotDiscards(
        IIoLoop loop,
        CopyBeforeWriteFilter filter,
        HierarchicalBitmap access,
        uint countMax,
        Action<ulong> onDone
    )
    {
        (_loop, _filter, _access, _onDone) = (loop, filter, access, onDone);
        _queue = new BoundedQueue<Waiting>(countMax);
    }

    /// <summary>Gives up what lies wholly inside the range; part of a cluster is kept.</summary>
    /// <param name="key">Names it.</param>
    /// <param name="extent">Within the disk.</param>
    public void Begin(ulong key, in Extent extent)
    {
        Waiting one = default;
        one.Key = key;
        one.NextCluster = Units.DivCeil(extent.OffsetBytes, _filter.Map.ClusterBytes);
        // To the end of the disk, whose last cluster may be short.
        one.EndCluster =
            extent.EndBytes == _filter.Map.SizeBytes
                ? _filter.Map.ClusterCount
                : extent.EndBytes / _filter.Map.ClusterBytes;
        if (_hasFirst)
            _queue.Enqueue(one);
        else
            (_first, _hasFirst) = (one, true);
        Defer();
    }

    void Defer()
    {
        if (_isDeferred || !_hasFirst)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    /// <summary>A piece of the first discard.</summary>
    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        if (!_filter.Map.IsWhole)
        {
            Defer(); // what the bitmap names is still being taken over, a piece a turn
            return;
        }
        ulong pieceEnd = Math.Min(_first.EndCluster, _first.NextCluster + DiscardClustersMax);
        if (_first.NextCluster < pieceEnd)
            _first.NextCluster = Discard(_first.NextCluster, pieceEnd);
        if (_first.NextCluster >= _first.EndCluster)
        {
            ulong key = _first.Key;
            _hasFirst = _queue.TryDequeue(out _first);
            _onDone(key);
        }
        Defer();
    }

    /// <returns>Where to go on: the end, or behind as many runs as a turn may take.</returns>
    ulong Discard(ulong first, ulong end)
    {
        ulong at = first;
        for (uint count = 0; count < DiscardRunsMax && at < end; count++)
        {
            if (!_filter.Map.Todo.TryClaimRun(at, end, end - at, out ulong claimed, out ulong claimedCount))
            {
                at = end;
                break;
            }
            at = claimed + claimedCount;
            _filter.Trace.Emit(TracePoint.Skip, _filter.Map.Bytes(claimed, claimedCount));
            _filter.Release(claimed, claimedCount);
        }
        _access.ClearBits(first, at - first);
        return at;
    }
}
