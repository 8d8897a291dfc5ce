// One simulated file: its bytes and which 4 KiB blocks are allocated, behind a number that plays the fd.
using System;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Tests.Simulated;

sealed class SimulatedDisk(int fd, ulong capacityBytes)
{
    public const ulong BlockBytes = 4096;

    readonly bool[] _isAllocated = new bool[Units.DivCeil(capacityBytes, BlockBytes)];

    public byte[] Content { get; } = new byte[capacityBytes];

    public FileHandle Handle { get; } = new(fd);

    public FileHandle BufferedHandle { get; } = new(fd);

    /// <summary>What direct transfers must be aligned to; anything else on the direct handle is EINVAL.</summary>
    public uint AlignBytes { get; init; } = 1;

    /// <summary>The file's present size; below the capacity it was truncated while in use.</summary>
    public ulong SizeBytes { get; set; } = capacityBytes;

    public void Write(ulong offset, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Content.AsSpan((int)offset));
        for (ulong block = offset / BlockBytes; block * BlockBytes < offset + (ulong)bytes.Length; block++)
            _isAllocated[block] = true;
    }

    public void Punch(ulong offset, ulong length)
    {
        ulong end = Math.Min(offset + length, (ulong)Content.Length);
        if (offset >= end)
            return;
        Content.AsSpan((int)offset, (int)(end - offset)).Clear();
        ulong lastBlock = end == (ulong)Content.Length ? (ulong)_isAllocated.Length : end / BlockBytes;
        for (ulong block = Units.DivCeil(offset, BlockBytes); block < lastBlock; block++)
            _isAllocated[block] = false;
    }

    public void Zero(ulong offset, ulong length)
    {
        ulong end = Math.Min(offset + length, (ulong)Content.Length);
        if (offset < end)
            Write(offset, new byte[end - offset]);
    }

    /// <summary>What lies past the present end is called data, as FileCalls does.</summary>
    bool IsData(ulong offset) => _isAllocated[offset / BlockBytes] || offset >= SizeBytes;

    public int Map(ulong offset, ulong length, Span<MapEntry> entries)
    {
        ulong end = offset + length;
        int count = 0;
        while (offset < end && count < entries.Length)
        {
            bool isData = IsData(offset);
            ulong next = offset;
            while (next < end && IsData(next) == isData)
                next = Math.Min(end, (next / BlockBytes + 1) * BlockBytes);
            ExtentKind kind = isData ? ExtentKind.Data : ExtentKind.Hole;
            entries[count++] = new MapEntry
            {
                OffsetBytes = offset,
                LengthBytes = next - offset,
                Kind = kind,
            };
            offset = next;
        }
        return count;
    }
}
