// A file or device that takes captured old data when memory is full: a log of runs of clusters. Space is taken next
// fit, so runs written one after the other lie one after the other, and is used again once a run has reached the
// target. Runs leave in the order in which they came.
//
// The first failed write ends its use (what is in memory stays there; what is in the log stays readable): a full or
// broken scratch file is a smaller memory, never a lost snapshot. Only a failed read of what it alone holds is that.
//
// A place where an older write may still land (a server came back, and something was asked of it twice) is never used
// again: it stays taken.
//
// A reader of the snapshot pins a run while it reads it here; a run that is through meanwhile is given back then.
// Cost: O(1) a run. Memory: 28 bytes a cluster, as far as clusters were ever used; the limit itself costs none.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's. One copy engine at a time uses it. Dispose when that has ended.</summary>
public sealed class ScratchSpace : IDisposable
{
    internal const uint NoEntry = uint.MaxValue;

    struct Entry
    {
        public ulong FirstCluster;
        public uint ClusterCount;
        public uint Next;
        public uint PinCount;
        public bool IsGone;
        public bool IsTaken;
    }

    readonly UnitRuns _space;
    readonly NativeArray<Entry> _entries; // by first unit
    uint _first = NoEntry;
    uint _last = NoEntry;

    ScratchSpace(IBlockDevice device, uint clusterBytes, uint unitCount)
    {
        (Device, ClusterBytes) = (device, clusterBytes);
        _space = new UnitRuns(unitCount);
        _entries = new NativeArray<Entry>(unitCount, RegionResidency.Lazy); // a limit may be far above what is used
    }

    public IBlockDevice Device { get; }

    public uint ClusterBytes { get; }

    public ulong LimitBytes => (ulong)_space.Count * ClusterBytes;

    public ulong UsedBytes => (ulong)(_space.Count - _space.FreeCount) * ClusterBytes;

    /// <summary>Why it takes nothing any more; None while it does.</summary>
    public Fault Fault { get; private set; }

    /// <summary>Runs that are only here.</summary>
    internal uint WaitingCount { get; private set; }

    /// <param name="device">Nobody else writes to it; its old content does not matter.</param>
    /// <param name="limitBytes">Space to use at most; cut at the device's capacity.</param>
    /// <param name="clusterBytes">Of the copy that will use it.</param>
    /// <param name="scratch">The space, or null after a fault.</param>
    /// <returns>None, or Invalid when not even one cluster fits.</returns>
    public static Fault TryCreate(IBlockDevice device, ulong limitBytes, uint clusterBytes, out ScratchSpace? scratch)
    {
        scratch = null;
        ulong units = Math.Min(limitBytes, device.Limits.CapacityBytes) / clusterBytes;
        if (units == 0)
            return new Fault(FaultKind.Invalid);
        scratch = new ScratchSpace(device, clusterBytes, (uint)Math.Min(units, 1 << 28));
        return Fault.None;
    }

    /// <summary>Takes space for a run of clusters.</summary>
    internal bool TryReserve(ulong firstCluster, ulong clusterCount, out uint entry)
    {
        entry = NoEntry;
        if (Fault.IsFault)
            return false;
        do
        {
            if (!_space.TryTakeNext((uint)clusterCount, out entry))
                return false;
        } while (Device.MayChangeLate(new Extent(OffsetBytes(entry), clusterCount * ClusterBytes))); // given up
        _entries[entry] = new Entry
        {
            FirstCluster = firstCluster,
            ClusterCount = (uint)clusterCount,
            Next = NoEntry,
            IsTaken = true,
        };
        return true;
    }

    /// <summary>The run was written: it waits here for its turn.</summary>
    internal void Append(uint entry)
    {
        Check.That(_entries[entry].IsTaken);
        if (_last == NoEntry)
            _first = entry;
        else
            _entries[_last].Next = entry;
        _last = entry;
        WaitingCount++;
    }

    /// <summary>The run was not written: nothing more is put here.</summary>
    internal void Fail(uint entry, Fault fault)
    {
        if (Fault.IsNone)
            Fault = fault;
        Free(entry);
    }

    /// <summary>Marks all runs that wait here.</summary>
    /// <param name="marks">A bit a cluster.</param>
    internal void AddWaiting(HierarchicalBitmap marks)
    {
        for (uint entry = _first; entry != NoEntry; entry = _entries[entry].Next)
            marks.SetBits(_entries[entry].FirstCluster, _entries[entry].ClusterCount);
    }

    /// <summary>The run that has waited longest; it stays readable until it is freed.</summary>
    internal bool TryTakeFirst(out uint entry)
    {
        entry = _first;
        if (entry == NoEntry)
            return false;
        _first = _entries[entry].Next;
        if (_first == NoEntry)
            _last = NoEntry;
        WaitingCount--;
        return true;
    }

    internal bool TryPeekFirst(out ulong clusterCount)
    {
        clusterCount = _first == NoEntry ? 0 : _entries[_first].ClusterCount;
        return clusterCount > 0;
    }

    internal ulong OffsetBytes(uint entry) => (ulong)entry * ClusterBytes;

    internal void Run(uint entry, out ulong firstCluster, out ulong clusterCount)
    {
        Check.That(_entries[entry].IsTaken);
        (firstCluster, clusterCount) = (_entries[entry].FirstCluster, _entries[entry].ClusterCount);
    }

    internal void Pin(uint entry) => _entries[entry].PinCount++;

    internal void Unpin(uint entry)
    {
        ref Entry pinned = ref _entries[entry];
        Check.That(pinned.PinCount > 0);
        pinned.PinCount--;
        if (pinned.IsGone && pinned.PinCount == 0)
            GiveBack(entry);
    }

    /// <summary>The run is through; its space is used again as soon as nobody reads it.</summary>
    internal void Free(uint entry)
    {
        ref Entry freed = ref _entries[entry];
        Check.That(freed.IsTaken);
        Check.That(!freed.IsGone);
        freed.IsGone = true;
        if (freed.PinCount == 0)
            GiveBack(entry);
    }

    void GiveBack(uint entry)
    {
        uint units = _entries[entry].ClusterCount;
        _entries[entry] = default;
        _space.Return(entry, units);
    }

    public void Dispose()
    {
        _entries.Dispose();
        _space.Dispose();
    }
}
