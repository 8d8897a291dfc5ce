// What the walk makes of what the scan has left: data in order, zeroes where it waits, no holes the second time, and no
// wait for a source that does not tell its map. Clusters of four blocks; the last one is short.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Jobs;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class BackupWalkTests : ITraceSink, IDisposable
{
    const ulong Block = SimulatedDisk.BlockBytes;
    const uint Cluster = 4 * (uint)Block;
    const ulong ClusterCount = 11;
    const ulong CapacityBytes = 10 * Cluster + Block + 100;
    const ulong SlowNs = 100 * Units.NsPerMs;

    readonly SimulatedLoop _loop = new(1);
    readonly FileDevice _source;
    readonly SimulatedDisk _image;
    readonly PartBench _bench;
    readonly List<string> _steps = [];
    int _mappedCount;

    public BackupWalkTests()
    {
        _source = _loop.OpenFile(CapacityBytes, out _image);
        _bench = new PartBench(_loop, _source, Cluster, speedBytesPerSecond: 1);
        _loop.Reactor.Trace = this;
    }

    public void Dispose()
    {
        _bench.Dispose();
        _source.Dispose();
        _loop.Dispose();
    }

    [Fact]
    public void AClusterThatIsPartlyData_IsData_AndZeroesAreMadeLast()
    {
        Write(0, 1); // hole in 1..7: cluster 1 is all of it
        Write(8, 1);
        Write(18, 1); // hole in 9..17: cluster 3
        Write(23, 2); // the end of cluster 5, and the beginning of 6
        using BackupWalk walk = NewWalk();
        // At the device's end the hole has the short cluster, too.
        AssertWalks(
            walk,
            "known 1+1",
            "known 3+1",
            "known 7+4",
            "copy 0+1",
            "copy 2+1",
            "copy 4+1",
            "copy 5+1",
            "copy 6+1"
        );
        Assert.Equal([(1ul, 1ul), (3, 1), (7, 4)], _zeroes);
        Assert.Equal(0ul, _bench.Map.Todo.CountBits());
    }

    [Fact]
    public void AShortLastCluster_ThatBeginsWithData_IsData()
    {
        Write(40, 1);
        using BackupWalk walk = NewWalk();
        AssertWalks(walk, "known 0+10", "copy 10+1");
    }

    [Fact]
    public void WhatIsNotMarked_IsPassedBy()
    {
        Write(0, 8);
        _bench.Map.Todo.ClearBits(1, 3);
        _bench.Map.Todo.ClearBits(6, 5);
        using BackupWalk walk = NewWalk();
        AssertWalks(walk, "known 4+2", "copy 0+1");
    }

    [Fact]
    public void Top_LeavesHolesOut_AndLetsGuestsWriteThere()
    {
        Write(4, 2);
        using BackupWalk walk = NewWalk(BackupSync.Top);
        AssertWalks(walk, "drop 0+1", "drop 2+9", "copy 1+1");
        Assert.Equal(CapacityBytes - Cluster, walk.DroppedBytes);
        Assert.False(_bench.Map.Protected.IsAnySet(0, 1));
        Assert.False(_bench.Map.Protected.IsAnySet(2, ClusterCount - 2));
    }

    [Fact]
    public void OnAFurtherWalk_NothingIsAHole()
    {
        Write(0, 4);
        using BackupWalk walk = NewWalk();
        AssertWalks(walk, "known 1+10", "copy 0+1");
        _bench.Map.Todo.SetBits(0, 2);
        _bench.Map.Todo.SetBits(5, 1);
        walk.Restart();
        Assert.False(walk.IsAtEnd);
        AssertWalks(walk, "copy 0+1", "copy 1+1", "copy 5+1");
    }

    [Fact]
    public void WhatIsSetBackBehindTheWalk_WaitsForTheNextOne()
    {
        Write(0, 44);
        using BackupWalk walk = NewWalk();
        walk.Begin();
        _loop.RunFor(Units.NsPerMs);
        Step(walk, "copy 0+1");
        Step(walk, "copy 1+1");
        _bench.Map.Todo.SetBits(0, 1); // it failed: the others come first
        AssertWalks(walk, [.. Copies(2, ClusterCount - 2)]);
        walk.Restart();
        AssertWalks(walk, "copy 0+1");
    }

    [Fact]
    public void WhereTheMapIsNotThere_NoStepIsTaken_AndItsUserIsCalled()
    {
        Write(0, 44);
        using BackupWalk walk = NewWalk();
        walk.Begin();
        Assert.False(walk.TryStep());
        _loop.RunUntil(() => walk.IsQuerying);
        Assert.False(walk.TryStep());
        Assert.Equal((0, 0), (_mappedCount, _steps.Count));
        _loop.RunUntil(() => _mappedCount == 1);
        AssertWalks(walk, [.. Copies(0, ClusterCount)]);
    }

    [Fact]
    public void AMapThatDoesNotCome_IsWaitedForAWhile_ThenAllIsData_UntilItComes()
    {
        using MapDevice source = new(CapacityBytes);
        using PartBench bench = new(_loop, source, Cluster);
        bench.Map.Todo.ClearBits(0, ClusterCount);
        bench.Map.Todo.SetBits(9, 2);
        using BackupWalk walk = bench.NewWalk(onMapped: () => _mappedCount++);
        walk.Begin();
        _loop.RunUntil(() => walk.IsQuerying);
        Assert.Equal(9ul * Cluster, source.Asked.OffsetBytes); // no more than is marked
        Assert.True(walk.TryStep()); // what is not marked is passed by
        Assert.False(walk.TryStep());
        _loop.RunFor(SlowNs - 1);
        Assert.False(walk.TryStep());
        Assert.Equal(1, _mappedCount);
        _loop.RunFor(1);
        Assert.Equal(2, _mappedCount);
        bench.Map.Todo.ClearBits(9, 2); // as if copied: this source cannot be read
        Assert.True(walk.TryStep());
        Assert.Equal((true, false), (walk.IsAtEnd, walk.IsQuerying)); // it is not waited for at the end, either
        source.Answer((ExtentKind.Hole, CapacityBytes - 9 * Cluster));
        _loop.RunFor(Units.NsPerMs);
        Assert.True(walk.IsAtEnd);
    }

    [Fact]
    public void TheRateLimit_IsForData()
    {
        Write(4, 4);
        using BackupWalk walk = NewWalk();
        walk.Begin();
        _loop.RunFor(Units.NsPerMs);
        Assert.True(_bench.Pacer.MayStart(0)); // although holes were let go
        Step(walk, "copy 1+1");
        Assert.False(_bench.Pacer.MayStart(0)); // 16 KiB at a byte a second
    }

    readonly List<(ulong First, ulong Count)> _zeroes = [];

    void ITraceSink.OnTrace(in TraceEvent traceEvent)
    {
        _bench.Map.Clusters(traceEvent.Extent, out ulong first, out ulong count);
        bool isKnown = traceEvent.Cause == 1;
        string? what = traceEvent.Point switch
        {
            TracePoint.Capture => isKnown ? "known" : "copy",
            TracePoint.Skip => "drop",
            _ => null,
        };
        if (what != null)
            _steps.Add($"{what} {first}+{count}");
        if (traceEvent.Point == TracePoint.Copied && !_steps.Contains($"copy {first}+{count}"))
            _zeroes.Add((first, count));
    }

    BackupWalk NewWalk(BackupSync sync = BackupSync.Full) => _bench.NewWalk(sync, () => _mappedCount++);

    void Write(ulong firstBlock, ulong blockCount)
    {
        ulong offsetBytes = firstBlock * Block;
        byte[] bytes = new byte[Math.Min(blockCount * Block, CapacityBytes - offsetBytes)];
        Array.Fill(bytes, (byte)1);
        _image.Write(offsetBytes, bytes);
    }

    static IEnumerable<string> Copies(ulong first, ulong count)
    {
        for (ulong cluster = first; cluster < first + count; cluster++)
            yield return $"copy {cluster}+1";
    }

    /// <summary>One step, until all that it has begun has ended.</summary>
    void Step(BackupWalk walk, string expected)
    {
        _steps.Clear();
        Assert.True(walk.TryStep());
        _loop.RunUntil(() => _bench.Filter.Engine.InFlightCount == 0);
        Assert.Equal([expected], _steps);
    }

    /// <summary>All steps to the end of the map; those that only pass something by are left out.</summary>
    void AssertWalks(BackupWalk walk, params string[] expected)
    {
        _steps.Clear();
        if (_mappedCount == 0)
            walk.Begin();
        for (int turns = 0; !walk.IsAtEnd; turns++)
        {
            Assert.InRange(turns, 0, 1000);
            _loop.RunFor(Units.NsPerMs);
            walk.TryStep();
            _loop.RunUntil(() => _bench.Filter.Engine.InFlightCount == 0);
        }
        Assert.Equal(expected, _steps);
    }
}
