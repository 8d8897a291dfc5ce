// The chunks that one copy engine has in flight: their preallocated tasks, and which cluster is in which of them.
// Chunks with memory are found by a hash table of their clusters; holes on their way to the target, of any length and
// without memory, by a look at each of the few that there are. Chunks in scratch space are in neither (SpillQueue).
// Cost: O(1) a call, and a cluster of a run. Nothing is allocated after construction.
using System;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
sealed class TaskTable : IDisposable
{
    readonly CopyMap _map;
    readonly CopyRules _rules;
    readonly SlotTable<CopyTask> _tasks;
    readonly ClusterIndex _index; // of all that has memory
    readonly CopyTask[] _zeroing; // holes on their way to the target, the first _zeroingCount of them
    uint _zeroingCount;

    /// <param name="map">Of the copy.</param>
    /// <param name="rules">How many of each lane.</param>
    /// <param name="memoryBytes">All that may be in memory.</param>
    public TaskTable(CopyMap map, CopyRules rules, ulong memoryBytes)
    {
        (_map, _rules) = (map, rules);
        _tasks = new SlotTable<CopyTask>(rules.BackgroundMax + rules.CaptureMax);
        // One more: the disk's last cluster may be short, and take less memory than a cluster has.
        _index = new ClusterIndex(memoryBytes / map.ClusterBytes + 1);
        _zeroing = new CopyTask[rules.BackgroundMax];
    }

    public uint Capacity => _tasks.Capacity;

    public uint TakenCount => _tasks.TakenCount;

    /// <summary>Of them the background's.</summary>
    public uint BackgroundCount { get; private set; }

    /// <summary>Of them those for guests.</summary>
    public uint GuestCount => _tasks.TakenCount - BackgroundCount;

    public bool HasRoom(CopyLane lane) =>
        lane == CopyLane.Background ? BackgroundCount < _rules.BackgroundMax : GuestCount < _rules.CaptureMax;

    /// <param name="firstCluster">Of the chunk.</param>
    /// <param name="clusterCount">Of the chunk.</param>
    /// <param name="lane">One that has room.</param>
    /// <param name="pieceClusters">Of one read.</param>
    public CopyTask Take(ulong firstCluster, ulong clusterCount, CopyLane lane, ulong pieceClusters)
    {
        Check.That(_tasks.TryTake(out ulong key, out CopyTask task));
        PieceMap pieces = PieceMap.Cut(firstCluster, clusterCount, pieceClusters);
        task.Reset(key, lane, pieces, _map.Bytes(firstCluster, clusterCount));
        if (lane == CopyLane.Background)
            BackgroundCount++;
        return task;
    }

    public void Free(CopyTask task)
    {
        if (task.Lane == CopyLane.Background)
            BackgroundCount--;
        _tasks.Free(task.Key);
    }

    public CopyTask Get(ulong taskKey) => _tasks.Get(taskKey);

    /// <inheritdoc cref="SlotTable{T}.TryGetAt"/>
    public bool TryGetAt(uint slot, out CopyTask task) => _tasks.TryGetAt(slot, out _, out task);

    /// <summary>All of its clusters are in memory from now on, or on their way there.</summary>
    public void Index(CopyTask task) => _index.SetRun(task.Pieces.FirstCluster, task.Pieces.ClusterCount, task.Key);

    public void Unindex(ulong firstCluster, ulong clusterCount) => _index.RemoveRun(firstCluster, clusterCount);

    /// <summary>The chunk in memory that has a cluster.</summary>
    public bool TryGet(ulong cluster, out CopyTask task)
    {
        task = null!;
        if (!_index.TryGet(cluster, out ulong key))
            return false;
        task = _tasks.Get(key);
        return true;
    }

    public void AddZeroing(CopyTask task) => _zeroing[_zeroingCount++] = task;

    public void RemoveZeroing(CopyTask task)
    {
        uint at = 0;
        while (!ReferenceEquals(_zeroing[at], task))
            Check.That(++at < _zeroingCount);
        _zeroing[at] = _zeroing[--_zeroingCount];
    }

    /// <summary>The hole on its way that has a cluster which guests may overwrite already; or null.</summary>
    public CopyTask? FindZeroing(ulong cluster)
    {
        foreach (CopyTask task in _zeroing.AsSpan(0, (int)_zeroingCount))
            if (task.Released != 0 && cluster - task.Pieces.FirstCluster < task.Pieces.ClusterCount)
                return task;
        return null;
    }

    public void Dispose() => _index.Dispose();
}
