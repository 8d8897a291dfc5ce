// A tracker at rest whose disk has become larger: what it says before the file has the new size, at every step of
// writing it, and afterwards; for sizes that need more pages and sectors, or no more than a longer last granule.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;
using FastBackup.Tracking.Store;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class TrackerGrowthTests
{
    static readonly ulong s_diskBytes = PointScene.Shape.DiskBytes;

    readonly ModelFile _file = PointScene.NewFile();

    public TrackerGrowthTests()
    {
        PointScene.Change(_file, [1]);
        Assert.True(PointScene.Add(_file, "a").IsNone);
        PointScene.Change(_file, [2]);
        Assert.True(PointScene.Add(_file, "b").IsNone);
        PointScene.Change(_file, [3]);
    }

    public static TheoryData<ulong> Sizes =>
        [
            s_diskBytes + 1,
            151 * 4096,
            s_diskBytes + 5 * 4096,
            40 * Units.MiB, // two sectors of intents
            290 * Units.MiB, // three pages of a map
        ];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Growth_KeepsOldGranules_AndNamesAllThatIsNew(ulong grownBytes)
    {
        byte[] before = (byte[])_file.Cached.Clone();
        Expect(PointScene.Recover(_file, grownBytes), grownBytes);
        Assert.Equal(before, _file.Cached);
        Assert.True(Write(_file, _file, grownBytes).IsNone);
        using RecoveredTracker found = PointScene.Recover(_file, grownBytes);
        Assert.Null(found.Growth);
        Expect(found, grownBytes);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void AnyEnd_AtAnyStep_LosesNothing(ulong grownBytes)
    {
        TriedFile tried = new(_file, grownBytes, new Prng(7));
        Assert.True(Write(_file, tried, grownBytes).IsNone);
        Assert.True(tried.TrialCount >= 60);
    }

    [Fact]
    public void PlaceOfOldMaps_IsUsedAgain()
    {
        for (ulong i = 1; i <= 20; i++)
            Assert.True(Write(_file, _file, s_diskBytes + i * 4096).IsNone);
        ulong lengthBytes = _file.SizeBytes;
        for (ulong i = 21; i <= 40; i++)
            Assert.True(Write(_file, _file, s_diskBytes + i * 4096).IsNone);
        Assert.Equal(lengthBytes, _file.SizeBytes);
        Expect(PointScene.Recover(_file, s_diskBytes + 40 * 4096), s_diskBytes + 40 * 4096);
    }

    [Fact]
    public void APointAfterGrowth_HasNothingOfIt()
    {
        ulong grownBytes = s_diskBytes + 3 * 4096;
        using (RecoveredTracker seen = PointScene.Recover(_file, grownBytes))
        {
            Assert.True(TrackerGrowth.Write(_file, seen, seen.Header!.Stamp, out RecoveredTracker? written).IsNone);
            using PointPlan plan = PointPlan.Add(written!.Header!, written.Chain!, "c", 1, false, isAtRest: true);
            Assert.True(TrackerSteps.ChangePoints(_file, written, plan, written.Header!.Stamp).IsNone);
        }
        using RecoveredTracker found = PointScene.Recover(_file, grownBytes);
        using HierarchicalBitmap since = found.Chain!.Since(found.Chain.Find("c"));
        Assert.Equal(0ul, since.CountBits());
        Assert.Equal(grownBytes, since.SizeBytes);
        Expect(found, grownBytes);
    }

    [Fact]
    public void DiskThatIsSmaller_OrTooLarge_IsRefused()
    {
        using RecoveredTracker smaller = PointScene.Recover(_file, s_diskBytes - 1);
        using RecoveredTracker larger = PointScene.Recover(_file, TrackerShape.DiskMaxBytes + 1);
        Assert.Equal(TrackerRefusal.Resized, smaller.Refusal);
        Assert.Equal(TrackerRefusal.Resized, larger.Refusal);
    }

    [Fact]
    public void PlacesThatDiffer_AreForeignWrites()
    {
        TrackerHeader header = PointScene.Header();
        TrackerWorld world = new(header.DiskId, s_diskBytes + 1, header.Stamp, 1, header.Home, true, default);
        using RecoveredTracker found = TrackerRecovery.Recover(_file, world);
        Assert.Equal(TrackerRefusal.ForeignWrites, found.Refusal);
    }

    static Fault Write(ModelFile file, ITrackerStorage storage, ulong grownBytes)
    {
        using RecoveredTracker seen = PointScene.Recover(file, grownBytes);
        return TrackerGrowth.Write(storage, seen, seen.Header!.Stamp, out _);
    }

    static void Expect(RecoveredTracker found, ulong grownBytes)
    {
        Assert.Equal(TrackerRefusal.None, found.Refusal);
        MapChain chain = found.Chain!;
        Expect(chain, chain.BaseIndex, grownBytes, [1, 2, 3]);
        Expect(chain, chain.Find("a"), grownBytes, [2, 3]);
        Expect(chain, chain.Find("b"), grownBytes, [3]);
    }

    static void Expect(MapChain chain, int index, ulong grownBytes, ulong[] old)
    {
        using HierarchicalBitmap since = chain.Since(index);
        Assert.Equal(grownBytes, since.SizeBytes);
        List<ulong> found = [];
        ulong end = s_diskBytes / 4096;
        for (ulong bit = 0; (bit = since.NextDirtyBit(bit, end)) < end; bit++)
            found.Add(bit);
        Assert.Equal(old, found.AsEnumerable());
        Assert.Equal(HierarchicalBitmap.NotFound, since.NextCleanBit(end, since.BitCount));
    }

    /// <summary>Asked before and after each step what would be there, if all ended here.</summary>
    sealed class TriedFile(ModelFile file, ulong grownBytes, Prng chance) : ITrackerStorage
    {
        public ulong TrialCount { get; private set; }

        public ulong SizeBytes => file.SizeBytes;

        public bool TryRead(ulong offsetBytes, Span<byte> bytes) => file.TryRead(offsetBytes, bytes);

        public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
        {
            Try();
            file.Write(offsetBytes, bytes);
            Try();
            return Fault.None;
        }

        public Fault Grow(ulong sizeBytes) => file.Grow(sizeBytes);

        public Fault Flush()
        {
            Try();
            file.Flush();
            Try();
            return Fault.None;
        }

        void Try()
        {
            TrialCount += 3;
            foreach (ModelFile left in (ModelFile[])[file.Cut(chance), file.Cut(chance, true), file.Kill()])
            {
                using RecoveredTracker found = PointScene.Recover(left, grownBytes);
                Expect(found, grownBytes);
            }
        }
    }
}
