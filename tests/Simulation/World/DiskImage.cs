// One simulated file or device: what is visible, what would survive a power cut, which blocks are allocated, and
// what is wrong with it at present.
using System;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Tests.Simulation.World;

sealed class DiskImage
{
    public const ulong BlockBytes = 4096;

    readonly bool[] _isAllocated;
    readonly ulong[] _unflushed; // per sector
    readonly byte[] _content;
    readonly byte[] _durable;
    byte[]? _medium; // where it differs from the content: the device has told lies

    /// <param name="store">Has the bytes.</param>
    /// <param name="fd">Its number.</param>
    /// <param name="capacityBytes">What it has.</param>
    /// <param name="alignBytes">Of its aligned descriptor.</param>
    /// <param name="isTarget">Written by the engine only; what a power cut leaves is known.</param>
    /// <param name="threads">Where there is no ring.</param>
    public DiskImage(
        ImageStore store,
        int fd,
        ulong capacityBytes,
        uint alignBytes,
        bool isTarget,
        FileThreads? threads = null
    )
    {
        (Fd, CapacityBytes, SizeBytes, AlignBytes, IsTarget) = (fd, capacityBytes, capacityBytes, alignBytes, isTarget);
        _content = store.Rent((int)capacityBytes);
        _durable = isTarget ? store.Rent((int)capacityBytes) : [];
        _isAllocated = new bool[Units.DivCeil(capacityBytes, BlockBytes)];
        _unflushed = new ulong[capacityBytes / Sector.Bytes / 64 + 2];
        Threads = threads;
        Handle = new FileHandle(fd) { Workers = threads };
        BufferedHandle = new FileHandle(fd) { Workers = threads };
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

    /// <summary>Those that carry out what the engine asks of it; null with a ring.</summary>
    public FileThreads? Threads { get; }

    /// <summary>So much longer it says that it is: room that nobody may use.</summary>
    public ulong TailBytes { get; init; }

    /// <summary>Below the capacity it was truncated while in use; above, it has grown.</summary>
    public ulong SizeBytes { get; private set; }

    /// <summary>Sizes that it has had before this one.</summary>
    public uint ResizeCount { get; private set; }

    // What is wrong with it.
    public bool IsReadBroken;
    public bool IsWriteBroken;
    public bool IsDisconnected;
    public bool IsFull;
    public bool RefusesAllocate;

    /// <summary>Whatever it is asked, it does not answer.</summary>
    public bool IsHung;

    /// <summary>Space of it is used again only when nobody reads it any more.</summary>
    public bool IsScratch;

    /// <summary>It may say that it has written what it has not.</summary>
    public bool MayLie;

    /// <summary>Writes of parts of pages read the page when they begin and write all of it when they end.</summary>
    public bool HasPageCache;
    public Extent BadRead;
    public Extent BadWrite;

    /// <summary>Errors given so far that an engine cannot hide.</summary>
    public ulong HardFaultCount;

    /// <summary>Times that it could not tell what it holds: a failure to who copies the top layer only.</summary>
    public ulong MapFaultCount;

    /// <summary>Flushes that failed: what of the writes before them is durable is anybody's guess.</summary>
    public uint FlushFaultCount;

    /// <summary>Power cuts so far: what was there is not to be relied on.</summary>
    public uint PowerCutCount { get; private set; }

    /// <summary>Commands that change it, pushed and not delivered.</summary>
    public uint ChangesInFlight;

    public Span<byte> Content => _content.AsSpan(0, (int)CapacityBytes);

    /// <summary>What is really there, when all caches have forgotten what they were told.</summary>
    public ReadOnlySpan<byte> Medium => _medium ?? Content;

    /// <summary>What was written is not all on the medium.</summary>
    public bool HasLied => _medium != null;

    public ReadOnlySpan<byte> Durable => _durable.AsSpan(0, (int)CapacityBytes);

    public void Resize(ulong sizeBytes)
    {
        ResizeCount += sizeBytes == SizeBytes ? 0u : 1u;
        SizeBytes = sizeBytes;
    }

    /// <summary>All zero, nothing allocated, all durable, nothing wrong.</summary>
    public void Reset()
    {
        Content.Clear();
        _medium = null;
        _durable.AsSpan().Clear();
        Array.Clear(_isAllocated);
        Array.Clear(_unflushed);
    }

    /// <summary>The content, set from outside, is what a power cut leaves too.</summary>
    public void MakeDurable()
    {
        Content.CopyTo(_durable);
        _medium = null;
        Array.Clear(_unflushed);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> bytes) => Write(offset, bytes, offset);

    /// <summary>Of a lie; reads show what was written until the caches forget it.</summary>
    /// <param name="offset">Where it was to be.</param>
    /// <param name="bytes">What.</param>
    /// <param name="mediumOffset">Where the medium has it; ulong.MaxValue = nowhere.</param>
    public void Write(ulong offset, ReadOnlySpan<byte> bytes, ulong mediumOffset)
    {
        if (mediumOffset != offset)
            _medium ??= Content.ToArray();
        if (_medium != null && mediumOffset != ulong.MaxValue)
            bytes.CopyTo(_medium.AsSpan((int)mediumOffset));
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
        _medium?.AsSpan((int)offset, (int)(end - offset)).Clear();
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
        _medium?.AsSpan((int)offset, (int)(end - offset)).Clear();
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
            if (IsTarget)
                CopySectors(_content, _durable, i, kept);
            _unflushed[i] = 0;
        }
    }

    /// <summary>A write that is durable when it ends.</summary>
    public void Flush(in Extent extent)
    {
        for (ulong sector = extent.OffsetBytes / Sector.Bytes; sector * Sector.Bytes < extent.EndBytes; sector++)
        {
            ulong bit = _unflushed[sector >> 6] & 1UL << (int)sector;
            if (IsTarget)
                CopySectors(_content, _durable, (int)(sector >> 6), bit);
            _unflushed[sector >> 6] &= ~bit;
        }
    }

    /// <summary>None of the whole sectors of the range would be lost with the power.</summary>
    public bool IsFlushed(in Extent extent)
    {
        ulong first = Units.DivCeil(extent.OffsetBytes, Sector.Bytes);
        for (ulong sector = first; sector < extent.EndBytes / Sector.Bytes; sector++)
            if ((_unflushed[sector >> 6] >> (int)sector & 1) != 0)
                return false;
        return true;
    }

    /// <summary>Of what was not flushed any part survives, sector by sector.</summary>
    /// <returns>Whether something was lost.</returns>
    public bool PowerCut(Prng prng)
    {
        bool isLossy = false;
        PowerCutCount++;
        _medium = null;
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

    /// <summary>A flush from now on would leave these bytes there, durable.</summary>
    public bool WillHold(ulong offset, ReadOnlySpan<byte> expected)
    {
        while (!expected.IsEmpty)
        {
            ulong sector = offset / Sector.Bytes;
            int length = (int)Math.Min((sector + 1) * Sector.Bytes - offset, (ulong)expected.Length);
            bool isUnflushed = (_unflushed[sector >> 6] >> (int)sector & 1) != 0;
            byte[] bytes = isUnflushed ? _content : _durable;
            if (!bytes.AsSpan((int)offset, length).SequenceEqual(expected[..length]))
                return false;
            offset += (ulong)length;
            expected = expected[length..];
        }
        return true;
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
        if (length == 0)
            return;
        ulong last = (offset + length - 1) / Sector.Bytes;
        for (ulong sector = offset / Sector.Bytes; sector <= last; sector++)
            _unflushed[sector >> 6] |= 1UL << (int)sector;
    }
}
