// What recovery says of a file and a world, one difference at a time.
using System;
using System.Linq;
using FastBackup.Base;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class TrackerRecoveryTests
{
    static readonly TrackerShape s_shape = TrackerScene.Shape;

    [Fact]
    public void Closed_IsTheFineMap()
    {
        using RecoveredTracker found = Recover(NewFile(TrackerState.Closed, fineGranule: 3));
        Assert.Equal(TrackerRefusal.None, found.Refusal);
        Assert.Equal((RecoveryRule.Durable, 1ul), (found.Rule, found.Changed!.CountBits()));
        Assert.True(found.Changed.GetBit(3));
        Assert.Empty(found.BadPages);
    }

    [Fact]
    public void OpenInThisBoot_IsTheLiveMap()
    {
        byte[] file = NewFile(TrackerState.Open, fineGranule: 3, openRegion: 20);
        SetLive(file, 3, 5);
        using RecoveredTracker found = Recover(file);
        Assert.Equal((RecoveryRule.Exact, 2ul), (found.Rule, found.Changed!.CountBits()));
        Assert.True(found.Open!.GetBit(20));
    }

    [Theory]
    [InlineData("boot")]
    [InlineData("home")]
    [InlineData("unsettled")]
    [InlineData("lost bit")]
    public void Open_WithAnythingAgainstTheLiveMap_IsFineAndOpenRegions(string what)
    {
        byte[] file = NewFile(TrackerState.Open, fineGranule: 3, openRegion: 20);
        SetLive(file, what == "lost bit" ? 4ul : 3ul, 5);
        TrackerWorld world = World();
        world = what switch
        {
            "boot" => world with { BootId = world.BootId + 1 },
            "home" => world with { Home = (2049, 132) },
            "unsettled" => world with { IsFileSettled = false },
            _ => world,
        };
        using RecoveredTracker found = Recover(file, world);
        Assert.Equal(RecoveryRule.Durable, found.Rule);
        Assert.Equal(1 + s_shape.RegionBytes / s_shape.GranuleBytes, found.Changed!.CountBits());
        Assert.True(found.Changed.GetBit(3));
        Assert.True(found.Changed.GetBit(20 * 64));
    }

    [Fact]
    public void OpenLastRegion_EndsWithTheDisk()
    {
        byte[] file = NewFile(TrackerState.Open, fineGranule: 3, openRegion: s_shape.RegionCount - 1);
        using RecoveredTracker found = Recover(file, World() with { BootId = 1 });
        Assert.True(found.Changed!.GetBit(s_shape.GranuleCount - 1));
        Assert.Equal(s_shape.GranuleCount - 32 * 64 + 1, found.Changed.CountBits());
    }

    [Fact]
    public void AnotherDiskSizeOrStamp_IsRefusedWithTheReason()
    {
        byte[] file = NewFile(TrackerState.Closed);
        TrackerWorld world = World();
        AssertRefused(TrackerRefusal.ForeignDisk, file, world with { DiskId = new Digest32(1, 3), DiskBytes = 1 });
        AssertRefused(TrackerRefusal.ForeignWrites, file, world with { DiskBytes = s_shape.DiskBytes + 1 });
        AssertRefused(TrackerRefusal.Resized, file, world with { DiskBytes = s_shape.DiskBytes - 1 });
        DiskStamp stamp = world.Stamp;
        AssertRefused(TrackerRefusal.ForeignWrites, file, world with { Stamp = stamp with { ModifiedNs = 1 } });
        AssertRefused(TrackerRefusal.ForeignWrites, file, world with { Stamp = stamp with { Places = default } });
        AssertRefused(TrackerRefusal.Inconsistent, NewFile(TrackerState.Inconsistent), world);
        AssertRefused(TrackerRefusal.NotATracker, [], world);
        AssertRefused(TrackerRefusal.NotATracker, new byte[1 << 20], world);
    }

    [Fact]
    public void OpenedFile_HasNoStampToCompare()
    {
        byte[] file = NewFile(TrackerState.Open);
        using RecoveredTracker found = Recover(file, World() with { Stamp = default });
        Assert.Equal(TrackerRefusal.None, found.Refusal);
    }

    [Fact]
    public void FileCutShort_IsRefused()
    {
        byte[] file = NewFile(TrackerState.Closed);
        for (int length = 0; length < file.Length; length += 4096)
        {
            using RecoveredTracker found = Recover(file[..length]);
            TrackerRefusal refusal =
                length == 0 ? TrackerRefusal.NotATracker
                : length < HeaderBytes.LengthBytes ? TrackerRefusal.TornHeader
                : TrackerRefusal.Truncated;
            Assert.Equal(refusal, found.Refusal);
        }
    }

    [Fact]
    public void RottenHeaders_AreOneCopyEach()
    {
        byte[] file = NewFile(TrackerState.Closed);
        file[200] ^= 1;
        using (RecoveredTracker found = Recover(file))
            Assert.Equal((TrackerRefusal.None, false), (found.Refusal, found.IsSecondHeaderBad));
        file[(int)HeaderBytes.SecondCopyAt + 300] ^= 1;
        AssertRefused(TrackerRefusal.TornHeader, file, World());
        file[200] ^= 1;
        using (RecoveredTracker found = Recover(file))
            Assert.Equal((TrackerRefusal.None, true), (found.Refusal, found.IsSecondHeaderBad));
    }

    [Fact]
    public void TwoTrackersOrTwoHistories_AreImpossible()
    {
        byte[] file = NewFile(TrackerState.Closed);
        TrackerHeader header = TrackerScene.Header(s_shape);
        Span<byte> second = file.AsSpan((int)HeaderBytes.SecondCopyAt);
        TrackerScene.Bytes(header with { TrackerId = 5, Sequence = 4 }).CopyTo(second);
        AssertRefused(TrackerRefusal.Impossible, file, World());
        TrackerScene.Bytes(header with { BootId = 5 }).CopyTo(second);
        AssertRefused(TrackerRefusal.Impossible, file, World());
    }

    [Fact]
    public void LaterVersionThatWasCut_IsNotPassedOver()
    {
        byte[] file = NewFile(TrackerState.Closed);
        byte[] later = TrackerScene.Bytes(TrackerScene.Header(s_shape) with { Sequence = 6 });
        later[16] = 2;
        BitConverter.TryWriteBytes(later.AsSpan(8), Crc32C.Of(later.AsSpan(12)));
        later.CopyTo(file, 0);
        AssertRefused(TrackerRefusal.UnknownVersion, file, World());
    }

    [Theory]
    [InlineData((int)AreaKind.FineFirst)]
    [InlineData((int)AreaKind.FineSecond)]
    [InlineData((int)AreaKind.IntentsFirst)]
    [InlineData((int)AreaKind.IntentsSecond)]
    public void LostCopy_ChangesNothing_AndLostBothIsAllOfIt(int kind)
    {
        byte[] file = NewFile(TrackerState.Open, fineGranule: 3, openRegion: 20);
        TrackerArea[] areas = TrackerScene.Header(s_shape).Areas;
        TrackerWorld world = World() with { BootId = 1 };
        TrackerArea lost = areas.Single(area => area.Kind == (AreaKind)kind);
        file.AsSpan((int)lost.OffsetBytes, (int)lost.LengthBytes).Clear();
        using (RecoveredTracker found = Recover(file, world))
            Assert.Equal((65ul, 0ul), (found.Changed!.CountBits(), found.LostBlockCount));
        int twin = (kind & 1) == 0 ? kind + 1 : kind - 1;
        lost = areas.Single(area => area.Kind == (AreaKind)twin);
        file.AsSpan((int)lost.OffsetBytes, (int)lost.LengthBytes).Clear();
        using (RecoveredTracker found = Recover(file, world))
            Assert.Equal((s_shape.GranuleCount, 1ul), (found.Changed!.CountBits(), found.LostBlockCount));
    }

    static void AssertRefused(TrackerRefusal refusal, byte[] file, in TrackerWorld world)
    {
        using RecoveredTracker found = Recover(file, world);
        Assert.Equal(refusal, found.Refusal);
        Assert.Null(found.Changed);
    }

    static RecoveredTracker Recover(byte[] file, TrackerWorld? world = null) =>
        TrackerRecovery.Recover(new ModelFile(file), world ?? World());

    static TrackerWorld World()
    {
        TrackerHeader header = TrackerScene.Header(s_shape);
        return new TrackerWorld(
            header.DiskId,
            s_shape.DiskBytes,
            header.Stamp,
            header.BootId,
            header.Home,
            IsFileSettled: true
        );
    }

    static byte[] NewFile(TrackerState state, ulong? fineGranule = null, ulong? openRegion = null)
    {
        byte[] file = TrackerScene.NewFile(TrackerScene.Header(s_shape, state));
        foreach (TrackerArea area in TrackerScene.Header(s_shape).Areas)
        {
            bool isFine = area.Kind is AreaKind.FineFirst or AreaKind.FineSecond;
            if (area.Kind == AreaKind.Live || (isFine ? fineGranule : openRegion) is not { } bit)
                continue;
            TrackerScene.SetBit(file, area, bit);
        }
        return file;
    }

    static void SetLive(byte[] file, params ReadOnlySpan<ulong> granules)
    {
        TrackerArea live = TrackerScene.Header(s_shape).Find(AreaKind.Live, TrackerScene.MapId);
        foreach (ulong granule in granules)
            file[live.OffsetBytes + granule / 8] |= (byte)(1 << (int)(granule % 8));
    }
}
