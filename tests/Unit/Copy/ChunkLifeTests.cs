// A chunk from its claim to its end, request by request: what counts as being at the devices, what a failure means
// before and after the release point, and what becomes of what the kernel still holds.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class ChunkLifeTests : ICopyOwner, IDisposable
{
    const uint Cluster = 4096;
    const ulong ClusterCount = 512;
    const uint UnitCount = 256;
    static readonly Fault s_fault = new(FaultKind.Io, Errnos.EIO);

    readonly SimulatedLoop _loop = new(1);
    readonly StandingDevice _source = new(ClusterCount * Cluster);
    readonly BufferPool _pool;
    readonly CopyMap _map;
    readonly List<CopyOutcome> _outcomes = [];
    readonly List<ulong> _released = [];
    readonly StandingDevice _scratch = new(16 * Cluster);
    StandingDevice _target = new(ClusterCount * Cluster);
    ScratchSpace? _space;
    CopyEngine _engine;
    bool _isSnapshotLost;

    public ChunkLifeTests()
    {
        Assert.True(BufferPool.TryCreate(4 * Cluster, Cluster, UnitCount, out BufferPool? pool).IsNone);
        _pool = pool!;
        Assert.True(CopyMap.TryCreate(ClusterCount * Cluster, Cluster, out CopyMap? map).IsNone);
        _map = map!;
        _map.MarkAll();
        _engine = NewEngine(ReleasePoint.Captured);
    }

    bool ICopyOwner.IsSnapshotWhole => !_isSnapshotLost;

    CopyOutcome Last => _outcomes[^1];

    ulong LastAt => Last.Extent.OffsetBytes;

    public void Dispose()
    {
        // After a failed assertion things are still in flight; only a clean end is checked by the disposals.
        if (_engine.InFlightCount > 0)
            return;
        Assert.Equal(UnitCount, _pool.FreeUnitCount);
        Assert.Equal((0ul, true), (_engine.InFlightBytes, _engine.DeviceBytes == 0 || _engine.IsOrphaned));
        _engine.Dispose();
        _space?.Dispose();
        _map.Dispose();
        _pool.Dispose();
        _loop.Dispose();
    }

    [Fact]
    public void AChunkOfTheBackground_IsAtTheDevices_FromItsClaimToItsEnd()
    {
        Start(CopyLane.Background, 4, 4);
        Assert.Equal((4ul * Cluster, 4ul * Cluster), (_engine.DeviceBytes, _engine.InFlightBytes));
        Assert.True(_engine.IsBeingRead(7));
        _source.Answer();
        Assert.Equal(4ul * Cluster, _engine.DeviceBytes);
        Assert.False(_engine.IsBeingRead(7));
        _target.AnswerAll();
        Assert.Equal((0ul, 0ul), (_engine.DeviceBytes, _engine.InFlightBytes));
        Assert.Equal((CopyEnd.Done, new Extent(4 * Cluster, 4 * Cluster), true), (Last.End, Last.Extent, Last.WasRead));
        Assert.Equal(4ul * Cluster, _engine.Counters.ReadBytes);
    }

    [Fact]
    public void AGuestsCopy_IsAtTheDevices_WhileItIsRead_AndWhileItIsWritten()
    {
        _engine.IsTargetHeld = true;
        Start(CopyLane.CopyBeforeWrite, 4, 1);
        Assert.Equal((1ul * Cluster, 1u), (_engine.DeviceBytes, _engine.GuestReadCount));
        _source.Answer();
        Assert.Equal([4ul], _released);
        Assert.Equal((0ul, 0u, 1u), (_engine.DeviceBytes, _engine.GuestReadCount, _engine.CapturedCount));
        Assert.Equal(1ul * Cluster, _engine.InFlightBytes);
        _engine.IsTargetHeld = false;
        _engine.Pump();
        Assert.Equal((1ul * Cluster, 0u), (_engine.DeviceBytes, _engine.CapturedCount));
        _target.Answer();
        Assert.Equal((CopyEnd.Done, 1ul * Cluster), (Last.End, _engine.Counters.CopyBeforeWriteBytes));
    }

    [Fact]
    public void AFailedRead_SetsBack_AndTheTargetIsAsItWas()
    {
        Start(CopyLane.Background, 4, 2);
        _source.Answer(s_fault);
        Assert.Equal((CopyEnd.SourceFailed, s_fault, 0), (Last.End, Last.Fault, _target.AskedCount));
        Assert.Equal((true, false, false), (IsTodo(4, 2), IsBusy(4, 2), _map.Unsure.GetBit(4)));
        Assert.Empty(_released);
    }

    [Fact]
    public void AReadThatEndsAfterTheSnapshotIsLost_DoesNotCount()
    {
        Start(CopyLane.Background, 4, 1);
        _isSnapshotLost = true;
        _source.Answer();
        Assert.Equal((CopyEnd.SourceFailed, FaultKind.SnapshotLost), (Last.End, Last.Fault.Kind));
        Assert.Equal((true, 0ul), (IsTodo(4, 1), _engine.Counters.ReadBytes));
    }

    [Fact]
    public void OfAChunkInPieces_TheOneThatFails_EndsByItself()
    {
        _engine.ReadPieceBytes = Cluster;
        Start(CopyLane.Background, 4, 3);
        _source.Answer();
        Assert.Equal([4ul], _released);
        _source.Answer(s_fault);
        Assert.Empty(_outcomes); // told when nothing of it is read any more
        _source.Answer();
        Assert.Equal((CopyEnd.SourceFailed, new Extent(5 * Cluster, Cluster)), (Last.End, Last.Extent));
        Assert.Equal((true, false), (IsTodo(5, 1), IsBusy(5, 1)));
        Assert.Equal(2ul * Cluster, _engine.InFlightBytes);
        _target.AnswerAll();
        Assert.Equal([CopyEnd.SourceFailed, CopyEnd.Done, CopyEnd.Done], _outcomes.ConvertAll(one => one.End));
        Assert.Equal((false, false), (IsTodo(4, 1), IsTodo(6, 1)));
    }

    [Fact]
    public void AFailedWrite_AfterTheRelease_IsParked_UntilItIsWrittenAgain()
    {
        FailWrite();
        Assert.Equal((CopyEnd.Parked, s_fault), (Last.End, Last.Fault));
        Assert.Equal((1u, 0ul, 1u), (_engine.ParkedCount, _engine.DeviceBytes, _engine.InFlightCount));
        Assert.Equal((false, CapturedPlace.Memory), (IsTodo(4, 1), _engine.PlaceOf(4)));
        _engine.Retry(Last.TaskKey);
        Assert.Equal((0u, 1ul * Cluster), (_engine.ParkedCount, _engine.DeviceBytes));
        _target.Answer();
        Assert.Equal((CopyEnd.Done, Fault.None, 1), (Last.End, Last.Fault, _released.Count));
    }

    [Fact]
    public void WhatIsParked_AndGivenUp_IsMarked_AndNobodyKnowsWhatTheTargetHas()
    {
        FailWrite();
        _engine.Abandon(Last.TaskKey);
        Assert.Equal((CopyEnd.TargetFailed, s_fault), (Last.End, Last.Fault));
        Assert.Equal((true, false, true), (IsTodo(4, 1), IsBusy(4, 1), _map.Unsure.GetBit(4)));
        Start(CopyLane.Background, 4, 1);
        _source.Answer();
        _target.Answer();
        Assert.False(_map.Unsure.GetBit(4)); // a later copy has succeeded
    }

    [Fact]
    public void AFailedWrite_BeforeTheRelease_SetsBack()
    {
        Renew(ReleasePoint.Done);
        FailWrite();
        Assert.Equal((CopyEnd.TargetFailed, s_fault, 0u), (Last.End, Last.Fault, _engine.ParkedCount));
        Assert.Equal((true, false, true), (IsTodo(4, 1), IsBusy(4, 1), _map.Unsure.GetBit(4)));
        Assert.Empty(_released);
        Start(CopyLane.Background, 4, 1);
        _source.Answer();
        Assert.Empty(_released); // in memory is not enough
        _target.Answer();
        Assert.Equal([4ul], _released);
    }

    [Theory]
    [InlineData(ReleasePoint.Captured)]
    [InlineData(ReleasePoint.Done)]
    public void AHole_IsReleasedWhenItIsKnown_AndTheTargetMadeZeroLater(ReleasePoint releasePoint)
    {
        Renew(releasePoint);
        Learn(4, 4);
        Assert.Equal((4, 0, 0ul, 0), (_released.Count, _target.AskedCount, _engine.InFlightBytes, _outcomes.Count));
        Assert.True(_engine.TryStartZeroes(8, this));
        Assert.Equal((BlockOperation.WriteZeroes, BlockFlags.MayUnmap), (_target.Asked.Operation, _target.Asked.Flags));
        Assert.Equal((4, 4ul * Cluster), (_released.Count, _engine.DeviceBytes));
        _target.Answer();
        Assert.Equal((4, CopyEnd.Done, false), (_released.Count, Last.End, Last.WasRead));
        Assert.Equal((4ul * Cluster, 0ul), (_engine.Counters.WrittenZeroBytes, _engine.Counters.SkippedZeroBytes));
    }

    [Fact]
    public void AHole_WhereTheTargetIsZeroAlready_EndsAtOnce()
    {
        _target = new StandingDevice(ClusterCount * Cluster, readsAsZero: true);
        Renew(ReleasePoint.Captured);
        Learn(4, 4);
        Assert.Equal((0, CopyEnd.Done, 4), (_target.AskedCount, Last.End, _released.Count));
        Assert.Equal((new Extent(4 * Cluster, 4 * Cluster), false), (Last.Extent, Last.WasRead));
        Assert.False(_engine.TryStartZeroes(8, this)); // that was all
        Assert.Equal((0ul, 4ul * Cluster), (_engine.Counters.WrittenZeroBytes, _engine.Counters.SkippedZeroBytes));
    }

    [Fact]
    public void WhatIsKnownToBeZero_IsReadByNobody()
    {
        Learn(4, 4);
        Assert.False(_engine.TryStart(4, 8, ulong.MaxValue, CopyLane.CopyBeforeWrite, this, out _));
        Assert.True(_engine.TryStart(3, 9, ulong.MaxValue, CopyLane.Background, this, out Extent claimed));
        Assert.Equal(new Extent(3 * Cluster, Cluster), claimed);
        _engine.Offer(4, 4, new byte[4 * Cluster], this);
        Assert.Equal((1, 0ul), (_source.AskedCount, _engine.Counters.OfferedBytes));
        _source.Answer();
        _target.Answer();
    }

    [Fact]
    public void WhereTheTargetIsNotZeroYet_WhatIsGivenUp_IsMarked()
    {
        Learn(4, 4);
        Assert.True(_engine.TryStartZeroes(2, this));
        Assert.True(_engine.DropPiece());
        Assert.Equal((true, false, 2ul), (IsTodo(6, 2), _map.Todo.GetBit(5), _map.Todo.CountBits() + 4 - ClusterCount));
        _target.Answer();
        Assert.Equal((CopyEnd.Done, false), (Last.End, _map.Todo.GetBit(5)));
    }

    [Theory]
    [InlineData(ReleasePoint.Captured)]
    [InlineData(ReleasePoint.Done)]
    public void AHoleThatFails_IsParked_AndMadeZeroAgain(ReleasePoint releasePoint)
    {
        Renew(releasePoint);
        Learn(4, 4);
        Assert.True(_engine.TryStartZeroes(8, this));
        _target.Answer(s_fault);
        Assert.Equal((CopyEnd.Parked, 1u, false), (Last.End, _engine.ParkedCount, IsTodo(4, 4)));
        _engine.Retry(Last.TaskKey);
        Assert.Equal((BlockOperation.WriteZeroes, 4ul * Cluster), (_target.Asked.Operation, _target.Asked.LengthBytes));
        _target.Answer();
        Assert.Equal(CopyEnd.Done, Last.End);
    }

    [Fact]
    public void WhatIsCaptured_IsGivenUpInPieces_AndWhatIsCapturedLater_AtOnce()
    {
        _engine.IsTargetHeld = true;
        for (ulong cluster = 0; cluster < 130; cluster++)
            Start(CopyLane.CopyBeforeWrite, cluster, 1);
        Start(CopyLane.CopyBeforeWrite, 400, 1);
        for (int i = 0; i < 130; i++)
            _source.Answer();
        Assert.Equal((130u, 1u), (_engine.CapturedCount, _engine.GuestReadCount));
        Assert.False(_engine.DropPiece());
        Assert.Equal((2u, 128), (_engine.CapturedCount, _outcomes.Count));
        Assert.True(_engine.DropPiece());
        Assert.Equal((0u, 130), (_engine.CapturedCount, _outcomes.Count));
        Assert.All(
            _outcomes,
            one => Assert.Equal((CopyEnd.TargetFailed, CopyLane.CopyBeforeWrite), (one.End, one.Lane))
        );
        _source.Answer();
        Assert.Equal((0u, 131, 0, true), (_engine.CapturedCount, _outcomes.Count, _target.AskedCount, IsTodo(400, 1)));
    }

    [Fact]
    public void WhatTheKernelStillHolds_IsMarked_AndItsMemoryComesBackWithIt()
    {
        _engine.ReadPieceBytes = Cluster;
        Start(CopyLane.Background, 4, 2); // being read, a half of it there
        Start(CopyLane.Background, 12, 1); // being written
        _source.Answer();
        _source.Answer(s_fault);
        _target.AnswerAll();
        Assert.Equal((CopyEnd.Done, 4ul * Cluster), (Last.End, Last.Extent.OffsetBytes));
        _source.Answer();
        Start(CopyLane.Background, 20, 2);
        _source.Answer();
        Assert.True(_engine.DropPiece());
        int toldCount = _outcomes.Count;
        _engine.Orphan();
        Assert.Equal((3ul * Cluster, 2u), (_engine.InFlightBytes, _engine.InFlightCount));
        Assert.Equal((true, true, true), (IsTodo(12, 1), IsTodo(20, 2), _map.Unsure.GetBit(12)));
        Assert.Equal((false, false), (_map.Unsure.GetBit(20), IsTodo(4, 1)));
        _source.Answer();
        Assert.Equal((UnitCount - 1, 1ul * Cluster), (_pool.FreeUnitCount, _engine.InFlightBytes));
        _target.Answer();
        Assert.Equal((UnitCount, 0u, toldCount), (_pool.FreeUnitCount, _engine.InFlightCount, _outcomes.Count));
    }

    [Fact]
    public void WhatIsInScratch_ComesBack_WhenNothingWaitsInMemory()
    {
        Spill();
        Assert.Equal((CapturedPlace.Memory, CapturedPlace.Scratch), (_engine.PlaceOf(4), _engine.PlaceOf(8)));
        Assert.Equal((2u, 2ul * Cluster, 1u), (_engine.InFlightCount, _engine.InFlightBytes, _engine.CapturedCount));
        Assert.Equal(1ul * Cluster, _engine.Counters.SpilledBytes);
        _engine.Pump();
        Assert.Equal((0, 1), (_target.AskedCount, _scratch.AskedCount)); // held
        _engine.IsTargetHeld = false;
        _engine.Pump();
        Assert.Equal((1, 2, BlockOperation.Read), (_target.AskedCount, _scratch.AskedCount, _scratch.Asked.Operation));
        Assert.Equal((2ul * Cluster, 0u), (_engine.DeviceBytes, _engine.CapturedCount));
        _target.Answer();
        _scratch.Answer();
        _target.Answer();
        Assert.Equal([CopyEnd.Done, CopyEnd.Done], _outcomes.ConvertAll(one => one.End));
        Assert.Equal((8ul * Cluster, 0ul, CapturedPlace.None), (LastAt, _engine.ScratchBytes, _engine.PlaceOf(8)));
    }

    [Fact]
    public void WhatCannotBeReadBack_IsLost()
    {
        Spill();
        _engine.IsTargetHeld = false;
        _engine.Pump();
        _target.Answer();
        _scratch.Answer(s_fault);
        Assert.Equal((CopyEnd.TargetFailed, s_fault, 8ul * Cluster), (Last.End, Last.Fault, LastAt));
        Assert.Equal((true, false, 0ul), (IsTodo(8, 1), _map.Unsure.GetBit(8), _engine.ScratchBytes));
    }

    [Fact]
    public void WhatIsInScratch_IsGivenUpWithTheRest()
    {
        Spill();
        Assert.True(_engine.DropPiece());
        Assert.Equal((0ul, 0u, 0ul), (_engine.InFlightBytes, _engine.InFlightCount, _engine.ScratchBytes));
        Assert.Equal((true, true), (IsTodo(4, 1), IsTodo(8, 1)));
    }

    [Fact]
    public void WhatScratchDidNotTake_StaysInMemory()
    {
        UseScratch();
        StartCaptured(4);
        StartCaptured(8);
        _scratch.Answer(s_fault);
        Assert.Equal((s_fault, 2u, 0ul), (_engine.ScratchFault, _engine.CapturedCount, _engine.ScratchBytes));
        Assert.Equal((1, CapturedPlace.Memory), (_scratch.AskedCount, _engine.PlaceOf(8)));
        _engine.DropPiece();
    }

    void ICopyOwner.OnReleased(ulong firstCluster, ulong clusterCount)
    {
        for (ulong cluster = firstCluster; cluster < firstCluster + clusterCount; cluster++)
            _released.Add(cluster);
    }

    void ICopyOwner.OnCopied(in CopyOutcome outcome) => _outcomes.Add(outcome);

    /// <summary>Cluster 4 is read, and its write fails.</summary>
    void FailWrite()
    {
        Start(CopyLane.Background, 4, 1);
        _source.Answer();
        _target.Answer(s_fault);
    }

    /// <summary>Cluster 4 is captured in memory, 8 in scratch; the target is held.</summary>
    void Spill()
    {
        UseScratch();
        StartCaptured(4);
        StartCaptured(8);
        Assert.Equal((1, 1u), (_scratch.AskedCount, _engine.CapturedCount));
        _scratch.Answer();
    }

    /// <summary>Guests' copies may hold two clusters.</summary>
    void UseScratch()
    {
        Assert.True(ScratchSpace.TryCreate(_scratch, ulong.MaxValue, Cluster, out _space).IsNone);
        _engine.Dispose();
        _engine = NewEngine(ReleasePoint.Captured, 2 * Cluster);
        _engine.IsTargetHeld = true;
    }

    void StartCaptured(ulong cluster)
    {
        Start(CopyLane.CopyBeforeWrite, cluster, 1);
        _source.Answer();
    }

    /// <summary>The source calls them zero.</summary>
    void Learn(ulong first, ulong count)
    {
        Assert.True(_engine.TryLearnZeroes(first, first + count, count, this, out Extent learned));
        Assert.Equal(new Extent(first * Cluster, count * Cluster), learned);
    }

    bool IsTodo(ulong first, ulong count) => _map.Todo.NextCleanBit(first, first + count) >= first + count;

    bool IsBusy(ulong first, ulong count) => _map.Busy.IsAnySet(first, count);

    void Start(CopyLane lane, ulong first, ulong count)
    {
        Assert.True(_engine.TryStart(first, first + count, count * Cluster, lane, this, out Extent claimed));
        Assert.Equal(new Extent(first * Cluster, count * Cluster), claimed);
    }

    CopyEngine NewEngine(ReleasePoint releasePoint, ulong captureBytesMax = ulong.MaxValue)
    {
        CopyRules rules = new()
        {
            BackgroundMax = 8,
            CaptureMax = 200,
            TargetMax = 4,
            ReserveBytes = 16 * Cluster,
            CaptureBytesMax = captureBytesMax,
            ReleasePoint = releasePoint,
            Scratch = _space,
        };
        return new CopyEngine(_source, _target, _map, _pool, rules, new Tracer(_loop.Reactor, "disk"));
    }

    void Renew(ReleasePoint releasePoint)
    {
        _engine.Dispose();
        _engine = NewEngine(releasePoint);
    }
}
