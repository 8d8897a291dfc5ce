// A guest on a connection of its own: it writes and reads its disk, and knows what must be there.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Memory;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: the world's. Owner of the device: this.</summary>
sealed unsafe class Bystander(FuzzWorld world, NbdDevice device) : IBlockOwner, IDisposable
{
    const int BlockBytes = 4096;

    readonly AlignedRegion _buffer = AlignedRegion.Map(BlockBytes, RegionResidency.Resident);
    readonly byte[] _content = new byte[device.Limits.CapacityBytes];
    readonly Prng _prng = new(1);
    int _offset;
    bool _isWrite;

    public ulong RequestCount { get; private set; }

    public bool IsIdle { get; private set; } = true;

    /// <summary>A read or write somewhere, once the last has ended.</summary>
    public void Begin()
    {
        if (!IsIdle)
            return;
        IsIdle = false;
        _offset = (int)_prng.Below((ulong)(_content.Length - BlockBytes));
        _isWrite = _prng.Chance(1, 2);
        Span<byte> buffer = _buffer.Slice(0, BlockBytes);
        _prng.Fill(buffer);
        device.Submit(
            new BlockRequest
            {
                Operation = _isWrite ? BlockOperation.Write : BlockOperation.Read,
                OffsetBytes = (ulong)_offset,
                LengthBytes = BlockBytes,
                Buffer = _buffer.Start,
                Owner = this,
            }
        );
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault)
            throw new FuzzFailure($"a guest's request failed: {result.Fault}, {device.BrokenBecause}");
        Span<byte> there = _content.AsSpan(_offset, BlockBytes);
        Span<byte> buffer = _buffer.Slice(0, BlockBytes);
        if (_isWrite)
            buffer.CopyTo(there);
        else if (!buffer.SequenceEqual(there))
            throw new FuzzFailure($"a guest has read something else than it had written, at {_offset}");
        RequestCount++;
        IsIdle = true;
    }

    public void Dispose()
    {
        world.RunUntil(() => IsIdle, "a guest's request");
        device.Dispose();
        _buffer.Dispose();
    }
}
