// Memory of blocks: runs never overlap, what is given back can be had again, and what copies need is left to them.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class BlockMemoryTests : IBlockOwner, IDisposable
{
    const uint Block = 4096;
    const uint Slab = 16 * Block;
    const uint SlabsKept = 24; // of 64: BufferPool.KeptBytesMax

    readonly BufferPool _pool;
    readonly List<(BlockMemory Blocks, ushort Place, uint Count)> _taken = [];

    public BlockMemoryTests()
    {
        Assert.True(BufferPool.TryCreate(4 * Slab, Slab, 64, out BufferPool? pool).IsNone);
        _pool = pool!;
    }

    public void Dispose()
    {
        foreach ((BlockMemory blocks, ushort place, uint count) in _taken)
            blocks.Return(place, count);
        _pool.Dispose();
    }

    CopyMemory Memory(ulong captureBytesMax = ulong.MaxValue)
    {
        CopyRules rules = new()
        {
            BackgroundMax = 4,
            CaptureMax = 20,
            TargetMax = 4,
            ReserveBytes = Slab,
            CaptureBytesMax = captureBytesMax,
            ReleasePoint = ReleasePoint.Captured,
        };
        return new CopyMemory(_pool, rules, Block, this);
    }

    bool Take(BlockMemory blocks, uint count)
    {
        bool isTaken = blocks.TryTake(count, out ushort place);
        if (isTaken)
            _taken.Add((blocks, place, count));
        return isTaken;
    }

    [Fact]
    public void RandomRuns_NeverOverlap_AndAllComesBack()
    {
        CopyMemory memory = Memory();
        BlockMemory blocks = new(_pool, memory, Block, 0);
        Assert.Equal(SlabsKept * 16, blocks.Capacity);
        Prng prng = new(TestSeed.Next());
        List<(ushort Place, uint Count)> taken = [];
        HashSet<nint> addresses = [];
        for (int step = 0; step < 20_000; step++)
        {
            if (prng.Chance(1, 2) || taken.Count == 0)
            {
                uint count = 1 + (uint)prng.Below(16);
                if (!blocks.TryTake(count, out ushort place))
                {
                    Assert.InRange(addresses.Count, (int)SlabsKept, int.MaxValue); // no slab is empty
                    continue;
                }
                taken.Add((place, count));
                for (uint i = 0; i < count; i++)
                    Assert.True(addresses.Add(blocks.Address((ushort)(place + i))));
                Assert.Equal(
                    blocks.Address(place) + (nint)((count - 1) * Block),
                    blocks.Address((ushort)(place + count - 1))
                );
                continue;
            }
            int at = (int)prng.Below((ulong)taken.Count);
            (ushort first, uint length) = taken[at];
            taken.RemoveAt(at);
            for (uint i = 0; i < length; i++)
                Assert.True(addresses.Remove(blocks.Address((ushort)(first + i))));
            blocks.Return(first, length);
        }
        foreach ((ushort place, uint count) in taken)
            blocks.Return(place, count);
        Assert.Equal((0ul, 64u), (memory.KeptBytes, _pool.FreeUnitCount));
    }

    [Fact]
    public void AWholeSlab_IsOneRun_AndNoMoreThanThatIs()
    {
        BlockMemory blocks = new(_pool, Memory(), Block, 0);
        for (int i = 0; i < SlabsKept; i++)
            Assert.True(Take(blocks, 16));
        Assert.False(Take(blocks, 1));
        Assert.False(new BlockMemory(_pool, Memory(), Block, 0).TryTake(17, out _));
    }

    [Fact]
    public void WhatIsLeftOfTheCopysOwnLimit_IsNotTaken()
    {
        BlockMemory blocks = new(_pool, Memory(5 * Slab), Block, 2 * Slab);
        Assert.Equal((3 * 16u, 3ul * Slab), (blocks.Capacity, blocks.LimitBytes));
        for (int i = 0; i < 3; i++)
            Assert.True(Take(blocks, 16));
        Assert.True(blocks.IsShort);
        Assert.False(Take(blocks, 1));
        Assert.Equal(0u, new BlockMemory(_pool, Memory(Slab), Block, 2 * Slab).Capacity);
    }

    /// <summary>The pool is everyone's: what another copy keeps is gone for this one, too.</summary>
    [Fact]
    public void WhatAnotherCopyKeeps_MakesItShort()
    {
        BlockMemory mine = new(_pool, Memory(), Block, 0);
        BlockMemory another = new(_pool, Memory(), Block, 0);
        Assert.True(Take(mine, 1));
        for (int i = 0; i < SlabsKept * 3 / 4; i++)
        {
            Assert.False(mine.IsShort);
            Assert.True(Take(another, 16));
        }
        Assert.True(mine.IsShort);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) => Assert.Fail("nothing is submitted");
}
