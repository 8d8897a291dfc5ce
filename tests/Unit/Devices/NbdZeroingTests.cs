// Zeroes of a remote disk: asked for as a whole where the server says that it is fast, in pieces where it is not.
using System;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Tests.Unit.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

[Trait("Length", "Long")] // not in the quick check
public sealed class NbdZeroingTests
{
    const int PieceBytes = (int)NbdZeroing.SlowBytesMax;
    const int DiskBytes = PieceBytes + 8_000_000;
    const NbdCommandFlags Fast = NbdCommandFlags.FastZero | NbdCommandFlags.NoHole;

    static NbdWorld Open(bool isSlow, bool isKnown = true)
    {
        byte[] content = new byte[DiskBytes];
        content.AsSpan().Fill(7);
        NbdExportFlags flags = NbdExportFlags.CanFlush | NbdExportFlags.CanWriteZeroes;
        return new NbdWorld(
            StreamKind.Simulated,
            1,
            world => new NbdServerModel(world.Streams, world.Address, NbdForm.Extended, content, 1)
            {
                Flags = isKnown ? flags | NbdExportFlags.CanFastZero : flags,
                IsZeroSlow = isSlow,
            }
        ).Open();
    }

    [Fact]
    public void WhereTheyAreFast_AllIsOneRequest()
    {
        using NbdWorld world = Open(isSlow: false);
        Assert.True(world.Device.Limits.CanZeroFast);
        Assert.True(world.Run(BlockOperation.WriteZeroes, 0, DiskBytes).Fault.IsNone);
        Assert.Equal([(Fast, DiskBytes)], world.Server.Zeroes);
        Assert.DoesNotContain((byte)7, world.Server.Content);
    }

    [Fact]
    public void WhereTheyAreSlow_TheyAreAskedForInPieces_AndFastOnesNoMore()
    {
        using NbdWorld world = Open(isSlow: true);
        Assert.True(world.Run(BlockOperation.WriteZeroes, 0, DiskBytes).Fault.IsNone);
        (NbdCommandFlags, int)[] pieces =
        [
            (NbdCommandFlags.NoHole, PieceBytes),
            (NbdCommandFlags.NoHole, DiskBytes - PieceBytes),
        ];
        Assert.Equal([(Fast, DiskBytes), .. pieces], world.Server.Zeroes);
        Assert.DoesNotContain((byte)7, world.Server.Content);
        world.Server.Zeroes.Clear();
        Assert.True(world.Run(BlockOperation.WriteZeroes, 0, DiskBytes).Fault.IsNone);
        Assert.Equal(pieces, world.Server.Zeroes);
    }

    [Theory]
    [InlineData(true, true, 1)]
    [InlineData(false, false, 0)] // it does not know the question, so it is not asked
    public void ZeroesThatMustBeFast_AreRefused_WithNothingWritten(bool isSlow, bool isKnown, int askedCount)
    {
        using NbdWorld world = Open(isSlow, isKnown);
        Fault fault = world.Run(BlockOperation.WriteZeroes, 4096, 8192, BlockFlags.FastOnly).Fault;
        Assert.Equal(new Fault(FaultKind.Unsupported, Errnos.EOPNOTSUPP, 4096), fault);
        Assert.Equal(askedCount, world.Server.Zeroes.Count);
        Assert.True(world.Server.Content.All(one => one == 7));
        Assert.Null(world.Device.BrokenBecause);
    }

    [Fact]
    public void AServerThatDoesNotKnowThem_GetsTheWholeRange()
    {
        using NbdWorld world = Open(isSlow: false, isKnown: false);
        Assert.True(world.Run(BlockOperation.WriteZeroes, 0, DiskBytes, BlockFlags.MayUnmap).Fault.IsNone);
        Assert.Equal([(NbdCommandFlags.None, DiskBytes)], world.Server.Zeroes);
    }
}
