// Holds of snapshot readers: each is taken off by its own request, and one that a guest waits for is begun first.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class RangeHoldsTests
{
    [Fact]
    public void TwoReadersOfOneRange_HoldItUntilBothHaveEnded()
    {
        RangeHolds holds = new(4);
        Reader first = new();
        Reader second = new();
        Extent extent = new(4096, 4096);
        holds.Add(extent, first, 7);
        holds.Add(extent, second, 7);
        holds.Remove(extent, second, 7);
        Assert.True(holds.TryFindFirst(extent, out _));
        holds.Remove(extent, first, 7);
        Assert.False(holds.TryFindFirst(extent, out _));
    }

    [Fact]
    public void AHoldThatIsNotThere_IsInvariantFailure()
    {
        RangeHolds holds = new(4);
        Reader reader = new();
        holds.Add(new Extent(0, 4096), reader, 1);
        Assert.Throws<InvariantException>(() => holds.Remove(new Extent(0, 4096), reader, 2));
        Assert.Throws<InvariantException>(() => holds.Remove(new Extent(0, 8192), reader, 1));
    }

    [Fact]
    public void Promote_AsksForEachReadInTheRange_Once()
    {
        RangeHolds holds = new(4);
        Reader reader = new();
        Device device = new();
        holds.Add(new Extent(0, 4096), reader, 1);
        holds.Add(new Extent(4096, 4096), reader, 2);
        holds.Add(new Extent(65536, 4096), reader, 3);
        holds.Promote(new Extent(2048, 4096), device);
        holds.Promote(new Extent(0, 65536), device);
        Assert.Equal([1, 2], device.Promoted);
        holds.Promote(new Extent(0, Units.MiB), device);
        Assert.Equal([1, 2, 3], device.Promoted);
    }

    [Fact]
    public void OfSeveralHolds_TheOneThatBeginsFirstInTheRange_IsFound()
    {
        RangeHolds holds = new(4);
        Reader reader = new();
        holds.Add(new Extent(32768, 4096), reader, 1);
        holds.Add(new Extent(8192, 4096), reader, 2);
        holds.Add(new Extent(16384, 4096), reader, 3);
        Assert.Equal(3, holds.Count);
        Assert.True(holds.TryFindFirst(new Extent(0, Units.MiB), out Extent first));
        Assert.Equal(new Extent(8192, 4096), first);
        Assert.True(holds.TryFindFirst(new Extent(12288, Units.MiB - 12288), out first));
        Assert.Equal(new Extent(16384, 4096), first);
        Assert.False(holds.TryFindFirst(new Extent(12288, 4096), out first));
        Assert.Equal(default, first);
    }

    sealed class Reader : IBlockOwner
    {
        public void OnBlockCompleted(ulong userData, in BlockResult result) => Check.Fail("nothing was submitted");
    }

    sealed class Device : IBlockDevice
    {
        public List<ulong> Promoted { get; } = [];

        public string Name => "device";

        public BlockLimits Limits { get; } =
            new()
            {
                CapacityBytes = Units.MiB,
                RequestAlignBytes = 1,
                BufferAlignBytes = 1,
            };

        public uint InFlightCount => 0;

        public bool ReadsAsZero => false;

        public void Submit(in BlockRequest request) => Check.Fail("nothing is submitted");

        public void Promote(IBlockOwner owner, ulong userData) => Promoted.Add(userData);

        public void Dispose() { }
    }
}
