// Which step to the end is next: another walk, the flush, success; or an abort, which a device that does not answer
// cannot hold up for ever.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class BackupEndTests : IDisposable
{
    const uint Cluster = 65_536;
    const ulong CapacityBytes = 4 * Cluster;
    const ulong GraceNs = 50 * Units.NsPerMs;
    const ulong FlushGraceNs = 2 * Units.NsPerSecond;

    readonly SimulatedLoop _loop = new(1);
    readonly VastDevice _source;
    readonly PartBench _bench;
    readonly BackupWalk _walk;
    readonly TargetFlush _flush;
    readonly DirtyBitmap _bitmap;
    readonly BitmapFate _fate;
    readonly KeptSizes _sizes;
    readonly BackupEnd _end;

    public BackupEndTests()
    {
        _source = new VastDevice(_loop.Reactor, CapacityBytes);
        _bench = new PartBench(_loop, _source, Cluster);
        _walk = _bench.NewWalk();
        _flush = new TargetFlush(Work, _bench.Target);
        Assert.True(DirtyBitmap.TryCreate("daily", CapacityBytes, Cluster, out DirtyBitmap? bitmap).IsNone);
        _bitmap = bitmap!;
        BackupOptions options = new() { Bitmap = _bitmap, BitmapMode = BitmapMode.Always };
        _fate = new BitmapFate(_bench.Disk, _bench.Map, _flush, options);
        _sizes = new KeptSizes(Work, _source, _bench.Target); // neither can tell
        _end = new BackupEnd(Work, _loop.Reactor, _bench.Filter, _walk, _sizes, _flush, _fate);
    }

    WorkProbe Work => _bench.Work;

    CopyEngine Engine => _bench.Filter.Engine;

    public void Dispose()
    {
        if (Engine.InFlightCount > 0 || _bitmap.IsBusy)
            return;
        _end.Leave();
        _walk.Dispose();
        if (_bench.Disk.FindBitmap(_bitmap.Name) == null)
            _bitmap.Dispose();
        _bench.Dispose();
        _source.Dispose();
        _loop.Dispose();
    }

    [Fact]
    public void WhenAllIsCopied_TheTargetIsFlushed_AndThenItIsDone()
    {
        CopyAll();
        _end.TryEnd(CapacityBytes);
        Assert.Equal((true, 0), (_flush.IsFlushing, Work.SucceededCount));
        _end.TryEnd(CapacityBytes); // nothing more meanwhile
        _loop.RunUntil(() => !_flush.IsFlushing);
        Assert.Equal([Fault.None], Work.Flushes);
        Assert.Equal(CapacityBytes, _flush.FlushedBytes);
        _end.OnFlushed();
        Assert.Equal(1, Work.SucceededCount);
    }

    [Theory]
    [InlineData(JobStatus.Paused)]
    [InlineData(JobStatus.Aborting)]
    public void AFlushThatEndsWhenTheJobDoesNotRun_IsNoSuccess(JobStatus status)
    {
        CopyAll();
        Work.Status = status;
        _end.OnFlushed();
        Assert.Equal(0, Work.SucceededCount);
    }

    [Fact]
    public void WhatWasSetBackMeanwhile_IsNoSuccess()
    {
        CopyAll();
        _bench.Map.Todo.SetBits(1, 1);
        _end.OnFlushed();
        Assert.Equal(0, Work.SucceededCount);
    }

    [Fact]
    public void WhatWasSetBackBehindTheWalk_IsWalkedAgain()
    {
        CopyAll();
        _bench.Map.Todo.SetBits(1, 1);
        _end.TryEnd(CapacityBytes - Cluster);
        Assert.Equal((1, false, false), (Work.GoOnCount, _walk.IsAtEnd, _flush.IsFlushing));
    }

    [Fact]
    public void WhereNoSizeWasAskedFor_TheJobGoesOnFirst()
    {
        _bench.Map.Todo.ClearBits(0, 4);
        WalkToTheEnd();
        _end.TryEnd(0);
        Assert.Equal((1, false), (Work.GoOnCount, _flush.IsFlushing));
        _end.TryEnd(0);
        Assert.Equal((1, true), (Work.GoOnCount, _flush.IsFlushing));
    }

    [Fact]
    public void BeforeAnotherWalk_WhatTheDevicesToldLast_IsForgotten()
    {
        using VastDevice telling = new(_loop.Reactor, CapacityBytes, canTellSize: true);
        KeptSizes sizes = new(Work, telling, _bench.Target);
        BackupEnd end = new(Work, _loop.Reactor, _bench.Filter, _walk, sizes, _flush, _fate);
        CopyAll();
        Assert.False(sizes.HasFirstOrAsks());
        _loop.RunUntil(() => !sizes.IsAsking);
        Assert.False(sizes.HasLastOrAsks());
        _loop.RunUntil(() => !sizes.IsAsking);
        Assert.True(sizes.HasLastOrAsks());
        _bench.Map.Todo.SetBits(1, 1);
        end.TryEnd(CapacityBytes - Cluster);
        Assert.False(sizes.HasLastOrAsks());
        _loop.RunUntil(() => !sizes.IsAsking);
    }

    [Fact]
    public void BeforeTheMapIsWalked_NothingEnds()
    {
        _bench.Map.Todo.ClearBits(0, 4);
        _end.TryEnd(CapacityBytes);
        Assert.Equal((false, 0), (_flush.IsFlushing, Work.GoOnCount));
    }

    [Fact]
    public void WhatTheTargetIsNotZeroIn_IsNoSuccess_AndIsWaitedForByAnAbort()
    {
        CopyAll();
        _bench.Map.Zeroes.SetBits(1, 1);
        _end.OnFlushed();
        Assert.Equal(0, Work.SucceededCount);
        _end.TryEnd(CapacityBytes);
        Assert.Equal((0, false), (Work.GoOnCount, _flush.IsFlushing));
        Work.Status = JobStatus.Aborting;
        _end.TryEnd(0);
        Assert.Equal(0, Work.AbortedCount);
        Assert.True(Engine.DropPiece());
        _end.TryEnd(0);
        Assert.Equal((1, true), (Work.AbortedCount, _bench.Map.Todo.GetBit(1)));
    }

    [Fact]
    public void ABackOff_PutsTheEndOff()
    {
        CopyAll();
        Work.IsBackingOff = true;
        _end.TryEnd(CapacityBytes);
        Assert.False(_flush.IsFlushing);
        Work.IsBackingOff = false;
        Work.IsCopying = false; // paused
        _end.TryEnd(CapacityBytes);
        Assert.False(_flush.IsFlushing);
    }

    [Fact]
    public void AnAbort_WithNothingInFlight_EndsAtOnce_AndOnce()
    {
        Work.Status = JobStatus.Aborting;
        _end.TryEnd(0);
        _end.TryEnd(0);
        Assert.Equal((1, false), (Work.AbortedCount, _flush.IsFlushing));
        _loop.RunFor(2 * GraceNs);
        Assert.Equal((1, false), (Work.AbortedCount, Engine.IsOrphaned));
    }

    [Fact]
    public void AnAbort_WaitsForWhatIsInFlight_ForAWhile()
    {
        HoldOne();
        _end.TryEnd(0);
        _loop.RunFor(GraceNs - 1);
        Assert.Equal((0, false), (Work.AbortedCount, Engine.IsOrphaned));
        _loop.RunFor(1);
        Assert.Equal((1, true, true), (Work.AbortedCount, Engine.IsOrphaned, _flush.IsUnsure));
        Assert.True(_bench.Map.Todo.GetBit(0));
        _end.TryEnd(0);
        _loop.RunFor(2 * GraceNs);
        Assert.Equal(1, Work.AbortedCount); // once
        Answer();
    }

    [Fact]
    public void WhatEndsInTime_IsNotLeftToTheKernel()
    {
        HoldOne();
        _end.TryEnd(0);
        _loop.RunFor(GraceNs / 2);
        Answer();
        _end.TryEnd(0);
        Assert.Equal(1, Work.AbortedCount);
        _loop.RunFor(GraceNs);
        Assert.Equal((1, false, false), (Work.AbortedCount, Engine.IsOrphaned, _flush.IsUnsure));
    }

    [Fact]
    public void WhatIsCapturedAndNotGivenUpYet_IsWaitedForAgain()
    {
        _source.IsHeld = true;
        Assert.True(_bench.Filter.TryStartBackground(0, 1, Cluster, out _));
        Work.Status = JobStatus.Aborting;
        _end.TryEnd(0);
        _loop.RunFor(GraceNs);
        Assert.Equal((0, false), (Work.AbortedCount, Engine.IsOrphaned));
        Assert.True(Engine.DropPiece());
        _loop.RunFor(GraceNs);
        Assert.Equal((1, true), (Work.AbortedCount, Engine.IsOrphaned));
        Answer();
    }

    [Theory]
    [InlineData(JobStatus.Running)]
    [InlineData(JobStatus.Concluded)]
    public void OnlyAJobThatAborts_LeavesAnythingToTheKernel(JobStatus status)
    {
        HoldOne();
        _end.TryEnd(0);
        Work.Status = status;
        _loop.RunFor(2 * GraceNs);
        Assert.Equal((0, false), (Work.AbortedCount, Engine.IsOrphaned));
        Answer();
    }

    [Fact]
    public void WhoLeaves_IsNotToldAnyMore()
    {
        HoldOne();
        _end.TryEnd(0);
        _end.Leave();
        _loop.RunFor(2 * GraceNs);
        Assert.Equal((0, false), (Work.AbortedCount, Engine.IsOrphaned));
        Answer();
    }

    [Fact]
    public void WhatTheBitmapIsToForget_IsFlushedBeforeTheAbort_UnlessItIs()
    {
        Freeze();
        Work.Status = JobStatus.Aborting;
        _end.TryEnd(Cluster);
        Assert.Equal((true, 0), (_flush.IsFlushing, Work.AbortedCount));
        _loop.RunUntil(() => !_flush.IsFlushing);
        _end.TryEnd(Cluster);
        Assert.Equal((false, 1, 1ul * Cluster), (_flush.IsFlushing, Work.AbortedCount, _flush.FlushedBytes));
        Thaw();
    }

    [Fact]
    public void AFlushThatHangs_HoldsTheAbortUpForTwoSeconds()
    {
        Freeze();
        Work.Status = JobStatus.Aborting;
        _bench.Target.IsHeld = true;
        _end.TryEnd(Cluster);
        _end.TryEnd(Cluster); // as after each run of the job's loop
        Engine.DropPiece();
        _loop.RunFor(FlushGraceNs - 1);
        Assert.Equal(0, Work.AbortedCount);
        _loop.RunFor(1);
        Assert.Equal((1, true, false), (Work.AbortedCount, _flush.IsUnsure, _flush.FlushedBytes > 0));
        Thaw();
    }

    /// <summary>As the job's loop does, until nothing is marked.</summary>
    void CopyAll()
    {
        Assert.True(_sizes.HasFirstOrAsks());
        WalkToTheEnd();
        Assert.Equal(0ul, _bench.Map.Todo.CountBits());
    }

    void WalkToTheEnd()
    {
        _walk.Begin();
        while (!_walk.IsAtEnd)
        {
            _walk.TryStep();
            _loop.RunFor(Units.NsPerMs);
        }
    }

    /// <summary>A chunk whose read does not end, in a job that is aborting.</summary>
    void HoldOne()
    {
        _source.IsHeld = true;
        Assert.True(_bench.Filter.TryStartBackground(0, 1, Cluster, out _));
        Work.Status = JobStatus.Aborting;
        Assert.True(Engine.DropPiece());
    }

    void Answer()
    {
        _source.IsHeld = false;
        _source.Run(0);
        _loop.RunUntil(() => Engine.InFlightCount == 0);
    }

    void Freeze()
    {
        Disk.Quiesce(
            _loop.Reactor,
            [_bench.Disk],
            () =>
            {
                _bench.Disk.Add(_bitmap);
                Assert.True(_fate.Freeze().IsNone);
            }
        );
        Assert.True(_fate.NeedsFlush);
    }

    void Thaw()
    {
        Disk.Quiesce(_loop.Reactor, [_bench.Disk], _fate.Abort);
        while (_fate.IsSettling)
            _fate.Settle();
    }
}
