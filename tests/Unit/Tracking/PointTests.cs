// Points of a tracker at rest: what each says after others were made and deleted, and what a bad file makes of them.
using System;
using System.Linq;
using FastBackup.Base;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;
using FastBackup.Tracking.Store;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class PointTests
{
    readonly ModelFile _file = PointScene.NewFile();

    string Now => PointScene.Describe(_file);

    [Fact]
    public void FileWithoutPoints_HasTheBaseAlone()
    {
        PointScene.Change(_file, [3]);
        Assert.Equal("*:3", Now);
    }

    [Fact]
    public void SinceAPoint_IsWhatCameAfterIt()
    {
        PointScene.Change(_file, [1]);
        Assert.True(PointScene.Add(_file, "a").IsNone);
        PointScene.Change(_file, [2]);
        Assert.True(PointScene.Add(_file, "b").IsNone);
        PointScene.Change(_file, [3, 150]);
        Assert.Equal("*:1,2,3,150 a:2,3,150 b:3,150", Now);
    }

    [Fact]
    public void PointOfABitmap_StaysOne_WhateverIsMadeAndDeleted()
    {
        using (RecoveredTracker found = PointScene.Recover(_file))
        {
            TrackerHeader header = found.Header!;
            using PointPlan plan = PointPlan.Add(header, found.Chain!, "b", 1, false, isAtRest: true, isBitmap: true);
            Assert.True(TrackerSteps.ChangePoints(_file, found, plan, header.Stamp).IsNone);
        }
        foreach (string name in (string[])["x", "y"])
            Assert.True(PointScene.Add(_file, name, movesBase: true).IsNone);
        Assert.True(PointScene.Delete(_file, "x").IsNone);
        using RecoveredTracker later = PointScene.Recover(_file, PointScene.Shape.DiskBytes + 4096);
        Assert.Equal(["b"], later.Chain!.Points.Where(point => point.IsBitmap).Select(point => point.Name));
    }

    [Theory]
    [InlineData("a", "*:1,2,3,4 b:3,4 c:4")]
    [InlineData("b", "*:1,2,3,4 a:2,3,4 c:4")]
    [InlineData("c", "*:1,2,3,4 a:2,3,4 b:3,4")]
    public void Delete_LosesNothingOfTheOthers(string name, string left)
    {
        MakeThree();
        Assert.True(PointScene.Delete(_file, name).IsNone);
        Assert.Equal(left, Now);
        PointScene.Change(_file, [9]);
        Assert.True(PointScene.Add(_file, "d").IsNone); // a map that nobody names goes with the next point
        PointScene.Change(_file, [10]);
        Assert.EndsWith(" d:10", Now);
        Assert.StartsWith("*:1,2,3,4,9,10 ", Now);
    }

    [Fact]
    public void DeleteOfAll_LeavesTheFormatWithoutATable()
    {
        MakeThree();
        foreach (string name in (string[])["c", "a", "b"])
            Assert.True(PointScene.Delete(_file, name).IsNone);
        Assert.Equal("*:1,2,3,4", Now);
        Assert.True(PointScene.Add(_file, "", movesBase: true).IsNone);
        Assert.True(PointScene.Add(_file, "", movesBase: true).IsNone);
        using RecoveredTracker found = PointScene.Recover(_file);
        Assert.Single(found.Chain!.Points);
        Assert.Equal(4, found.Header!.Areas.Length);
        Assert.Equal("*:", Now);
    }

    [Fact]
    public void MovedBase_TakesItsName_AndOldPointsStay()
    {
        MakeThree();
        Assert.True(PointScene.Add(_file, "full", movesBase: true).IsNone);
        PointScene.Change(_file, [7]);
        Assert.Equal("a:2,3,4,7 b:3,4,7 c:4,7 *:7 full:7", Now);
    }

    [Fact]
    public void ManyPoints_KeepTheFileSmall()
    {
        for (int i = 0; i < 300; i++)
        {
            PointScene.Change(_file, [(ulong)(i % 150)]);
            Assert.True(PointScene.Add(_file, $"p{i}").IsNone);
            if (i >= TrackedPoint.CountMax - 1)
                Assert.True(PointScene.Delete(_file, $"p{i - TrackedPoint.CountMax + 1}").IsNone);
        }
        using RecoveredTracker found = PointScene.Recover(_file);
        Assert.Equal(TrackedPoint.CountMax - 1, found.Chain!.Points.Count(point => point.Name.Length > 0));
        ulong mapBytes = 2 * PointScene.Shape.FineBytes;
        Assert.InRange(_file.SizeBytes, 0ul, HeaderBytes.AreasAt + (TrackedPoint.CountMax + 8) * mapBytes);
    }

    [Fact]
    public void LongestNames_FitForAllPoints()
    {
        for (int i = 0; i < TrackedPoint.CountMax; i++)
            Assert.True(PointScene.Add(_file, new string((char)('0' + i), 1023)).IsNone);
        using RecoveredTracker found = PointScene.Recover(_file);
        Assert.Equal(TrackedPoint.CountMax + 1, found.Chain!.Points.Count);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("monday", true)]
    [InlineData("a b/../\u00e4", true)]
    [InlineData("nul\0", false)]
    public void Names_AreThoseOfBitmaps(string name, bool isLegal) => Assert.Equal(isLegal, TrackedPoint.IsName(name));

    [Fact]
    public void TableThatIsLost_MakesEverythingChanged_NeverClean()
    {
        MakeThree();
        Spoil(AreaKind.PointsFirst);
        Assert.Equal("*:1,2,3,4 a:2,3,4 b:3,4 c:4", Now); // the other copy
        Spoil(AreaKind.PointsSecond);
        Assert.Equal("*:all", Now);
        Assert.True(PointScene.Add(_file, "d").IsNone);
        PointScene.Change(_file, [5]);
        Assert.Equal("*:all d:5", Now);
    }

    [Fact]
    public void MapPageThatIsLost_IsChangedInItsMapOnly()
    {
        MakeThree();
        using RecoveredTracker found = PointScene.Recover(_file);
        ulong mapOfB = found.Chain!.Points[2].MapId;
        Spoil(AreaKind.FineFirst, mapOfB);
        Assert.Equal("*:1,2,3,4 a:2,3,4 b:3,4 c:4", Now);
        Spoil(AreaKind.FineSecond, mapOfB);
        Assert.Equal("*:all a:all b:all c:4", Now);
    }

    [Fact]
    public void CopyThatIsBad_IsHealed()
    {
        MakeThree();
        using (RecoveredTracker found = PointScene.Recover(_file))
            Spoil(AreaKind.FineFirst, found.Chain!.Points[1].MapId);
        using (RecoveredTracker found = PointScene.Recover(_file))
        {
            Assert.Single(found.BadFrozen);
            Assert.True(Heal(found));
            Spoil(AreaKind.FineSecond, found.Chain!.Points[1].MapId);
        }
        Assert.Equal("*:1,2,3,4 a:2,3,4 b:3,4 c:4", Now);
    }

    [Fact]
    public void TableThatSaysWhatCannotBe_IsRefused()
    {
        MakeThree();
        using RecoveredTracker found = PointScene.Recover(_file);
        TrackedPoint[] points = [.. found.Chain!.Points];
        TrackerHeader header = found.Header!;
        Assert.True(PointTable.IsLegal(header, points));
        Assert.False(PointTable.IsLegal(header, [points[0], points[0], .. points.AsSpan(1)]));
        Assert.False(PointTable.IsLegal(header, points.AsSpan(0, points.Length - 1)));
        Assert.False(PointTable.IsLegal(header, points.AsSpan(1)));
        Assert.False(
            PointTable.IsLegal(header, [.. points.AsSpan(0, points.Length - 1), points[^1] with { Name = "a" }])
        );
        Assert.False(PointTable.IsLegal(header, [points[0] with { MapId = 999 }, .. points.AsSpan(1)]));
        Assert.Null(PointTable.TryRead(new byte[PointTable.BytesPerPage]));
        byte[] bytes = PointTable.Write(points);
        Assert.Equal(points, PointTable.TryRead(bytes)!);
        bytes[8 + 18] = 0xFF;
        bytes[8 + 19] = 0xFF; // a name longer than all there is
        Assert.Null(PointTable.TryRead(bytes));
    }

    [Fact]
    public void OlderVersions_LeaveSuchAFileAlone()
    {
        MakeThree();
        using RecoveredTracker found = PointScene.Recover(_file);
        foreach (TrackerArea area in found.Header!.Areas)
            if (area.Kind is AreaKind.PointsFirst or AreaKind.PointsSecond)
                Assert.Equal(TrackerArea.MustBeKnown, area.Flags);
    }

    bool Heal(RecoveredTracker found) => FastBackup.Tracking.Storage.TrackerSteps.HealFrozen(_file, found).IsNone;

    void MakeThree()
    {
        ulong granule = 1;
        foreach (string name in (string[])["a", "b", "c"])
        {
            PointScene.Change(_file, [granule++]);
            Assert.True(PointScene.Add(_file, name).IsNone);
        }
        PointScene.Change(_file, [granule]);
    }

    /// <summary>Turns a bit in the first page of an area.</summary>
    void Spoil(AreaKind kind, ulong mapId = 0)
    {
        using RecoveredTracker found = PointScene.Recover(_file);
        TrackerArea area = Array.Find(
            found.Header!.Areas,
            one => one.Kind == kind && (mapId == 0 || one.MapId == mapId)
        );
        _file.Cached[area.OffsetBytes + 70] ^= 1;
        _file.Flush();
    }
}
