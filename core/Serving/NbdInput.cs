// What a client has sent and nobody has taken yet.
using System;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's.</summary>
sealed class NbdInput : IDisposable
{
    const int Capacity = 64 * 1024;

    readonly AlignedRegion _region = AlignedRegion.Map(Capacity, RegionResidency.Resident);
    int _start;
    int _end;

    public ReadOnlySpan<byte> Bytes => _region.Slice((ulong)_start, _end - _start);

    public void Drop(int countBytes)
    {
        _start += countBytes;
        Check.That(_start <= _end);
    }

    /// <summary>Where to receive more. Nothing may be received there already.</summary>
    /// <returns>False: it is full.</returns>
    public bool TryPlace(out nint start, out ulong lengthBytes)
    {
        if (_start == _end)
            (_start, _end) = (0, 0);
        if (_start > 0 && Capacity - _end < Capacity / 2)
        {
            Bytes.CopyTo(_region.Slice(0, Capacity));
            (_start, _end) = (0, _end - _start);
        }
        (start, lengthBytes) = (_region.Start + _end, (ulong)(Capacity - _end));
        return lengthBytes > 0;
    }

    /// <summary>So much was received there.</summary>
    public void Add(ulong countBytes) => _end += (int)countBytes;

    public void Dispose() => _region.Dispose();
}
