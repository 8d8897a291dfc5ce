using System;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed class UnitRunsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(300)]
    public void RandomUse_AgainstAnArray(int count)
    {
        Prng prng = new(TestSeed.Next());
        UnitRuns runs = new((uint)count);
        bool[] isTaken = new bool[count];
        System.Collections.Generic.List<(uint First, uint Length)> taken = [];
        uint next = 0;
        for (int step = 0; step < 20_000; step++)
        {
            uint length = 1 + (uint)prng.Below(prng.Chance(1, 4) ? (ulong)count : 5);
            switch (prng.Below(4))
            {
                case 0:
                {
                    int wanted = Find(isTaken, 0, length);
                    Assert.Equal(wanted >= 0, runs.TryTake(length, out uint first));
                    if (wanted >= 0)
                        Take(wanted, (int)first);
                    break;
                }
                case 1:
                {
                    int wanted = Find(isTaken, (int)next, length);
                    if (wanted < 0)
                        wanted = Find(isTaken, 0, length);
                    Assert.Equal(wanted >= 0, runs.TryTakeNext(length, out uint first));
                    if (wanted < 0)
                        break;
                    Take(wanted, (int)first);
                    next = first + length;
                    break;
                }
                default:
                    if (taken.Count == 0)
                        break;
                    int index = (int)prng.Below((ulong)taken.Count);
                    (uint start, uint size) = taken[index];
                    taken.RemoveAt(index);
                    runs.Return(start, size);
                    isTaken.AsSpan((int)start, (int)size).Clear();
                    break;
            }
            Assert.Equal((uint)isTaken.AsSpan().Count(false), runs.FreeCount);
            Assert.Equal(Longest(isTaken, length), runs.LongestRun(length));

            void Take(int wanted, int first)
            {
                Assert.Equal(wanted, first);
                isTaken.AsSpan(first, (int)length).Fill(true);
                taken.Add(((uint)first, length));
            }
        }
    }

    [Fact]
    public void NextFit_GoesOn_ThenReusesTheStart()
    {
        UnitRuns runs = new(10);
        Assert.True(runs.TryTakeNext(4, out uint first));
        runs.Return(first, 4);
        Assert.True(runs.TryTakeNext(4, out uint second));
        Assert.Equal(4u, second);
        Assert.True(runs.TryTakeNext(4, out uint third));
        Assert.Equal(0u, third);
    }

    [Fact]
    public void Return_OfFreeUnits_IsInvariantFailure()
    {
        UnitRuns runs = new(10);
        Assert.True(runs.TryTake(2, out uint first));
        Assert.Throws<InvariantException>(() => runs.Return(first, 3));
        Assert.Throws<InvariantException>(() => runs.Return(8, 3));
    }

    static int Find(bool[] isTaken, int from, uint length)
    {
        for (int first = from; first + length <= isTaken.Length; first++)
            if (!isTaken.AsSpan(first, (int)length).Contains(true))
                return first;
        return -1;
    }

    static uint Longest(bool[] isTaken, uint lengthMax)
    {
        uint longest = 0;
        uint run = 0;
        foreach (bool taken in isTaken)
        {
            run = taken ? 0 : run + 1;
            longest = Math.Max(longest, run);
        }
        return Math.Min(longest, lengthMax);
    }
}
