// What the walk makes of the source's map: data is widened to clusters, holes are narrowed, and a second walk knows no
// holes. Clusters of four blocks; the last one is short.
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

    readonly SimulatedLoop _loop = new(1);
    readonly FileDevice _source;
    readonly SimulatedDisk _image;
    readonly PartBench _bench;
    readonly List<(TracePoint Point, ulong First, ulong Count)> _seen = [];
    int _mappedCount;
    bool _isStepping;

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
    public void AClusterThatIsPartlyData_IsData()
    {
        Write(0, 1); // hole in 1..7: cluster 1 is all of it
        Write(8, 1);
        Write(18, 1); // hole in 9..17: cluster 3
        Write(23, 2); // the end of cluster 5, and the beginning of 6
        using BackupWalk walk = NewWalk();
        // At the device's end the hole has the short cluster, too.
        AssertWalks(
            walk,
            "copy 0+1",
            "zero 1+1",
            "copy 2+1",
            "zero 3+1",
            "copy 4+1",
            "copy 5+1",
            "copy 6+1",
            "zero 7+4"
        );
        Assert.True(walk.IsAtEnd);
        Assert.Equal(0ul, _bench.Map.Todo.CountBits());
    }

    [Fact]
    public void AShortLastCluster_ThatBeginsWithData_IsData()
    {
        Write(40, 1);
        using BackupWalk walk = NewWalk();
        AssertWalks(walk, "zero 0+10", "copy 10+1");
    }

    [Fact]
    public void WhatIsNotMarked_IsPassedBy()
    {
        Write(0, 8);
        _bench.Map.Todo.ClearBits(1, 3);
        _bench.Map.Todo.ClearBits(6, 5);
        using BackupWalk walk = NewWalk();
        AssertWalks(walk, "copy 0+1", "zero 4+2");
    }

    [Fact]
    public void Top_LeavesHolesOut_AndLetsGuestsWriteThere()
    {
        Write(4, 2);
        using BackupWalk walk = NewWalk(BackupSync.Top);
        AssertWalks(walk, "drop 0+1", "copy 1+1", "drop 2+9");
        Assert.Equal(CapacityBytes - Cluster, walk.DroppedBytes);
        Assert.False(_bench.Map.Protected.IsAnySet(0, ClusterCount));
    }

    [Fact]
    public void OnAFurtherWalk_NothingIsAHole()
    {
        Write(0, 4);
        using BackupWalk walk = NewWalk();
        AssertWalks(walk, "copy 0+1", "zero 1+10");
        Write(4, 4); // a fresh map: this is data now, and cluster 5 is in a hole still
        _bench.Map.Todo.SetBits(0, 2);
        _bench.Map.Todo.SetBits(5, 1);
        walk.Restart();
        Assert.False(walk.IsAtEnd);
        AssertWalks(walk, "copy 0+1", "copy 1+1", "copy 5+1");
        Assert.True(walk.IsAtEnd);
    }

    [Fact]
    public void WhatIsSetBackBehindTheWalk_WaitsForTheNextOne()
    {
        Write(0, 44);
        using BackupWalk walk = NewWalk();
        Assert.False(walk.TryStep());
        _loop.RunUntil(() => !walk.IsQuerying);
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
        Assert.False(walk.TryStep());
        Assert.Equal((true, 0, 0), (walk.IsQuerying, _mappedCount, _seen.Count));
        _loop.RunUntil(() => !walk.IsQuerying);
        Assert.Equal(1, _mappedCount);
        AssertWalks(walk, [.. Copies(0, ClusterCount)]);
    }

    [Theory]
    [InlineData(4096u, 8192ul)]
    [InlineData(32_768u, 8192ul)]
    [InlineData(65_536u, 4096ul)] // 256 MiB
    public void OfALongHole_OneStepHasAPart(uint clusterBytes, ulong stepClusters)
    {
        using MapDevice source = new(Units.GiB);
        using PartBench bench = new(_loop, source, clusterBytes);
        using BackupWalk walk = new(bench.Disk, bench.Filter, bench.Pacer, BackupSync.Top, () => { });
        Assert.False(walk.TryStep());
        source.Answer((ExtentKind.Hole, Units.GiB));
        Assert.True(walk.TryStep());
        Assert.Equal(stepClusters * clusterBytes, walk.DroppedBytes);
        Assert.True(walk.TryStep());
        Assert.Equal(2 * stepClusters * clusterBytes, walk.DroppedBytes);
    }

    [Fact]
    public void TheRateLimit_IsForData()
    {
        Write(4, 4);
        using BackupWalk walk = NewWalk();
        Assert.False(walk.TryStep());
        _loop.RunUntil(() => !walk.IsQuerying);
        Step(walk, "zero 0+1");
        Assert.True(_bench.Pacer.MayStart(0));
        Step(walk, "copy 1+1");
        Assert.False(_bench.Pacer.MayStart(0)); // 16 KiB at a byte a second
    }

    void ITraceSink.OnTrace(in TraceEvent traceEvent)
    {
        _bench.Map.Clusters(traceEvent.Extent, out ulong first, out ulong count);
        if (_isStepping && traceEvent.Point is TracePoint.Claim or TracePoint.Capture or TracePoint.Skip)
            _seen.Add((traceEvent.Point, first, count));
    }

    BackupWalk NewWalk(BackupSync sync = BackupSync.Full) =>
        new(_bench.Disk, _bench.Filter, _bench.Pacer, sync, () => _mappedCount++);

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

    /// <summary>The next step that begins something; then all ends that it has begun.</summary>
    void Step(BackupWalk walk, string expected)
    {
        string? step = StepOnce(walk);
        while (step == "")
            step = StepOnce(walk);
        Assert.Equal(expected, step);
        _loop.RunUntil(() => _bench.Filter.Engine.InFlightCount == 0);
    }

    /// <summary>All steps to the end of the map; those that only pass something by are left out.</summary>
    void AssertWalks(BackupWalk walk, params string[] expected)
    {
        List<string> steps = [];
        while (true)
        {
            string? step = StepOnce(walk);
            if (step is { Length: > 0 })
                steps.Add(step);
            _loop.RunUntil(() => _bench.Filter.Engine.InFlightCount == 0 && !walk.IsQuerying);
            if (step == null && walk.IsAtEnd)
                break;
        }
        Assert.Equal(expected, steps);
    }

    /// <returns>What the step began; empty when it only passed something by; null when none was taken.</returns>
    string? StepOnce(BackupWalk walk)
    {
        _seen.Clear();
        _isStepping = true;
        bool isTaken = walk.TryStep();
        _isStepping = false;
        if (!isTaken)
            return null;
        if (_seen.Count == 0)
            return "";
        (TracePoint point, ulong first, ulong count) = _seen[^1];
        string what =
            point == TracePoint.Claim ? "copy"
            : point == TracePoint.Capture ? "zero" // known at once
            : "drop";
        return $"{what} {first}+{count}";
    }
}
