// Where captured blocks are: units of the pool (slabs), each cut into blocks. A block may stay for as long as it takes
// the job to come to its cluster, so slabs are rented to be kept: a whole buffer always stays free beside them
// (BufferPool.TryRentToKeep), and what this copy needs to get a cluster to its target is left of its own limit. All
// other memory comes back by itself, so whatever is kept, copies go on.
// Cost: O(slabs) a run of blocks, a look at a word each. Nothing is allocated after construction.
using System;
using System.Numerics;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
sealed class BlockMemory
{
    struct Slab
    {
        public BufferLease Lease;
        public ulong Taken; // a bit a block
    }

    const uint BlocksOfSlabMax = 64;
    const uint BlocksMax = 1 << 14;

    readonly BufferPool _pool;
    readonly CopyMemory _memory;
    readonly Slab[] _slabs;
    readonly uint _blocksOfSlab;
    readonly ulong _slabBytes;
    readonly ulong _leftBytes;
    uint _open; // the slab in which the last run was found

    /// <param name="pool">Of the copy.</param>
    /// <param name="memory">Of the copy.</param>
    /// <param name="blockBytes">A power of two.</param>
    /// <param name="leftBytes">What is left of the copy's own limit.</param>
    public BlockMemory(BufferPool pool, CopyMemory memory, uint blockBytes, ulong leftBytes)
    {
        (_pool, _memory, BlockBytes, _leftBytes) = (pool, memory, blockBytes, leftBytes);
        _slabBytes = (ulong)pool.UnitsFor(blockBytes) * pool.UnitBytes;
        _blocksOfSlab = (uint)Math.Min(_slabBytes / blockBytes, BlocksOfSlabMax);
        ulong limitBytes = memory.CaptureLimitBytes - Math.Min(leftBytes, memory.CaptureLimitBytes);
        LimitBytes = Math.Min(limitBytes, pool.KeptBytesMax);
        _slabs = new Slab[Math.Min(LimitBytes / _slabBytes, BlocksMax / _blocksOfSlab)];
    }

    public uint BlockBytes { get; }

    /// <summary>The most blocks at once; may be 0.</summary>
    public uint Capacity => (uint)_slabs.Length * _blocksOfSlab;

    /// <summary>What may be kept by this copy, if no other does.</summary>
    public ulong LimitBytes { get; }

    /// <summary>Little is left: blocks should go on to the target.</summary>
    public bool IsShort =>
        Math.Max(_memory.KeptBytes, _pool.KeptBytes) > LimitBytes / 4 * 3
        || _memory.CaptureLeftBytes < _leftBytes + _slabBytes;

    /// <summary>Half of what may be kept is.</summary>
    public bool IsHalfFull =>
        Math.Max(_memory.KeptBytes, _pool.KeptBytes) > LimitBytes / 2
        || _memory.CaptureLeftBytes < _leftBytes + _memory.CaptureLimitBytes / 2;

    /// <summary>Takes neighbours in memory.</summary>
    /// <param name="count">1..16.</param>
    /// <param name="place">The first.</param>
    public bool TryTake(uint count, out ushort place)
    {
        place = 0;
        if (count > _blocksOfSlab)
            return false;
        int free = -1;
        for (uint i = 0; i < _slabs.Length; i++)
        {
            uint at = (_open + i) % (uint)_slabs.Length;
            if (_slabs[at].Lease.IsNone)
                free = free < 0 ? (int)at : free;
            else if (TryTakeFrom(at, count, out place))
                return true;
        }
        bool isLeft = _memory.CaptureLeftBytes >= _leftBytes + _slabBytes;
        return free >= 0
            && isLeft
            && _memory.TryKeep(_slabBytes, out _slabs[free].Lease)
            && TryTakeFrom((uint)free, count, out place);
    }

    /// <summary>Gives neighbours back, and their slab with the last of them.</summary>
    public void Return(ushort place, uint count)
    {
        ref Slab slab = ref _slabs[place / _blocksOfSlab];
        ulong run = ((1UL << (int)count) - 1) << (int)(place % _blocksOfSlab);
        Check.That((slab.Taken & run) == run);
        slab.Taken &= ~run;
        if (slab.Taken != 0)
            return;
        BufferLease lease = slab.Lease;
        slab.Lease = default;
        _memory.GiveBack(lease);
    }

    /// <summary>A run's memory, until it is returned.</summary>
    public unsafe Span<byte> Span(ushort place, ulong lengthBytes)
    {
        Check.That(place % _blocksOfSlab * (ulong)BlockBytes + lengthBytes <= _slabBytes);
        // SAFETY: the part lies within a slab that is rented while a block of it is taken.
        return new Span<byte>((void*)Address(place), (int)lengthBytes);
    }

    /// <summary>Of a run that is taken.</summary>
    public unsafe nint Address(ushort place) =>
        // SAFETY: inside the slab; whoever reads to it keeps the run until the read has completed.
        (nint)(_pool.Address(_slabs[place / _blocksOfSlab].Lease) + place % _blocksOfSlab * (ulong)BlockBytes);

    bool TryTakeFrom(uint slab, uint count, out ushort place)
    {
        ulong starts = ~_slabs[slab].Taken & (ulong.MaxValue >> (int)(BlocksOfSlabMax - _blocksOfSlab));
        for (uint i = 1; i < count; i++)
            starts &= starts >> 1;
        int first = BitOperations.TrailingZeroCount(starts);
        place = (ushort)(slab * _blocksOfSlab + (uint)first);
        if (starts == 0)
            return false;
        _slabs[slab].Taken |= ((1UL << (int)count) - 1) << first;
        _open = slab;
        return true;
    }
}
