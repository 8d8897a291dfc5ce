// What a job says is left, asked for at any moment while copies are under way: whatever it does not name is on the
// target as it was at the point in time, with guests that write, a scratch file, and devices that fail.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Jobs;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class LeftOfJobTests
{
    [Fact]
    public void WhatIsNotLeft_IsOnTheTarget_AtAnyMoment()
    {
        ulong askedCount = 0;
        ulong partCount = 0;
        TestSeed.ForEach(
            15,
            seed =>
            {
                SimulatedFaults faults =
                    seed % 3 == 0 ? new() { ShortCount = 100, WriteError = 5 } : new() { ShortCount = 50 };
                using JobBench bench = new(seed, faults, isDense: seed % 2 == 0);
                byte[] then = (byte[])bench.Source.Content.Clone();
                BackupJob job = bench.Start();
                using HierarchicalBitmap left = HierarchicalBitmap.Create(bench.CapacityBytes, bench.ClusterBytes);
                while (!job.Query().IsEnded)
                {
                    left.ClearBits(0, left.BitCount);
                    if (job.TryAddLeft(left))
                    {
                        askedCount++;
                        partCount += left.CountBits() > 0 && left.CountBits() < left.BitCount ? 1u : 0u;
                        AssertRestIsCopied(bench, then, left);
                    }
                    bench.Loop.RunFor(500_000);
                }
                bench.RunToEnd();
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"asked {askedCount} times, {partCount} of them amid a copy");
        Assert.True(partCount > 100);
    }

    static void AssertRestIsCopied(JobBench bench, byte[] then, HierarchicalBitmap left)
    {
        for (ulong cluster = 0; cluster < left.BitCount; cluster++)
        {
            if (left.GetBit(cluster))
                continue;
            int start = (int)(cluster * bench.ClusterBytes);
            int length = (int)Math.Min(bench.ClusterBytes, bench.CapacityBytes - (ulong)start);
            Assert.True(
                then.AsSpan(start, length).SequenceEqual(bench.TargetContent.Slice(start, length)),
                $"cluster {cluster} is not left, and differs"
            );
        }
    }
}
