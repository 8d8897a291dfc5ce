// What users of one engine may count on: room, holes on their way, offers, lengths. Devices answer in the next turn.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class CopyEngineTests : ICopyOwner, IDisposable
{
    const uint Cluster = 4096;
    const ulong ClusterCount = 64;
    const uint BufferClusters = 4;
    const uint UnitCount = 16;

    static readonly CopyRules s_rules = new()
    {
        BackgroundMax = 3,
        CaptureMax = 8,
        TargetMax = 2,
        ReserveBytes = 8 * Cluster,
        ReleasePoint = ReleasePoint.Captured,
    };

    readonly SimulatedLoop _loop = new(1);
    readonly VastDevice _source;
    readonly VastDevice _target;
    readonly BufferPool _pool;
    readonly CopyMap _map;
    readonly List<CopyOutcome> _outcomes = [];
    CopyEngine _engine;

    public CopyEngineTests()
    {
        _source = new VastDevice(_loop.Reactor, ClusterCount * Cluster);
        _target = new VastDevice(_loop.Reactor, ClusterCount * Cluster);
        Assert.True(BufferPool.TryCreate(BufferClusters * Cluster, Cluster, UnitCount, out BufferPool? pool).IsNone);
        _pool = pool!;
        Assert.True(CopyMap.TryCreate(ClusterCount * Cluster, Cluster, out CopyMap? map).IsNone);
        _map = map!;
        _map.MarkAll();
        _engine = NewEngine(s_rules);
    }

    bool ICopyOwner.IsSnapshotWhole => true;

    public void Dispose()
    {
        // After a failed assertion things are still in flight; only a clean end is checked by the disposals.
        if (_engine.InFlightCount > 0)
            return;
        _engine.Dispose();
        _map.Dispose();
        _pool.Dispose();
        _source.Dispose();
        _target.Dispose();
        _loop.Dispose();
    }

    [Fact]
    public void WithoutScratch_ThereIsNoneOfIt() =>
        Assert.Equal((0ul, 0ul, Fault.None), (_engine.ScratchBytes, _engine.ScratchLimitBytes, _engine.ScratchFault));

    [Fact]
    public void WhenNoTaskIsFree_NoZeroesAreBegun_AndTheyAreStillToBeMade()
    {
        Learn(0, 4);
        for (ulong cluster = 0; cluster < 3; cluster++)
            Assert.True(_engine.TryStartZeroes(1, this));
        Assert.False(_engine.TryStartZeroes(1, this));
        Assert.Equal((1ul, 3u), (_map.Zeroes.CountBits(), _engine.BackgroundCount));
        GoOn();
        Assert.True(_engine.TryStartZeroes(1, this));
        GoOn();
        Assert.Equal((4, new Extent(3 * Cluster, Cluster)), (_outcomes.Count, _outcomes[^1].Extent));
        Assert.False(_engine.TryStartZeroes(1, this));
        Assert.False(_engine.TryLearnZeroes(0, 4, 4, this, out _)); // nothing is marked there any more
    }

    [Fact]
    public void WhatIsKnownToBeZero_IsReadSo_FromTheMomentOn_UntilTheTargetHasIt()
    {
        Learn(4, 4);
        AssertZeroes();
        Assert.True(_engine.TryStartZeroes(8, this));
        AssertZeroes();
        GoOn();
        Assert.Equal(CapturedPlace.None, _engine.PlaceOf(4)); // the target has it
    }

    void AssertZeroes()
    {
        Assert.Equal((CapturedPlace.None, CapturedPlace.Memory), (_engine.PlaceOf(3), _engine.PlaceOf(4)));
        Assert.Equal((CapturedPlace.Memory, CapturedPlace.None), (_engine.PlaceOf(7), _engine.PlaceOf(8)));
        byte[] bytes = new byte[2 * Cluster];
        bytes.AsSpan().Fill(7);
        Assert.Equal(Cluster - 512ul, _engine.ReadCaptured(7 * Cluster + 512, bytes)); // to its end
        Assert.Equal(-1, bytes.AsSpan(0, (int)Cluster - 512).IndexOfAnyExcept((byte)0));
        Assert.Equal(7, bytes[Cluster - 512]);
        Assert.Equal(0ul, _engine.ReadCaptured(8 * Cluster, bytes));
    }

    [Fact]
    public void WhoFoundNoRoom_IsCalledWhenMemoryIsFree_UntilItLeaves()
    {
        Waiter waiter = new();
        _engine.Waiter = waiter;
        BufferLease[] others = RentAll();
        Assert.False(_engine.CanStart(CopyLane.CopyBeforeWrite));
        Assert.False(_engine.HasRoom(CopyLane.CopyBeforeWrite));
        _pool.Return(others[0]);
        Assert.Equal(1, waiter.CalledCount);
        Assert.True(_engine.HasRoom(CopyLane.CopyBeforeWrite));
        Assert.True(_engine.CanStart(CopyLane.CopyBeforeWrite));
        Assert.False(_engine.HasRoom(CopyLane.Background)); // what is free is the guests'
        _pool.Return(others[1]);
        Assert.Equal(1, waiter.CalledCount); // who found room waits for nothing, and who only looks neither
        Assert.False(_engine.CanStart(CopyLane.Background));
        _engine.StopWaiting();
        foreach (BufferLease lease in others.AsSpan(2))
            _pool.Return(lease);
        Assert.Equal((1, true), (waiter.CalledCount, _engine.CanStart(CopyLane.Background)));
    }

    [Theory]
    [InlineData(CopyLane.Background, 64, 4)] // a buffer
    [InlineData(CopyLane.Background, 3, 3)]
    [InlineData(CopyLane.Background, 0, 1)] // one cluster at least
    [InlineData(CopyLane.CopyBeforeWrite, 64, 2)]
    [InlineData(CopyLane.CopyBeforeWrite, 1, 1)]
    public void AChunk_IsAsLongAsItsLaneMayBe(CopyLane lane, int wantedClusters, int clusters)
    {
        Renew(s_rules with { CaptureChunkBytes = 2 * Cluster });
        Assert.True(Start(8, 64, (ulong)wantedClusters * Cluster, lane, out Extent claimed));
        Assert.Equal(new Extent(8 * Cluster, (ulong)clusters * Cluster), claimed);
        GoOn();
    }

    [Fact]
    public void ForAGuest_OneClusterIsTaken_HoweverShortCopiesAreToBe()
    {
        Renew(s_rules with { CaptureChunkBytes = 1 });
        Assert.True(Start(8, 64, ulong.MaxValue, CopyLane.CopyBeforeWrite, out Extent claimed));
        Assert.Equal((ulong)Cluster, claimed.LengthBytes);
        GoOn();
    }

    [Fact]
    public void InAPoolInPieces_AChunkIsAsLongAsTheLongest()
    {
        BufferLease[] others = RentAll();
        foreach (int free in new[] { 1, 5, 6, 9 })
            _pool.Return(others[free]);
        Assert.True(Start(8, 64, ulong.MaxValue, CopyLane.CopyBeforeWrite, out Extent claimed));
        Assert.Equal(new Extent(8 * Cluster, 2 * Cluster), claimed);
        Assert.True(Start(20, 64, ulong.MaxValue, CopyLane.CopyBeforeWrite, out claimed));
        Assert.Equal(new Extent(20 * Cluster, Cluster), claimed);
        GoOn();
        for (int i = 0; i < others.Length; i++)
            if (i is not (1 or 5 or 6 or 9))
                _pool.Return(others[i]);
    }

    [Fact]
    public void WhatGuestsCopiesMayHold_IsKept()
    {
        Renew(s_rules with { CaptureBytesMax = 3 * Cluster });
        Assert.True(Start(0, 2, ulong.MaxValue, CopyLane.CopyBeforeWrite, out _));
        Assert.True(Start(8, 16, ulong.MaxValue, CopyLane.CopyBeforeWrite, out Extent claimed));
        Assert.Equal((ulong)Cluster, claimed.LengthBytes);
        Assert.False(Start(20, 21, ulong.MaxValue, CopyLane.CopyBeforeWrite, out _));
        Assert.True(Start(20, 21, ulong.MaxValue, CopyLane.Background, out _)); // which has memory of its own
        GoOn();
    }

    [Fact]
    public void TheBackground_HoldsWhatIsAboveTheReserve_OrOneBuffer()
    {
        Assert.Equal(8ul * Cluster, _engine.BackgroundBytesMax);
        Renew(s_rules with { ReserveBytes = 0 });
        Assert.Equal(3ul * BufferClusters * Cluster, _engine.BackgroundBytesMax); // so many chunks
        Renew(s_rules with { ReserveBytes = (UnitCount - 1) * Cluster });
        Assert.Equal((ulong)BufferClusters * Cluster, _engine.BackgroundBytesMax);
    }

    [Fact]
    public void WhatIsOffered_IsTakenWhereItIsMarked_AsFarAsMemoryAboveTheReserveGoes()
    {
        _map.Todo.ClearBits(3, 1);
        byte[] bytes = new byte[32 * Cluster];
        for (int cluster = 0; cluster < 32; cluster++)
            bytes.AsSpan(cluster * (int)Cluster, (int)Cluster).Fill((byte)(cluster + 1));
        _target.IsHeld = true;
        _engine.Offer(1, 32, bytes, this);
        Assert.Equal(8ul * Cluster, _engine.Counters.OfferedBytes);
        Assert.Equal((false, false, true), (_map.Todo.GetBit(1), _map.Todo.GetBit(9), _map.Todo.GetBit(10)));
        byte[] captured = new byte[1];
        foreach (ulong cluster in new ulong[] { 1, 2, 4, 9 })
        {
            Assert.Equal(1ul, _engine.ReadCaptured(cluster * Cluster, captured));
            Assert.Equal((byte)cluster, captured[0]);
        }
        Assert.Equal(CapturedPlace.None, _engine.PlaceOf(3));
        _target.IsHeld = false;
        _target.Run(0);
        GoOn();
        Assert.Equal((0ul, 8ul * Cluster), (_engine.Counters.ReadBytes, DoneBytes()));
    }

    void ICopyOwner.OnReleased(ulong firstCluster, ulong clusterCount) { }

    void ICopyOwner.OnCopied(in CopyOutcome outcome) => _outcomes.Add(outcome);

    CopyEngine NewEngine(CopyRules rules) =>
        new(_source, _target, _map, _pool, rules, new Tracer(_loop.Reactor, "disk"));

    void Renew(CopyRules rules)
    {
        _engine.Dispose();
        _engine = NewEngine(rules);
    }

    void Learn(ulong first, ulong count) =>
        Assert.True(_engine.TryLearnZeroes(first, first + count, count, this, out _));

    bool Start(ulong first, ulong end, ulong lengthBytesMax, CopyLane lane, out Extent claimed) =>
        _engine.TryStart(first, end, lengthBytesMax, lane, this, out claimed);

    BufferLease[] RentAll()
    {
        BufferLease[] leases = new BufferLease[UnitCount];
        foreach (ref BufferLease lease in leases.AsSpan())
            Assert.True(_pool.TryRent(Cluster, out lease));
        return leases;
    }

    ulong DoneBytes()
    {
        ulong sumBytes = 0;
        foreach (CopyOutcome outcome in _outcomes)
            sumBytes += outcome.End == CopyEnd.Done ? outcome.Extent.LengthBytes : 0;
        return sumBytes;
    }

    void GoOn() => _loop.RunUntil(() => _engine.InFlightCount == 0);

    sealed class Waiter : IBufferWaiter
    {
        public int CalledCount { get; private set; }

        public void OnBufferFree() => CalledCount++;
    }
}
