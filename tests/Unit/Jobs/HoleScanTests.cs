// Holes are let go as the source tells of them: what is marked, whole, and never captured in part; a piece a turn; and
// nothing once the snapshot is given up.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class HoleScanTests : IDisposable
{
    const uint Cluster = 65_536;
    const ExtentKind Data = ExtentKind.Data;
    const ExtentKind Hole = ExtentKind.Hole;

    readonly SimulatedLoop _loop = new(1);
    readonly MapDevice _source = new(Units.GiB);
    readonly PartBench _bench;
    readonly HoleScan _scan;
    int _mappedCount;

    public HoleScanTests()
    {
        _bench = new PartBench(_loop, _source, Cluster);
        _scan = new HoleScan(_bench.Disk, _bench.Filter, BackupSync.Full, () => _mappedCount++);
    }

    CopyMap Map => _bench.Map;

    public void Dispose()
    {
        _scan.Dispose();
        _bench.Dispose();
        _loop.Dispose();
    }

    [Fact]
    public void Holes_AreFree_AndData_IsStillProtected()
    {
        Ask();
        Answer((Data, 2 * Cluster), (Hole, 3 * Cluster), (Data, Cluster));
        Assert.Equal((6ul, false), (_scan.MappedCluster, _scan.IsAtEnd));
        Assert.Equal((true, false, true), (IsProtected(1), IsProtected(4), IsProtected(5)));
        Assert.Equal((3ul, 6ul * Cluster), (Map.Zeroes.CountBits(), _source.Asked.OffsetBytes));
        Answer((ExtentKind.Zero, Units.GiB - 6 * Cluster));
        RunToEnd();
        Assert.Equal((3ul, 0u), (Map.Todo.CountBits(), _source.InFlightCount));
    }

    [Fact]
    public void AHoleInTwoAnswers_HasTheClusterBetweenThem()
    {
        Ask();
        Answer((Data, Cluster), (Hole, Cluster + 4096));
        Assert.Equal((2ul, true), (_scan.MappedCluster, IsProtected(2)));
        Answer((Hole, Cluster - 4096), (Data, Units.GiB - 3 * Cluster));
        Assert.Equal((true, true, false, false), (_scan.IsAtEnd, IsProtected(0), IsProtected(1), IsProtected(2)));
    }

    [Fact]
    public void OfALongHole_ATurnHasAPart()
    {
        using MapDevice source = new(Units.GiB);
        using PartBench bench = new(_loop, source, 4096);
        using HoleScan scan = new(bench.Disk, bench.Filter, BackupSync.Full, () => { });
        scan.Begin();
        _loop.RunUntil(() => scan.IsQuerying);
        source.Answer((Hole, Units.GiB));
        _loop.RunUntil(() => scan.MappedCluster > 0);
        Assert.Equal((32_768ul, 32_768ul), (scan.MappedCluster, bench.Map.Zeroes.CountBits()));
        _loop.RunUntil(() => scan.IsAtEnd);
        Assert.Equal(bench.Map.ClusterCount, bench.Map.Zeroes.CountBits());
    }

    [Fact]
    public void WhatIsNotMarked_IsNotAskedFor_NorTouched()
    {
        Map.Todo.ClearBits(0, 100);
        Map.Todo.ClearBits(104, Map.ClusterCount - 104);
        Ask();
        Assert.Equal(100ul * Cluster, _source.Asked.OffsetBytes);
        Answer((Hole, 6 * Cluster), (Data, Units.GiB - 106 * Cluster));
        Assert.Equal((true, 4ul, 0ul), (_scan.IsAtEnd, Map.Zeroes.CountBits(), Map.Todo.CountBits()));
        Assert.Equal((true, false, true), (IsProtected(99), IsProtected(103), IsProtected(104)));
    }

    [Fact]
    public void WhenTheSnapshotIsGivenUp_NoHoleCounts()
    {
        Ask();
        _bench.Filter.Break(new Fault(FaultKind.Io, Errnos.EIO));
        Answer((Hole, Units.GiB));
        Assert.Equal((Map.ClusterCount, 0ul), (Map.Todo.CountBits(), Map.Zeroes.CountBits()));
        Assert.Equal(0u, _source.InFlightCount); // and nothing more is asked
    }

    [Fact]
    public void WithSyncNone_NothingIsAsked_WhereTheTargetWouldLackTheZeroes()
    {
        using HoleScan scan = new(_bench.Disk, _bench.Filter, BackupSync.None, () => { });
        scan.Begin();
        _loop.RunFor(Units.NsPerMs);
        Assert.Equal((0u, 0ul), (_source.InFlightCount, scan.MappedCluster));
    }

    /// <summary>What is not of the top layer must not be written, however long its map takes.</summary>
    [Theory]
    [InlineData(BackupSync.Full, true)]
    [InlineData(BackupSync.Top, false)]
    public void ASlowMap_IsPassedBy_UnlessItSaysWhatIsCopied(BackupSync sync, bool isPassed)
    {
        using MapDevice source = new(Units.GiB);
        using PartBench bench = new(_loop, source, Cluster);
        using HoleScan scan = new(bench.Disk, bench.Filter, sync, () => { });
        scan.Begin();
        _loop.RunFor(Units.NsPerSecond);
        Assert.Equal((true, isPassed), (scan.IsQuerying, scan.IsSlow));
        source.Answer((Data, Cluster), (Hole, Units.GiB - Cluster));
        _loop.RunUntil(() => scan.IsAtEnd);
        Assert.Equal(1ul, bench.Map.Todo.CountBits());
    }

    [Fact]
    public void AnErrorOfTheMap_MakesTheRestData()
    {
        Ask();
        _source.Fail(new Fault(FaultKind.Io, Errnos.EIO));
        RunToEnd();
        Assert.Equal(Map.ClusterCount, Map.Todo.CountBits());
    }

    bool IsProtected(ulong cluster) => Map.Protected.GetBit(cluster);

    void Ask()
    {
        _scan.Begin();
        _loop.RunUntil(() => _scan.IsQuerying);
    }

    void Answer(params (ExtentKind Kind, ulong LengthBytes)[] runs)
    {
        _source.Answer(runs);
        _loop.RunFor(Units.NsPerMs);
    }

    void RunToEnd()
    {
        _loop.RunUntil(() => _scan.IsAtEnd);
        Assert.True(_mappedCount > 0);
    }
}
