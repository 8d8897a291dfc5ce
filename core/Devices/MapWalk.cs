// One disk's allocation map, read ahead in batches as a cursor moves forward through it.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices;

/// <summary>Threads: the reactor's. Dispose when no query is in flight.</summary>
public sealed class MapWalk : IBlockOwner, IDisposable
{
    const uint EntriesMax = 512;

    readonly IBlockDevice _device;
    readonly Action _onAvailable;
    readonly NativeArray<MapEntry> _entries = new(EntriesMax, RegionResidency.Resident);
    uint _next;
    uint _count;
    ulong _mappedEndBytes;

    /// <param name="device">Asked for its map, front to back.</param>
    /// <param name="onAvailable">Called when a query has ended.</param>
    public MapWalk(IBlockDevice device, Action onAvailable) => (_device, _onAvailable) = (device, onAvailable);

    public bool IsQuerying { get; private set; }

    /// <summary>What lies at the offset and until where; false while the map must be waited for.</summary>
    /// <param name="offsetBytes">Below the capacity, never smaller than before.</param>
    /// <param name="isHole">Whether it reads as zero without being stored.</param>
    /// <param name="endBytes">Above the offset.</param>
    public bool TryFind(ulong offsetBytes, out bool isHole, out ulong endBytes)
    {
        (isHole, endBytes) = (false, 0);
        while (_next < _count && EndOf(_entries[_next]) <= offsetBytes)
            _next++;
        if (_next == _count)
        {
            Query();
            return false;
        }
        isHole = _entries[_next].ReadsAsZero;
        endBytes = EndOf(_entries[_next]);
        return true;
    }

    void Query()
    {
        if (IsQuerying)
            return;
        IsQuerying = true;
        BlockRequest request = default;
        request.Operation = BlockOperation.Map;
        request.OffsetBytes = _mappedEndBytes;
        request.LengthBytes = _device.Limits.CapacityBytes - _mappedEndBytes;
        unsafe
        {
            // SAFETY: the array lives until Dispose, which comes after the query's end.
            request.Buffer = (nint)_entries.Pointer;
        }
        request.MapCapacity = EntriesMax;
        request.Owner = this;
        _device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        IsQuerying = false;
        (_next, _count) = (0, result.Count);
        if (result.Fault.IsFault || result.Count == 0)
        {
            // Without a map all the rest is data: slower, never wrong.
            _count = 1;
            _entries[0] = new MapEntry
            {
                OffsetBytes = _mappedEndBytes,
                LengthBytes = _device.Limits.CapacityBytes - _mappedEndBytes,
                Kind = ExtentKind.Data,
            };
        }
        _mappedEndBytes = EndOf(_entries[_count - 1]);
        _onAvailable();
    }

    public void Dispose()
    {
        Check.That(!IsQuerying);
        _entries.Dispose();
    }

    static ulong EndOf(in MapEntry entry) => entry.OffsetBytes + entry.LengthBytes;
}
