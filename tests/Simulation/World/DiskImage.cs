// One simulated file or device: what is visible, what would survive a power cut, which blocks are allocated, and
// what is wrong with it at present.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Tests.Simulation.World;

sealed class DiskImage
{
    public const ulong BlockBytes = 4096;

    readonly bool[] _isAllocated;
    readonly ulong[] _unflushed; // per sector
    readonly byte[] _content;
    readonly byte[] _durable;

    public DiskImage(ImageStore store, int fd, ulong capacityBytes, uint alignBytes, bool isTarget)
    {
        (Fd, CapacityBytes, SizeBytes, AlignBytes, IsTarget) = (fd, capacityBytes, capacityBytes, alignBytes, isTarget);
        _content = store.Rent((int)capacityBytes);
        _durable = isTarget ? store.Rent((int)capacityBytes) : [];
        _isAllocated = new bool[Units.DivCeil(capacityBytes, BlockBytes)];
        _unflushed = new ulong[isTarget ? capacityBytes / Sector.Bytes / 64 + 2 : 0];
        Handle = new FileHandle(fd);
        BufferedHandle = new FileHandle(fd);
        HostHandle = new FileHandle(fd);
        Reset();
    }

    public int Fd { get; }
    public ulong CapacityBytes { get; }
    public uint AlignBytes { get; }
    public bool IsTarget { get; }

    /// <summary>The aligned descriptor, the other one, and the one through which a hook-mode host writes.</summary>
    public FileHandle Handle { get; }
    public FileHandle BufferedHandle { get; }
    public FileHandle HostHandle { get; }

    /// <summary>Below the capacity the file was truncated while in use.</summary>
    public ulong SizeBytes { get; set; }

    // What is wrong with it.
    public bool IsReadBroken;
    public bool IsWriteBroken;
    public bool IsDisconnected;
    public bool IsFull;
    public bool RefusesAllocate;

    /// <summary>Writes of parts of pages read the page when they begin and write all of it when they end.</summary>
    public bool HasPageCache;
    public Extent BadRead;
    public Extent BadWrite;

    /// <summary>Errors given so far that an engine cannot hide.</summary>
    public ulong HardFaultCount;

    /// <summary>Power cuts so far: what was there is not to be relied on.</summary>
    public uint PowerCutCount { get; private set; }

    /// <summary>Commands that change it, pushed and not delivered.</summary>
    public uint ChangesInFlight;

    public Span<byte> Content => _content.AsSpan(0, (int)CapacityBytes);

    public ReadOnlySpan<byte> Durable => _durable.AsSpan(0, (int)CapacityBytes);

    /// <summary>All zero, nothing allocated, all durable, nothing wrong.</summary>
    public void Reset()
    {
        Content.Clear();
        _durable.AsSpan().Clear();
        Array.Clear(_isAllocated);
        Array.Clear(_unflushed);
    }

    /// <summary>The content, set from outside, is what a power cut leaves too.</summary>
    public void MakeDurable()
    {
        Content.CopyTo(_durable);
        Array.Clear(_unflushed);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_content.AsSpan((int)offset));
        MarkChanged(offset, (ulong)bytes.Length);
        ulong end = offset + (ulong)bytes.Length;
        for (ulong block = offset / BlockBytes; block * BlockBytes < end; block++)
            _isAllocated[block] = true;
    }

    public void Punch(ulong offset, ulong length)
    {
        ulong end = Math.Min(offset + length, CapacityBytes);
        if (offset >= end)
            return;
        Content[(int)offset..(int)end].Clear();
        MarkChanged(offset, end - offset);
        ulong lastBlock = end == CapacityBytes ? (ulong)_isAllocated.Length : end / BlockBytes;
        for (ulong block = Units.DivCeil(offset, BlockBytes); block < lastBlock; block++)
            _isAllocated[block] = false;
    }

    public void Zero(ulong offset, ulong length)
    {
        ulong end = Math.Min(offset + length, CapacityBytes);
        if (offset >= end)
            return;
        Content[(int)offset..(int)end].Clear();
        MarkChanged(offset, end - offset);
        for (ulong block = offset / BlockBytes; block * BlockBytes < end; block++)
            _isAllocated[block] = true;
    }

    public bool IsHole(ulong offset, ulong length)
    {
        for (ulong block = offset / BlockBytes; block * BlockBytes < offset + length; block++)
            if (_isAllocated[block])
                return false;
        return true;
    }

    /// <param name="offset">Start of what is asked.</param>
    /// <param name="length">Length of what is asked.</param>
    /// <param name="entries">Filled.</param>
    /// <param name="blocksMax">Longest entry: a map may come in pieces.</param>
    public int Map(ulong offset, ulong length, Span<MapEntry> entries, ulong blocksMax)
    {
        ulong end = offset + length;
        int count = 0;
        while (offset < end && count < entries.Length)
        {
            bool isAllocated = _isAllocated[offset / BlockBytes];
            ulong limit = Math.Min(end, (offset / BlockBytes + blocksMax) * BlockBytes);
            ulong next = offset;
            while (next < limit && _isAllocated[next / BlockBytes] == isAllocated)
                next = Math.Min(limit, (next / BlockBytes + 1) * BlockBytes);
            entries[count++] = new MapEntry
            {
                OffsetBytes = offset,
                LengthBytes = next - offset,
                Kind = isAllocated ? ExtentKind.Data : ExtentKind.Hole,
            };
            offset = next;
        }
        return count;
    }

    /// <summary>All that was written is durable; or, after an error, any part of it, and no more ever.</summary>
    public void Flush(Prng? lossy)
    {
        for (int i = 0; i < _unflushed.Length; i++)
        {
            if (_unflushed[i] == 0)
                continue;
            ulong kept = lossy == null ? _unflushed[i] : _unflushed[i] & lossy.NextULong();
            CopySectors(_content, _durable, i, kept);
            _unflushed[i] = 0;
        }
    }

    /// <summary>Of what was not flushed any part survives, sector by sector.</summary>
    /// <returns>Whether something was lost.</returns>
    public bool PowerCut(Prng prng)
    {
        bool isLossy = false;
        PowerCutCount++;
        for (int i = 0; i < _unflushed.Length; i++)
        {
            if (_unflushed[i] == 0)
                continue;
            ulong lost = _unflushed[i] & prng.NextULong();
            isLossy |= lost != 0;
            CopySectors(_durable, _content, i, lost);
            CopySectors(_content, _durable, i, _unflushed[i] & ~lost);
            _unflushed[i] = 0;
        }
        return isLossy;
    }

    void CopySectors(byte[] from, byte[] to, int wordIndex, ulong mask)
    {
        for (; mask != 0; mask &= mask - 1)
        {
            int sector = wordIndex * 64 + System.Numerics.BitOperations.TrailingZeroCount(mask);
            int start = sector * Sector.Bytes;
            int length = Math.Min(Sector.Bytes, (int)CapacityBytes - start);
            from.AsSpan(start, length).CopyTo(to.AsSpan(start));
        }
    }

    void MarkChanged(ulong offset, ulong length)
    {
        if (!IsTarget || length == 0)
            return;
        ulong last = (offset + length - 1) / Sector.Bytes;
        for (ulong sector = offset / Sector.Bytes; sector <= last; sector++)
            _unflushed[sector >> 6] |= 1UL << (int)sector;
    }
}
