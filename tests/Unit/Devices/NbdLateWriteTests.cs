// A write that a server had taken when its connection ended, and carries out when its place was used for something else
// meanwhile.
using System;
using System.Linq;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Tests.Unit.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

[Trait("System", "None")] // simulated servers
public sealed class NbdLateWriteTests
{
    const uint Cluster = 4096;
    const int DiskBytes = 8 * (int)Cluster;

    static readonly RemoteOpenOptions Patient = new() { ReconnectNs = 20 * Units.NsPerSecond };

    static NbdWorld World(NbdForm form) =>
        new(
            StreamKind.Simulated,
            5,
            one => new NbdServerModel(one.Streams, one.Address, form, new byte[DiskBytes], 5) { LivesLeft = 3 }
        );

    public static TheoryData<NbdForm> Forms => [.. Enum.GetValues<NbdForm>()];

    [Theory]
    [MemberData(nameof(Forms))]
    public void APlaceThatAnOldWriteMayStillReach_IsNotUsedAgainByScratch(NbdForm form)
    {
        using NbdWorld world = World(form).Open(Patient);
        Assert.True(ScratchSpace.TryCreate(world.Device, DiskBytes, Cluster, out ScratchSpace? made).IsNone);
        using ScratchSpace scratch = made!;
        Assert.True(scratch.TryReserve(0, 1, out uint first));
        world.Server.HoldsNextWrite = true;
        Write(world, scratch.OffsetBytes(first), 1);
        Assert.Equal(2, world.Server.LivesLeft); // it came back, and was asked again
        scratch.Free(first);
        bool[] isUsed = new bool[8];
        for (int round = 0; round < 3; round++)
        {
            uint[] taken = new uint[8];
            int count = 0;
            while (scratch.TryReserve(0, 1, out taken[count]))
            {
                isUsed[taken[count]] = true;
                Write(world, scratch.OffsetBytes(taken[count++]), 2);
            }
            Assert.Equal(7, count);
            foreach (uint entry in taken.Take(count))
                scratch.Free(entry);
        }
        Assert.Equal(1, isUsed.Count(used => !used));
        Assert.False(isUsed[first]);
        world.Server.CarryOutHeld();
        Assert.Equal(7 * (int)Cluster, world.Server.Content.Count((byte)2));
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void ScratchThatIsMadeLater_KnowsThePlace_AndOneThatLostNoWriteUsesAll(NbdForm form)
    {
        using NbdWorld world = World(form).Open(Patient);
        world.Server.HoldsNextWrite = true;
        Write(world, 3 * Cluster, 1);
        Assert.True(world.Device.MayChangeLate(new Extent(4 * Cluster - 1, 1)));
        Assert.False(world.Device.MayChangeLate(new Extent(0, 3 * Cluster)));
        Assert.False(world.Device.MayChangeLate(new Extent(4 * Cluster, 4 * Cluster)));
        Assert.True(ScratchSpace.TryCreate(world.Device, DiskBytes, Cluster, out ScratchSpace? made).IsNone);
        using ScratchSpace scratch = made!;
        Assert.True(scratch.TryReserve(0, 2, out uint entry)); // 0 and 1
        Assert.True(scratch.TryReserve(0, 2, out entry)); // not 2 and 3
        Assert.Equal(4u, entry);
        using NbdWorld quiet = World(form).Open(Patient);
        quiet.Server.Die(); // with nothing on its way
        for (int turn = 0; turn < 20; turn++)
            quiet.Turn(Units.NsPerMs); // which is seen
        Write(quiet, 0, 1);
        Assert.False(quiet.Device.MayChangeLate(new Extent(0, DiskBytes)));
    }

    [Fact]
    public void AnImageThatIsWrittenTo_IsNotOpenedOverSuchAConnection()
    {
        using NbdWorld world = World(NbdForm.Extended).Open(Patient);
        FileOpenOptions options = new() { Path = "nbd://model/disk" };
        BorrowedDevice lent = new(world.Device, isOwned: false);
        OpenRefusal refusal = ImageOpener.TryOpenOver(null!, options, lent, out IBlockDevice? device);
        Assert.Null(device);
        Assert.Contains("without reconnect-delay", refusal.Sentence);
    }

    static void Write(NbdWorld world, ulong offset, byte value)
    {
        world.Buffer[..(int)Cluster].Fill(value);
        Assert.True(world.Run(BlockOperation.Write, offset, Cluster).Fault.IsNone);
    }
}
