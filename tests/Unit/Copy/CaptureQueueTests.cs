// What captured data may go to the target, to scratch and back: by the pacer's leave, by how full memory is, and
// without asking anybody when it runs short.
using System;
using FastBackup.Copy;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class CaptureQueueTests
{
    const uint Cluster = CaptureBench.Cluster;

    [Fact]
    public void WithoutAPacer_AllMayGo_FourAtOnce()
    {
        using CaptureBench bench = new();
        for (int i = 0; i < 4; i++)
        {
            Assert.True(MayWrite(bench));
            bench.Captures.BeginWriting();
        }
        Assert.False(MayWrite(bench));
        bench.Captures.EndWriting(65536);
        Assert.True(MayWrite(bench));
    }

    [Theory]
    [InlineData(ReleasePoint.Captured, false)]
    [InlineData(ReleasePoint.Done, true)] // a guest waits for the target itself
    public void ATargetThatRefuses_IsSpared_UnlessGuestsWaitForIt(ReleasePoint releasePoint, bool mayWrite)
    {
        using CaptureBench bench = new(releasePoint: releasePoint);
        bench.Captures.IsTargetHeld = true;
        Assert.Equal(mayWrite, MayWrite(bench));
        bench.Captures.IsDropping = true;
        Assert.False(MayWrite(bench));
    }

    [Theory]
    [InlineData(ReleasePoint.Captured, false)]
    [InlineData(ReleasePoint.Done, true)]
    public void ThePacerIsAsked_UnlessGuestsWait(ReleasePoint releasePoint, bool mayWrite)
    {
        Pacer pacer = new();
        using CaptureBench bench = new(releasePoint: releasePoint);
        bench.Captures.Pacer = pacer;
        Assert.Equal(mayWrite, bench.Captures.MayWrite(3, 5));
        Assert.Equal(mayWrite ? (0ul, 0ul) : (3ul, 5ul), pacer.Asked);
        pacer.Answer = true;
        Assert.True(MayWrite(bench));
        bench.Captures.BeginWriting();
        bench.Captures.EndWriting(65536);
        Assert.Equal(65536ul, pacer.WrittenBytes);
    }

    [Theory]
    [InlineData(3ul, 0u)] // of 16 clusters: the share of less than one write
    [InlineData(4ul, 1u)]
    [InlineData(7ul, 1u)]
    [InlineData(8ul, 2u)]
    public void TheFullerMemoryIs_TheMoreGo_WhateverThePacerSays(ulong waitingClusters, uint writes)
    {
        using CaptureBench bench = new();
        bench.Captures.Pacer = new Pacer();
        for (ulong cluster = 0; cluster < waitingClusters; cluster++)
            bench.Capture(cluster);
        for (uint i = 0; i < writes; i++)
        {
            Assert.True(MayWrite(bench));
            bench.Captures.BeginWriting();
        }
        Assert.False(MayWrite(bench));
    }

    [Theory]
    [InlineData(8ul, false)]
    [InlineData(9ul, true)] // more than half of the 16 clusters
    public void WhatPilesUp_StopsTheBackground(ulong waitingClusters, bool isPiledUp)
    {
        using CaptureBench bench = new();
        for (ulong cluster = 0; cluster < waitingClusters; cluster++)
            bench.Capture(cluster);
        Assert.Equal(isPiledUp, bench.Captures.IsPiledUp);
    }

    [Fact]
    public void WhatIsInScratch_StopsTheBackground()
    {
        using CaptureBench bench = new();
        bench.Capture(1);
        Assert.False(bench.Captures.IsPiledUp);
        bench.SpillLast();
        Assert.True(bench.Captures.IsPiledUp);
    }

    [Fact]
    public void WhenThePoolRunsShort_ThePacerIsNotAsked()
    {
        using CaptureBench bench = new(unitCount: 16);
        bench.Captures.Pacer = new Pacer();
        BufferLease[] others = Rent(bench, 8);
        Assert.False(MayWrite(bench)); // half of the reserve is free
        BufferLease last = Rent(bench, 1)[0];
        Assert.True(MayWrite(bench));
        Return(bench, [.. others, last]);
    }

    [Theory]
    [InlineData(16ul, false)]
    [InlineData(17ul, true)] // more than half of 32
    public void WhenGuestsCopiesHoldHalf_ThePacerIsNotAsked(ulong heldClusters, bool mayWrite)
    {
        using CaptureBench bench = new(unitCount: 64, captureMax: 64);
        Hold(bench, heldClusters);
        bench.Captures.Pacer = new Pacer();
        Assert.Equal(mayWrite, MayWrite(bench));
    }

    [Theory]
    [InlineData(15u, false)]
    [InlineData(16u, true)] // of 20
    public void WhenGuestsCopiesAreMany_ThePacerIsNotAsked(uint count, bool mayWrite)
    {
        using CaptureBench bench = new(captureClusters: 60, unitCount: 60);
        bench.Captures.Pacer = new Pacer();
        Hold(bench, count);
        Assert.Equal(mayWrite, MayWrite(bench));
    }

    [Fact]
    public void WhileMemoryIsTight_TheYoungestGoToScratch()
    {
        using CaptureBench bench = new(unitCount: 16);
        for (ulong cluster = 0; cluster < 8; cluster++)
            bench.Capture(cluster);
        bench.Captures.Spill();
        Assert.Equal(0u, bench.Spill.SpillingCount); // half of the reserve is free
        bench.Capture(8);
        bench.Capture(9);
        bench.Captures.Spill();
        Assert.Equal((2u, 8u), (bench.Spill.SpillingCount, bench.Captures.Waiting.Count));
        Assert.Equal(7ul, bench.Captures.Waiting.Last!.Pieces.FirstCluster);
    }

    [Fact]
    public void WhereGuestsWaitForTheTarget_NothingGoesToScratch()
    {
        using CaptureBench bench = new(unitCount: 16, releasePoint: ReleasePoint.Done);
        for (ulong cluster = 0; cluster < 12; cluster++)
            bench.Capture(cluster);
        bench.Captures.Spill();
        Assert.Equal(0u, bench.Spill.SpillingCount);
    }

    [Fact]
    public void WithoutScratch_NothingGoesThere()
    {
        using CaptureBench bench = new(scratchClusters: 0, unitCount: 16);
        for (ulong cluster = 0; cluster < 12; cluster++)
            bench.Capture(cluster);
        bench.Captures.Spill();
        Assert.Equal((0u, 12u), (bench.Spill.SpillingCount, bench.Captures.Waiting.Count));
        Assert.False(bench.Captures.TryPeekSpilled(out _));
    }

    [Fact]
    public void WhatIsInMemory_GoesBeforeWhatIsInScratch()
    {
        using CaptureBench bench = new();
        Assert.False(bench.Captures.TryPeekSpilled(out _));
        bench.Capture(1, 2);
        bench.SpillLast();
        Assert.True(bench.Captures.TryPeekSpilled(out ulong needBytes));
        Assert.Equal(2ul * Cluster, needBytes);
        bench.Capture(5);
        Assert.False(bench.Captures.TryPeekSpilled(out _));
    }

    [Fact]
    public void WhatComesBack_LeavesHalfOfTheReserve_UnlessNothingElseIsHeld()
    {
        using CaptureBench bench = new(unitCount: 16);
        BufferLease[] others = Rent(bench, 8);
        Assert.True(bench.Captures.HasRoomToRecall(Cluster, waiter: null));
        CopyTask held = bench.Capture(1);
        Assert.False(bench.Captures.HasRoomToRecall(Cluster, waiter: null));
        Return(bench, others[..2]);
        Assert.True(bench.Captures.HasRoomToRecall(Cluster, waiter: null));
        Assert.False(bench.Captures.HasRoomToRecall(2 * Cluster, waiter: null));
        Assert.Equal(1ul * Cluster, bench.Memory.Of(held));
        Return(bench, others[2..]);
    }

    [Fact]
    public void WhatComesBack_StaysWithinWhatGuestsCopiesMayHold()
    {
        using CaptureBench bench = new(captureClusters: 4);
        bench.Capture(1, 2);
        Assert.True(bench.Captures.HasRoomToRecall(2 * Cluster, waiter: null));
        Assert.False(bench.Captures.HasRoomToRecall(3 * Cluster, waiter: null));
    }

    [Fact]
    public void WhereOnlyPiecesAreFree_TheWaiterIsCalledWhenMoreIs()
    {
        using CaptureBench bench = new(unitCount: 16, reserveClusters: 1);
        BufferLease[] others = Rent(bench, 16);
        Return(bench, [others[3], others[7], others[11], others[15]]);
        Waiter waiter = new();
        Assert.True(bench.Captures.HasRoomToRecall(Cluster, waiter));
        Assert.False(bench.Captures.HasRoomToRecall(2 * Cluster, waiter));
        Assert.Equal(0, waiter.CalledCount);
        Return(bench, others[8..11]);
        Assert.Equal(1, waiter.CalledCount);
        Assert.True(bench.Captures.HasRoomToRecall(2 * Cluster, waiter));
        Return(bench, [.. others[..3], .. others[4..7], .. others[12..15]]);
    }

    static bool MayWrite(CaptureBench bench) => bench.Captures.MayWrite(0, Cluster);

    /// <summary>Copies for guests that are in memory, and do not wait for the target: nothing goes by fill.</summary>
    static void Hold(CaptureBench bench, ulong clusters)
    {
        for (ulong cluster = 0; cluster < clusters; cluster++)
            bench.Captures.Waiting.Remove(bench.Capture(cluster));
    }

    /// <summary>Of other users of the pool: single clusters.</summary>
    static BufferLease[] Rent(CaptureBench bench, int count)
    {
        BufferLease[] leases = new BufferLease[count];
        foreach (ref BufferLease lease in leases.AsSpan())
            Assert.True(bench.Pool.TryRent(Cluster, out lease));
        return leases;
    }

    static void Return(CaptureBench bench, BufferLease[] leases)
    {
        foreach (BufferLease lease in leases)
            bench.Pool.Return(lease);
    }

    sealed class Pacer : ICopyPacer
    {
        public bool Answer { get; set; }

        public (ulong DeviceBytes, ulong LengthBytes) Asked { get; private set; }

        public ulong WrittenBytes { get; private set; }

        public bool MayWrite(ulong deviceBytes, ulong lengthBytes)
        {
            Asked = (deviceBytes, lengthBytes);
            return Answer;
        }

        public void OnWritten(ulong lengthBytes) => WrittenBytes += lengthBytes;
    }

    sealed class Waiter : IBufferWaiter
    {
        public int CalledCount { get; private set; }

        public void OnBufferFree() => CalledCount++;
    }
}
