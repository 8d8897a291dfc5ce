// The table against a naive model: which keys are taken, and which entry each names.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed class SlotTableTests
{
    sealed class Entry
    {
        public ulong Tag { get; set; }
    }

    [Fact]
    public void TakeAndFree_AgainstModel()
    {
        Prng prng = new(TestSeed.Next());
        uint capacity = (uint)prng.Between(1, 40);
        SlotTable<Entry> table = new(capacity);
        Dictionary<ulong, ulong> taken = []; // key -> tag of its entry
        HashSet<ulong> everSeen = [];
        List<ulong> freed = [];
        for (ulong step = 1; step <= 5000; step++)
        {
            switch (prng.Below(4))
            {
                case 0 or 1:
                    Assert.Equal(taken.Count < capacity, table.TryTake(out ulong key, out Entry item));
                    if (taken.Count == capacity)
                        break;
                    Assert.True(everSeen.Add(key));
                    Assert.Same(item, table.Get(key));
                    item.Tag = step;
                    taken.Add(key, step);
                    break;
                case 2 when taken.Count > 0:
                    ulong chosen = taken.Keys.ElementAt((int)prng.Below((ulong)taken.Count));
                    table.Free(chosen);
                    taken.Remove(chosen);
                    freed.Add(chosen);
                    break;
                case 3 when freed.Count > 0:
                    AssertStale(table, freed[(int)prng.Below((ulong)freed.Count)]);
                    break;
            }
            Assert.Equal((uint)taken.Count, table.TakenCount);
        }
        AssertWalkEquals(table, taken);
    }

    [Fact]
    public void Full_TakesNothingMore()
    {
        SlotTable<Entry> table = new(3);
        for (int i = 0; i < 3; i++)
            Assert.True(table.TryTake(out _, out _));
        Assert.False(table.TryTake(out ulong key, out Entry item));
        Assert.Equal(0UL, key);
        Assert.Null(item);
        Assert.Equal(3U, table.TakenCount);
    }

    [Fact]
    public void StaleOrForgedKey_IsInvariantFailure()
    {
        SlotTable<Entry> table = new(4);
        Assert.True(table.TryTake(out ulong key, out _));
        AssertStale(table, 0);
        AssertStale(table, ulong.MaxValue);
        AssertStale(table, 1); // the very generation of a slot that is free
        AssertStale(table, key + 1); // a slot that is free
        AssertStale(table, key | 0xFFFF); // a slot that is not there
        AssertStale(table, key + (1UL << 32)); // the generation that a free would give
        AssertStale(table, key + (2UL << 32)); // the generation that the next take would give
        table.Free(key);
        AssertStale(table, key);
    }

    [Fact]
    public void Entries_AreReused()
    {
        SlotTable<Entry> table = new(1);
        Assert.True(table.TryTake(out ulong key, out Entry first));
        table.Free(key);
        Assert.True(table.TryTake(out ulong next, out Entry second));
        Assert.Same(first, second);
        Assert.NotEqual(key, next);
    }

    [Theory]
    [InlineData(0)]
    [InlineData((1 << 24) + 1)]
    public void Capacity_OutsideItsRange_IsInvariantFailure(uint capacity) =>
        Assert.Throws<InvariantException>(() => new SlotTable<Entry>(capacity));

    [Fact]
    public void TryGetAt_PastTheEnd_IsInvariantFailure() =>
        Assert.Throws<InvariantException>(() => new SlotTable<Entry>(4).TryGetAt(4, out _, out _));

    [Fact]
    public void TakeAndFree_AllocateNothing()
    {
        SlotTable<Entry> table = new(8);
        TakeAndFree(table, 100);
        Assert.Equal(0, Allocations.LeastBytes(() => TakeAndFree(table, 10_000)));
    }

    static void TakeAndFree(SlotTable<Entry> table, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Check.That(table.TryTake(out ulong key, out Entry item));
            item.Tag = key;
            table.Free(key);
        }
    }

    static void AssertStale(SlotTable<Entry> table, ulong key)
    {
        uint takenCount = table.TakenCount;
        Assert.False(table.IsTaken(key));
        Assert.Throws<InvariantException>(() => table.Get(key));
        Assert.Throws<InvariantException>(() => table.Free(key));
        Assert.Equal(takenCount, table.TakenCount);
    }

    static void AssertWalkEquals(SlotTable<Entry> table, Dictionary<ulong, ulong> taken)
    {
        Dictionary<ulong, ulong> walked = [];
        for (uint slot = 0; slot < table.Capacity; slot++)
        {
            if (table.TryGetAt(slot, out ulong key, out Entry item))
                walked.Add(key, item.Tag);
            else
                Assert.False(table.IsTaken(key));
        }
        Assert.Equal(taken.OrderBy(pair => pair.Key), walked.OrderBy(pair => pair.Key));
    }
}
