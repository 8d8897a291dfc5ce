// The pool against a naive model: which leases are out, and what was written into each buffer. Pools are
// disposed as the last step, not by using: Dispose checks too, and would hide the failure of the test.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed unsafe class BufferPoolTests
{
    const uint BufferBytes = 8192;

    [Fact]
    public void RentAndReturn_AgainstModel()
    {
        Prng prng = new(TestSeed.Next());
        uint count = (uint)prng.Between(1, 40);
        BufferPool pool = Create(count);
        Dictionary<BufferLease, ulong> rented = []; // lease -> tag written at both ends of its buffer
        HashSet<BufferLease> everSeen = [];
        List<BufferLease> returned = [];
        for (ulong step = 1; step <= 5000; step++)
        {
            switch (prng.Below(4))
            {
                case 0 or 1:
                    Assert.Equal(rented.Count < count, pool.TryRent(out BufferLease lease));
                    Assert.Equal(rented.Count == count, lease.IsNone);
                    if (lease.IsNone)
                        break;
                    Assert.True(everSeen.Add(lease));
                    Write(pool, lease, step);
                    rented.Add(lease, step);
                    break;
                case 2 when rented.Count > 0:
                    BufferLease chosen = rented.Keys.ElementAt((int)prng.Below((ulong)rented.Count));
                    pool.Return(chosen);
                    rented.Remove(chosen);
                    returned.Add(chosen);
                    break;
                case 3 when returned.Count > 0:
                    AssertStale(pool, returned[(int)prng.Below((ulong)returned.Count)]);
                    break;
            }
            Assert.Equal(count - (uint)rented.Count, pool.FreeUnitCount);
        }
        foreach ((BufferLease lease, ulong tag) in rented)
        {
            Assert.Equal((tag, tag), Read(pool, lease));
            pool.Return(lease);
        }
        pool.Dispose();
    }

    [Fact]
    public void Buffers_CoverTheRegionWithoutOverlap()
    {
        BufferPool pool = Create(16);
        List<BufferLease> leases = RentAll(pool);
        ulong[] offsets = [.. leases.Select(lease => (ulong)(pool.Address(lease) - pool.Region.Pointer)).Order()];
        Assert.Equal(Enumerable.Range(0, 16).Select(i => (ulong)i * BufferBytes), offsets);
        Assert.Equal(16UL * BufferBytes, pool.Region.LengthBytes);
        leases.ForEach(pool.Return);
        pool.Dispose();
    }

    [Fact]
    public void Rent_TakesTheLowestFreeBuffer()
    {
        BufferPool pool = Create(4);
        List<BufferLease> leases = RentAll(pool);
        pool.Return(leases[0]);
        pool.Return(leases[2]);
        Assert.True(pool.TryRent(out BufferLease warm));
        Assert.Equal(leases[0].Slot, warm.Slot);
        pool.Return(warm);
        pool.Return(leases[1]);
        pool.Return(leases[3]);
        pool.Dispose();
    }

    [Fact]
    public void StaleOrForgedLease_IsInvariantFailure()
    {
        BufferPool pool = Create(2);
        Assert.True(pool.TryRent(out BufferLease lease));
        AssertStale(pool, default);
        AssertStale(pool, lease with { Slot = 2 });
        AssertStale(pool, lease with { Slot = uint.MaxValue });
        AssertStale(pool, lease with { Slot = 1 - lease.Slot });
        AssertStale(pool, new BufferLease(1 - lease.Slot, 1, 0)); // the very generation of a free buffer
        AssertStale(pool, lease with { Generation = lease.Generation + 1 });
        AssertStale(pool, lease with { Generation = lease.Generation + 2 });
        pool.Return(lease);
        AssertStale(pool, lease);
        Assert.True(pool.TryRent(out BufferLease next));
        Assert.Equal(lease.Slot, next.Slot);
        AssertStale(pool, lease);
        pool.Return(next);
        pool.Dispose();
    }

    [Fact]
    public void Dispose_WithALeaseOut_IsInvariantFailure()
    {
        BufferPool pool = Create(2);
        Assert.True(pool.TryRent(out BufferLease lease));
        Assert.Throws<InvariantException>(pool.Dispose);
        pool.Return(lease);
        pool.Dispose();
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(100, 1)]
    [InlineData(4095, 1)]
    [InlineData(4096, 0)]
    [InlineData(4096, (1 << 20) + 1)]
    public void Sizes_OutsideTheirRange_AreInvariantFailures(uint bufferBytes, uint bufferCount) =>
        Assert.Throws<InvariantException>(() => BufferPool.TryCreate(bufferBytes, bufferCount, out _));

    [Fact]
    public void RentAndReturn_AllocateNothing()
    {
        BufferPool pool = Create(8);
        RentAndReturn(pool, 100);
        Assert.Equal(0, Allocations.LeastBytes(() => RentAndReturn(pool, 10_000)));
        pool.Dispose();
    }

    [Fact]
    public void Create_BeyondTheAddressSpace_IsNoMemory()
    {
        Fault fault = BufferPool.TryCreate(1U << 31, 1 << 20, out BufferPool? pool);
        Assert.Equal(FaultKind.NoMemory, fault.Kind);
        Assert.Null(pool);
    }

    [Fact]
    public void RentToKeep_LeavesAWholeBufferFree_AndAnotherBesideHalf()
    {
        Assert.True(BufferPool.TryCreate(4 * 4096, 4096, 32, out BufferPool? pool).IsNone);
        Assert.Equal(12 * 4096ul, pool!.KeptBytesMax);
        List<BufferLease> kept = [];
        while (pool.TryRentToKeep(4096, out BufferLease lease))
            kept.Add(lease);
        Assert.Equal(12, kept.Count);
        Assert.Equal(12 * 4096ul, pool.KeptBytes);
        pool.ReturnKept(kept[0]);
        List<BufferLease> others = [];
        while (pool.FreeUnitCount > 5 && pool.TryRent(4096, out BufferLease lease))
            others.Add(lease);
        Assert.True(pool.TryRentToKeep(4096, out BufferLease again));
        pool.ReturnKept(again);
        Assert.True(pool.TryRent(2 * 4096, out BufferLease last)); // three are free: no whole buffer
        Assert.False(pool.TryRentToKeep(4096, out _));
        Assert.Equal(3u, pool.FreeUnitCount);
        pool.Return(last);
        others.ForEach(pool.Return);
        kept[1..].ForEach(pool.ReturnKept);
        Assert.Equal(0ul, pool.KeptBytes);
        pool.Dispose();
    }

    [Fact]
    public void RentToKeep_InASmallPool_KeepsNothing()
    {
        Assert.True(BufferPool.TryCreate(BufferBytes, 2, out BufferPool? pool).IsNone);
        Assert.Equal(0ul, pool!.KeptBytesMax);
        Assert.False(pool.TryRentToKeep(4096, out _));
        pool.Dispose();
    }

    static BufferPool Create(uint bufferCount)
    {
        Assert.Equal(Fault.None, BufferPool.TryCreate(BufferBytes, bufferCount, out BufferPool? pool));
        return pool!;
    }

    static void RentAndReturn(BufferPool pool, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Check.That(pool.TryRent(out BufferLease lease));
            *pool.Address(lease) = (byte)i;
            pool.Return(lease);
        }
    }

    static List<BufferLease> RentAll(BufferPool pool)
    {
        List<BufferLease> leases = [];
        while (pool.TryRent(out BufferLease lease))
            leases.Add(lease);
        return leases;
    }

    static void AssertStale(BufferPool pool, BufferLease lease)
    {
        uint freeCount = pool.FreeUnitCount;
        Assert.Throws<InvariantException>(() => pool.Return(lease));
        Assert.Throws<InvariantException>(() => _ = *pool.Address(lease));
        Assert.Equal(freeCount, pool.FreeUnitCount);
    }

    static void Write(BufferPool pool, BufferLease lease, ulong tag)
    {
        ulong* words = (ulong*)pool.Address(lease);
        words[0] = tag;
        words[BufferBytes / sizeof(ulong) - 1] = tag;
    }

    static (ulong First, ulong Last) Read(BufferPool pool, BufferLease lease)
    {
        ulong* words = (ulong*)pool.Address(lease);
        return (words[0], words[BufferBytes / sizeof(ulong) - 1]);
    }
}
