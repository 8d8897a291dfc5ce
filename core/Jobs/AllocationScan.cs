// The source's allocation map, read in batches while the copy runs: which parts hold data and which are holes. One
// query is in flight at a time; it fills up to EntriesMax entries, so that a file with many small extents does not cost
// a thread switch for each.
// A map is about the moment it was taken. Of what is to be copied still it tells how that was at the point in time: a
// guest write that changes it goes through copy-before-write first, which clears its bits (KnownZeroes).
// Of the top layer alone, all that it has is data, also zeroes that hide what is below, and all else is a hole.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's. Dispose when no query is in flight.</summary>
sealed class AllocationScan : IBlockOwner, IDisposable
{
    const uint EntriesMax = 1024;

    readonly IBlockDevice _device;
    readonly Action _onAvailable;
    readonly bool _isOfTop;
    readonly NativeArray<MapEntry> _entries = new(EntriesMax, RegionResidency.Resident);
    uint _next;
    uint _count;
    ulong _mappedEndBytes;
    MapEntry _last; // of the batch before
    bool _isDisposed;

    /// <param name="device">Asked for its map, front to back.</param>
    /// <param name="onAvailable">Called when a query ended.</param>
    /// <param name="isOfTop">What the device has from its lower layers is a hole.</param>
    public AllocationScan(IBlockDevice device, Action onAvailable, bool isOfTop) =>
        (_device, _onAvailable, _isOfTop) = (device, onAvailable, isOfTop);

    public bool IsQuerying { get; private set; }

    /// <summary>The last query failed; the rest of the device counts as data from here.</summary>
    public Fault Fault { get; private set; }

    /// <summary>What was mapped is not all worked on.</summary>
    public bool HasEntry => _next < _count;

    /// <summary>The entry to work on, or false when a query must be waited for or the device ends.</summary>
    public bool TryPeek(out MapEntry entry)
    {
        entry = default;
        if (_next == _count)
        {
            StartQuery();
            return false;
        }
        entry = _entries[_next];
        return true;
    }

    /// <summary>Done with the entry that was peeked.</summary>
    public void Advance()
    {
        Check.That(_next < _count);
        _next++;
    }

    /// <summary>What lies before this is not asked for any more. All entries were worked on.</summary>
    /// <param name="offsetBytes">Where the next query begins, if that is not behind it.</param>
    public void SkipTo(ulong offsetBytes)
    {
        Check.That(!HasEntry);
        if (!IsQuerying)
            _mappedEndBytes = Math.Max(_mappedEndBytes, offsetBytes);
    }

    void StartQuery()
    {
        if (IsQuerying || _mappedEndBytes == _device.Limits.CapacityBytes)
            return;
        IsQuerying = true;
        BlockRequest request = default;
        request.Operation = BlockOperation.Map;
        request.Lane = IoLane.Background;
        request.OffsetBytes = _mappedEndBytes;
        request.LengthBytes = _device.Limits.CapacityBytes - _mappedEndBytes;
        unsafe
        {
            // SAFETY: the array lives until Dispose, or until the query under way then has ended.
            request.Buffer = (nint)_entries.Pointer;
        }
        request.MapCapacity = EntriesMax;
        request.Owner = this;
        _device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        IsQuerying = false;
        if (_isDisposed)
        {
            _entries.Dispose();
            return;
        }
        _next = 0;
        _count = result.Count;
        ulong capacityBytes = _device.Limits.CapacityBytes;
        if (result.Fault.IsFault || result.Count == 0)
        {
            // Without a map everything is data: slower, never wrong; of the top layer alone it is (HoleScan).
            Fault = result.Fault;
            _count = 1;
            _entries[0] = new MapEntry
            {
                OffsetBytes = _mappedEndBytes,
                LengthBytes = capacityBytes - _mappedEndBytes,
                Kind = ExtentKind.Data,
            };
        }
        if (_isOfTop)
            KeepTop();
        Coalesce();
        ref readonly MapEntry last = ref _entries[_count - 1];
        _last = last;
        _mappedEndBytes = last.OffsetBytes + last.LengthBytes;
        Check.That(_mappedEndBytes <= capacityBytes);
        _onAvailable();
    }

    void KeepTop()
    {
        foreach (ref MapEntry entry in _entries.AsSpan()[..(int)_count])
            entry.Kind = entry.Kind == ExtentKind.Hole || entry.Depth > 0 ? ExtentKind.Hole : ExtentKind.Data;
    }

    /// <summary>
    /// Makes one entry of neighbours that read alike, also across batches. A device may answer in pieces of any size; a
    /// cluster that lies in two pieces of one hole would belong to neither, and the walk would never end.
    /// </summary>
    void Coalesce()
    {
        ref MapEntry first = ref _entries[0];
        if (
            _last.ReadsAsZero == first.ReadsAsZero
            && _last.LengthBytes > 0
            && _last.OffsetBytes + _last.LengthBytes == first.OffsetBytes
        )
        {
            first.OffsetBytes = _last.OffsetBytes; // what was worked on already has no marks any more
            first.LengthBytes += _last.LengthBytes;
        }
        uint kept = 0;
        for (uint i = 1; i < _count; i++)
        {
            ref MapEntry entry = ref _entries[i];
            ref MapEntry before = ref _entries[kept];
            bool isNeighbour =
                before.ReadsAsZero == entry.ReadsAsZero && before.OffsetBytes + before.LengthBytes == entry.OffsetBytes;
            if (isNeighbour)
                before.LengthBytes += entry.LengthBytes;
            else
                _entries[++kept] = entry;
        }
        _count = kept + 1;
    }

    public void Dispose()
    {
        _isDisposed = true;
        if (!IsQuerying) // else a device that does not answer may still write to them
            _entries.Dispose();
    }
}
