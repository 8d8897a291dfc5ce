// Goes over the source's allocation map from the point in time on, as fast as the source tells it, and takes what is
// zero for captured: from then on a guest's first write there costs no read. The walk follows, and copies what is left.
//
//   0        cursor of the walk       mapped                  the last answer           end of the disk
//   | copied | holes are not marked   | worked on, a piece a  | asked next, and only    |
//   |        | any more: all is data  | turn                  | where something is      |
//   |        |                        |                       | marked                  |
//
// Without leave of the rate limit, a pause, or room for chunks: guests are protected from the point in time on, so
// they are let go as early as can be. What is not of the top layer (top) leaves the job altogether. With sync
// none only what guests write goes to the target, so its holes are taken only where the target reads as zero anyway.
// A source that tells slowly holds nobody: guests' writes are captured meanwhile as data, and the walk passes by; but
// with sync top, where only the map says what is copied at all.
// A cluster that is partly data is data, and so is one of which guests' writes have captured a part.
// Cost: one query at a time; a turn works on ClustersATurn clusters or RunsATurn runs.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Ports;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's. Dispose as AllocationScan.</summary>
sealed class HoleScan : ILoopTask, IDisposable
{
    const ulong ClustersATurn = 1 << 15;
    const ulong ClustersAStep = 1 << 12;
    const uint RunsATurn = 64;
    const ulong SlowNs = 100 * Units.NsPerMs;

    readonly IIoLoop _loop;
    readonly CopyBeforeWriteFilter _filter;
    readonly CopyMap _map;
    readonly bool _dropsHoles;
    readonly Action _onMapped;
    readonly AllocationScan _scan;
    readonly JobTimer _slow; // set while an answer is waited for
    bool _isDeferred;
    bool _isDisposed;

    /// <param name="disk">Whose map it is.</param>
    /// <param name="filter">Told what was zero.</param>
    /// <param name="sync">Of the job.</param>
    /// <param name="onMapped">Called when more is mapped, or the answer does not come.</param>
    public HoleScan(Disk disk, CopyBeforeWriteFilter filter, BackupSync sync, Action onMapped)
    {
        (_loop, _filter, _map, _onMapped) = (disk.Loop, filter, filter.Map, onMapped);
        _dropsHoles = sync == BackupSync.Top;
        IsUseful = sync != BackupSync.None || filter.Engine.SkipsZeroes;
        _scan = new AllocationScan(disk.Device, Defer, isOfTop: _dropsHoles);
        _slow = new JobTimer(_loop, OnSlow);
    }

    /// <summary>Else nothing is asked.</summary>
    public bool IsUseful { get; }

    /// <summary>The device is being asked for its map.</summary>
    public bool IsQuerying => _scan.IsQuerying;

    /// <summary>And has not answered for so long that nobody should wait for it.</summary>
    public bool IsSlow { get; private set; }

    /// <summary>Top: the source could not tell what it has itself. Nothing more is mapped.</summary>
    public Fault Fault { get; private set; }

    /// <summary>Up to here what is marked is data.</summary>
    public ulong MappedCluster { get; private set; }

    public bool IsAtEnd => MappedCluster == _map.ClusterCount;

    /// <summary>Once the snapshot is given up guests write where they like, marked or not.</summary>
    bool IsOver => _isDisposed || IsAtEnd || Fault.IsFault || _filter.IsBroken;

    /// <summary>Top: marked at the point in time, and found not to be allocated.</summary>
    public ulong DroppedBytes { get; private set; }

    /// <summary>The point in time is now.</summary>
    public void Begin()
    {
        if (IsUseful)
            Defer();
    }

    void Defer()
    {
        if (_isDeferred || _isDisposed)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        if (IsOver)
            return;
        if (!_map.IsWhole)
        {
            Defer(); // what the bitmap names is still being taken over, a piece a turn
            return;
        }
        if (!_scan.IsQuerying)
            _slow.Cancel();
        // Without a map at all everything is the source's own, as it is to QEMU.
        if (_dropsHoles && _scan.Fault is { IsFault: true, Kind: not FaultKind.Unsupported })
        {
            Fault = _scan.Fault;
            _onMapped();
            return;
        }
        IsSlow &= _scan.IsQuerying;
        ulong before = MappedCluster;
        ulong clusters = 0;
        for (uint runs = 0; runs < RunsATurn && clusters < ClustersATurn && TryPeek(out MapEntry entry); runs++)
            clusters += Step(entry);
        if (!IsOver && !_scan.IsQuerying)
            Defer();
        if (MappedCluster != before)
            _onMapped();
    }

    /// <summary>The entry to work on; else a query is begun, unless nothing is marked any more.</summary>
    bool TryPeek(out MapEntry entry)
    {
        entry = default;
        if (IsOver)
            return false;
        if (!_scan.HasEntry)
        {
            MappedCluster = Math.Min(_map.ClusterCount, _map.Todo.NextDirtyBit(MappedCluster, _map.ClusterCount));
            if (IsAtEnd)
                return false;
            _scan.SkipTo(MappedCluster * _map.ClusterBytes);
        }
        if (_scan.TryPeek(out entry))
            return true;
        _slow.StartBy(_slow.NowNs + SlowNs);
        return false;
    }

    void OnSlow()
    {
        IsSlow = _scan.IsQuerying && !IsOver && !_dropsHoles;
        if (IsSlow)
            _onMapped();
    }

    /// <returns>Clusters that were looked at.</returns>
    ulong Step(in MapEntry entry)
    {
        ulong endBytes = entry.OffsetBytes + entry.LengthBytes;
        bool isDeviceEnd = endBytes == _map.SizeBytes;
        ulong end = isDeviceEnd ? _map.ClusterCount : endBytes / _map.ClusterBytes;
        ulong first = Math.Max(MappedCluster, Units.DivCeil(entry.OffsetBytes, _map.ClusterBytes));
        ulong stepEnd = end;
        if (entry.ReadsAsZero && first < end)
        {
            stepEnd = Math.Min(end, first + ClustersAStep);
            ulong partly = _filter.Engine.Blocks?.Next(first, stepEnd) ?? stepEnd;
            if (partly == first)
                stepEnd = first + 1; // it may have been data, and is a hole only since
            else if (TryTake(first, partly, out Extent taken))
                stepEnd = Units.DivCeil(taken.EndBytes, _map.ClusterBytes);
            else
                stepEnd = partly;
        }
        MappedCluster = Math.Max(MappedCluster, stepEnd);
        if (stepEnd >= end)
            _scan.Advance();
        return entry.ReadsAsZero ? stepEnd - Math.Min(first, stepEnd) : 0;
    }

    bool TryTake(ulong first, ulong end, out Extent taken)
    {
        if (!_dropsHoles)
            return _filter.TryLearnZeroes(first, end, end - first, out taken);
        taken = default;
        if (!_map.Todo.TryClaimRun(first, end, end - first, out ulong claimedFirst, out ulong count))
            return false;
        taken = _map.Bytes(claimedFirst, count);
        _filter.Trace.Emit(TracePoint.Skip, taken);
        DroppedBytes += taken.LengthBytes;
        _filter.Release(claimedFirst, count);
        return true;
    }

    public void Dispose()
    {
        _isDisposed = true;
        _slow.Cancel();
        _scan.Dispose();
    }
}
