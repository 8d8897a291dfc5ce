// What each sector of a guest's disk may hold: the history of writes, kept as little as possible.
//
// A sector may hold write X unless some write W of it that succeeded began after X had ended. Writes have sequence
// numbers in the order of their begins, so per sector the greatest sequence that ended well is enough, and per write
// the sequence counter at its end. A write that was denied never landed, and must not be found anywhere.
// Bytes that were not written as whole sectors are not judged here (frozen copies compare every byte).
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Oracle;

sealed class Shadow
{
    const uint NotEnded = uint.MaxValue;
    const uint Denied = 0;

    readonly int _disk;
    readonly uint[] _floor; // per sector: the greatest sequence that ended well
    readonly uint[] _zeroEnd; // per sector: when the last zeroing ended
    readonly uint[] _mixedUntil; // per sector: when a write that may have cut it has ended
    readonly uint[] _lastEnd; // per sector: when the last change of it ended
    readonly uint[] _lastBegin; // per sector: the last change of it that began
    readonly List<uint> _ends = [NotEnded]; // per sequence; 0 is the initial content

    public Shadow(int disk, ulong capacityBytes)
    {
        _disk = disk;
        SectorCount = (uint)(capacityBytes / Sector.Bytes); // a partial sector at the end is not judged
        _floor = new uint[SectorCount + 1];
        _zeroEnd = new uint[SectorCount + 1];
        _mixedUntil = new uint[SectorCount + 1];
        _lastEnd = new uint[SectorCount + 1];
        _lastBegin = new uint[SectorCount + 1];
        Array.Fill(_zeroEnd, NotEnded);
    }

    public uint SectorCount { get; }

    /// <summary>Zeroings under way.</summary>
    public int ZeroesInFlight { get; private set; }

    public uint Begin(bool isZero)
    {
        _ends.Add(NotEnded);
        ZeroesInFlight += isZero ? 1 : 0;
        return (uint)_ends.Count - 1;
    }

    /// <summary>The initial content of a range is not one of ours, or zero as <paramref name="isZero"/> says.</summary>
    public void SetInitial(ulong offsetBytes, ulong lengthBytes, bool isZero)
    {
        if (isZero)
            return;
        uint end = (uint)((offsetBytes + lengthBytes) / Sector.Bytes);
        for (uint s = (uint)(offsetBytes / Sector.Bytes); s < Math.Min(end, SectorCount); s++)
            _zeroEnd[s] = 0;
    }

    /// <param name="sequence">From Begin.</param>
    /// <param name="isOk">It ended well; otherwise any part of it may have landed.</param>
    /// <param name="isDenied">It never began to land.</param>
    /// <param name="isZero">Write-zeroes or discard.</param>
    /// <param name="isHint">Discard: the old content may still be there.</param>
    /// <param name="offsetBytes">Start of the range.</param>
    /// <param name="lengthBytes">Its length.</param>
    public void End(
        uint sequence,
        bool isOk,
        bool isDenied,
        bool isZero,
        bool isHint,
        ulong offsetBytes,
        ulong lengthBytes
    )
    {
        uint now = (uint)_ends.Count;
        _ends[(int)sequence] = isDenied ? Denied : now;
        ZeroesInFlight -= isZero ? 1 : 0;
        if (isDenied || lengthBytes == 0)
            return;
        bool isWhole = isOk; // one that failed may have cut a sector anywhere
        Sectors(offsetBytes, lengthBytes, out uint first, out uint end, out bool isPartHead, out bool isPartTail);
        for (uint s = first; s < end; s++)
        {
            if (isZero)
                _zeroEnd[s] = Math.Max(_zeroEnd[s] == NotEnded ? 0 : _zeroEnd[s], now);
            bool isPart = (isPartHead && s == first) || (isPartTail && s == end - 1);
            // Two changes at once may land piece by piece, in any order.
            bool isOverlapped = _lastEnd[s] > sequence;
            _lastEnd[s] = now;
            if (isPart || !isWhole || isOverlapped)
                _mixedUntil[s] = now;
            else if (isOk && !isHint)
                _floor[s] = Math.Max(_floor[s], sequence);
        }
    }

    /// <summary>The last change begins here. Inside a sector it leaves that one a mixture, from its begin on.</summary>
    public void BeginParts(in Extent extent)
    {
        if (extent.IsEmpty)
            return;
        Sectors(extent.OffsetBytes, extent.LengthBytes, out uint first, out uint end, out bool head, out bool tail);
        for (uint s = first; s < end; s++)
            _lastBegin[s] = (uint)_ends.Count - 1;
        if (head && first < SectorCount)
            _mixedUntil[first] = NotEnded;
        if (tail && end > first)
            _mixedUntil[end - 1] = NotEnded;
    }

    /// <summary>A write that ended well was lost after that: what is there is anybody's guess until the next.</summary>
    public void Lose(in Extent extent)
    {
        Sectors(extent.OffsetBytes, extent.LengthBytes, out uint first, out uint end, out _, out _);
        for (uint s = first; s < end; s++)
            _mixedUntil[s] = (uint)_ends.Count;
    }

    /// <summary>No change of these sectors began after that one.</summary>
    public bool IsNewest(in Extent extent, uint sequence)
    {
        Sectors(extent.OffsetBytes, extent.LengthBytes, out uint first, out uint end, out _, out _);
        return !_lastBegin.AsSpan((int)first, (int)(end - first)).ContainsAnyExcept(sequence);
    }

    void Sectors(ulong offset, ulong length, out uint first, out uint end, out bool isPartHead, out bool isPartTail)
    {
        first = (uint)(offset / Sector.Bytes);
        uint wanted = (uint)((offset + length + Sector.Bytes - 1) / Sector.Bytes);
        end = Math.Min(wanted, SectorCount);
        isPartHead = offset % Sector.Bytes != 0;
        isPartTail = (offset + length) % Sector.Bytes != 0 && end == wanted;
    }

    public uint FloorOf(uint sector) => _floor[sector];

    /// <summary>Null when the content may be what it is, else why not.</summary>
    /// <param name="sector">Which.</param>
    /// <param name="bytes">Its content.</param>
    /// <param name="floor">The floor at the moment from which on the content may date.</param>
    /// <param name="mayBeTorn">A write may be half done.</param>
    public string? Judge(uint sector, ReadOnlySpan<byte> bytes, uint floor, bool mayBeTorn = false)
    {
        if (_mixedUntil[sector] != 0 && floor < _mixedUntil[sector])
            return null;
        if (!bytes.ContainsAnyExcept((byte)0))
        {
            bool isInitial = _zeroEnd[sector] == NotEnded && floor == 0;
            bool isZeroed = _zeroEnd[sector] != NotEnded && _zeroEnd[sector] >= Math.Max(floor, 1);
            return isInitial || isZeroed || ZeroesInFlight > 0 ? null : $"zeroes, expected write {floor} or later";
        }
        if (!Sector.TryRead(bytes, out int disk, out uint at, out uint sequence))
            return mayBeTorn ? null : "torn or foreign: " + Sector.Describe(bytes);
        if (disk != _disk || at != sector)
            return "misplaced: " + Sector.Describe(bytes);
        if (sequence >= _ends.Count)
            return "from the future: " + Sector.Describe(bytes);
        bool isPossible = sequence == floor || _ends[(int)sequence] >= Math.Max(floor, 1);
        return isPossible && (sequence == 0 || _ends[(int)sequence] != Denied)
            ? null
            : $"{Sector.Describe(bytes)}, but write {floor} came later";
    }
}
