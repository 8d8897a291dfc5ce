// Where a server may still write something old: what was on its way when a connection ended was asked for again on the
// next one, and a server that had taken it from the first may carry it out at any time later. Then it does no harm as
// long as nothing newer was written there: whoever writes places again and again asks before (MayChangeLate).
// Nothing ends that but the device itself: no question of the protocol waits for what another connection has asked.
// Cost: 16 KiB a device that writes; O(ranges) a question, and there are none as long as no connection has ended. Of
// more ranges than CountMax it is the whole disk.
using System;
using FastBackup.Base;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
sealed class NbdLateWrites
{
    public const int CountMax = 1024;

    Extent[] _ranges = [];
    int _count;
    bool _isEverywhere;

    /// <summary>Of a write that has no answer, when its connection has ended. Allocates.</summary>
    public void Add(in Extent range)
    {
        if (_isEverywhere || range.IsEmpty)
            return;
        foreach (ref readonly Extent known in _ranges.AsSpan(0, _count))
            if (known.OffsetBytes <= range.OffsetBytes && range.EndBytes <= known.EndBytes)
                return;
        if (_count == CountMax)
        {
            (_isEverywhere, _ranges) = (true, []);
            return;
        }
        if (_count == _ranges.Length)
            Array.Resize(ref _ranges, Math.Max(64, _count * 2));
        _ranges[_count++] = range;
    }

    public bool Overlaps(in Extent range)
    {
        foreach (ref readonly Extent known in _ranges.AsSpan(0, _isEverywhere ? 0 : _count))
            if (known.Overlaps(range))
                return true;
        return _isEverywhere;
    }
}
