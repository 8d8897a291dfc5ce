// The way of a captured chunk to scratch and back: the youngest goes, the one that came first returns, and what fails
// stays in memory.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class SpillQueueTests : IDisposable
{
    const uint Cluster = CaptureBench.Cluster;
    static readonly Fault s_fault = new(FaultKind.Io, Errnos.EIO);

    readonly CaptureBench _bench = new();

    SpillQueue Spill => _bench.Spill;

    CapturedList Waiting => _bench.Captures.Waiting;

    public void Dispose() => _bench.Dispose();

    [Fact]
    public void TheYoungestGoes_ToTheNextPlace()
    {
        CopyTask old = _bench.Capture(10);
        CopyTask young = _bench.Capture(20, 3);
        Assert.True(Spill.TrySpillLast(Waiting));
        Assert.Same(old, Waiting.Last);
        BlockRequest request = _bench.Device.Asked;
        Assert.Equal(
            (BlockOperation.Write, 0ul, 3ul * Cluster, young.Key),
            (request.Operation, request.OffsetBytes, request.LengthBytes, request.UserData)
        );
        Assert.Equal((1u, 3ul * Cluster), (Spill.SpillingCount, Spill.SpillingBytes));
        Assert.Equal((CopyTask.State.Spilling, 1u), (young.Step, young.PendingCount));
        Assert.True(Spill.TrySpillLast(Waiting));
        Assert.Equal(
            (3ul * Cluster, 1ul * Cluster),
            (_bench.Device.Asked.OffsetBytes, _bench.Device.Asked.LengthBytes)
        );
        Assert.Equal((2u, 4ul * Cluster), (Spill.SpillingCount, Spill.SpillingBytes));
        Assert.False(Spill.TrySpillLast(Waiting)); // none is left
    }

    [Fact]
    public void WhatIsWritten_IsFoundThere_AndNotInMemory()
    {
        CopyTask task = _bench.Capture(20, 2);
        Assert.True(Spill.TrySpillLast(Waiting));
        Assert.False(Spill.Has(20)); // on its way
        Assert.Equal(SpillEnd.Spilled, Spill.OnSpilled(task, Fault.None, isDropping: false));
        Assert.Equal((true, true, false), (Spill.Has(20), Spill.Has(21), Spill.Has(22)));
        Assert.False(_bench.Tasks.TryGet(20, out _));
        Assert.Equal((0u, 0ul, 1u), (Spill.SpillingCount, Spill.SpillingBytes, Spill.WaitingCount));
        Assert.Equal(2ul * Cluster, Spill.UsedBytes);
        _bench.Free(task);
    }

    [Fact]
    public void AFailedWrite_LeavesTheDataInMemory_AndEndsTheUseOfTheFile()
    {
        CopyTask task = _bench.Capture(20);
        Assert.True(Spill.TrySpillLast(Waiting));
        Assert.Equal(SpillEnd.Kept, Spill.OnSpilled(task, s_fault, isDropping: false));
        Assert.Equal((s_fault, 0u, 0ul, 0ul), (Spill.Fault, Spill.SpillingCount, Spill.SpillingBytes, Spill.UsedBytes));
        Assert.Equal((false, true), (Spill.Has(20), _bench.Tasks.TryGet(20, out _)));
        Assert.Equal((ScratchSpace.NoEntry, 0u), (task.ScratchEntry, task.PendingCount));
        Waiting.Append(task);
        Assert.False(Spill.TrySpillLast(Waiting));
        Assert.Same(task, Waiting.Last);
    }

    [Fact]
    public void WhatArrivesAfterTheEnd_IsNotKept()
    {
        CopyTask task = _bench.Capture(20);
        Assert.True(Spill.TrySpillLast(Waiting));
        Assert.Equal(SpillEnd.Dropped, Spill.OnSpilled(task, Fault.None, isDropping: true));
        Assert.Equal((false, 0ul, 0u), (Spill.Has(20), Spill.UsedBytes, Spill.WaitingCount));
        Assert.True(_bench.Tasks.TryGet(20, out _)); // whose end takes it out
    }

    [Fact]
    public void OnlyAChunkThatIsAllThere_Goes()
    {
        CopyTask task = _bench.Capture(20, 2);
        task.Captured = 0;
        Assert.False(Spill.TrySpillLast(Waiting));
        Assert.Equal((0, 1u), (_bench.Device.AskedCount, Waiting.Count));
    }

    [Fact]
    public void NoMoreThanEight_AreOnTheirWay()
    {
        for (ulong cluster = 0; cluster < 9; cluster++)
            _bench.Capture(cluster);
        for (int i = 0; i < 8; i++)
            Assert.True(Spill.TrySpillLast(Waiting));
        Assert.False(Spill.TrySpillLast(Waiting));
        Assert.Equal((8, 1u), (_bench.Device.AskedCount, Waiting.Count));
    }

    [Fact]
    public void WithoutAPlace_ItStaysWhereItIs()
    {
        for (ulong cluster = 0; cluster < 16; cluster += 4)
        {
            _bench.Capture(cluster, 4);
            _bench.SpillLast();
        }
        CopyTask task = _bench.Capture(20);
        Assert.False(Spill.TrySpillLast(Waiting));
        Assert.Same(task, Waiting.Last);
        Assert.Equal((0u, 16ul * Cluster, Fault.None), (Spill.SpillingCount, Spill.UsedBytes, Spill.Fault));
    }

    [Theory]
    [InlineData(512u, 1024ul)]
    [InlineData(4096u, 4096ul)]
    [InlineData(1u, CaptureBench.LastBytes)]
    public void TheShortLastCluster_IsPadded_SoThatItStaysAligned(uint alignBytes, ulong lengthBytes)
    {
        using CaptureBench bench = new(scratchAlignBytes: alignBytes);
        bench.Capture(CaptureBench.ClusterCount - 1);
        Assert.True(bench.Spill.TrySpillLast(bench.Captures.Waiting));
        Assert.Equal(lengthBytes, bench.Device.Asked.LengthBytes);
    }

    [Fact]
    public void WhatCameFirst_ReturnsFirst_ReleasedAndReadable()
    {
        _bench.Capture(10);
        _bench.Capture(20, 2);
        _bench.SpillLast(); // 20
        _bench.SpillLast(); // 10
        Assert.True(Spill.TryPeekFirst(out ulong needBytes));
        Assert.Equal(2ul * Cluster, needBytes);
        CopyTask task = _bench.TakeFirst();
        Assert.Equal((20ul, 2ul), (task.Pieces.FirstCluster, task.Pieces.ClusterCount));
        Assert.Equal((CopyTask.State.Recalling, 1u), (task.Step, task.PendingCount));
        Assert.Equal((true, true, true), (task.IsWhole, task.HasReleased(20), task.HasReleased(21)));
        Assert.Same(_bench, task.Owner);
        Spill.Recall(task);
        BlockRequest request = _bench.Device.Asked;
        Assert.Equal(
            (BlockOperation.Read, BlockFlags.Padded, 0ul, 2ul * Cluster),
            (request.Operation, request.Flags, request.OffsetBytes, request.LengthBytes)
        );
        Assert.Equal((1u, true), (Spill.WaitingCount, Spill.Has(20)));
        Spill.Unindex(20, 2);
        Spill.Free(task.ScratchEntry);
        Assert.Equal((false, 1ul * Cluster), (Spill.Has(20), Spill.UsedBytes));
        Assert.Equal(10ul, _bench.TakeFirst().Pieces.FirstCluster);
        Assert.False(Spill.TryPeekFirst(out _));
    }

    [Fact]
    public void AReader_FindsItsByte_AndHoldsThePlace()
    {
        _bench.Capture(10);
        _bench.Capture(20, 3);
        _bench.SpillLast(); // 20 to 22, at 0
        _bench.SpillLast(); // 10, at 3
        uint entry = Spill.Pin(21 * Cluster + 7, out IBlockDevice device, out ulong offsetBytes, out ulong lengthBytes);
        Assert.Same(_bench.Device, device);
        Assert.Equal((Cluster + 7ul, 2 * Cluster - 7ul), (offsetBytes, lengthBytes));
        CopyTask task = _bench.TakeFirst();
        Spill.Free(task.ScratchEntry);
        Assert.Equal(4ul * Cluster, Spill.UsedBytes); // read still
        Spill.Unpin(entry);
        Assert.Equal(1ul * Cluster, Spill.UsedBytes);
    }

    [Fact]
    public void WhatIsGivenUp_IsMarkedAgain_OldestFirst()
    {
        foreach (ulong cluster in new ulong[] { 63, 20, 10 })
        {
            _bench.Capture(cluster);
            _bench.SpillLast();
        }
        Assert.Equal(CaptureBench.LastBytes + Cluster, Spill.Drop(runsMax: 2));
        Assert.Equal((true, true, false), (IsTodo(63), IsTodo(20), IsTodo(10)));
        Assert.Equal((false, false, true), (Spill.Has(63), Spill.Has(20), Spill.Has(10)));
        Assert.Equal((1u, 1ul * Cluster), (Spill.WaitingCount, Spill.UsedBytes));
        Assert.Equal(1ul * Cluster, Spill.Drop(runsMax: 2));
        Assert.Equal(0ul, Spill.Drop(runsMax: 2));
    }

    bool IsTodo(ulong cluster) => _bench.Map.Todo.GetBit(cluster);
}
