// The order of changes: that of their asking on each disk, whatever their groups, and every one is made.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class QuiescedChangeTests
{
    readonly FilterBench _bench = new();

    Disk NewDisk(string name) => _bench.NewDisk(name, out _, slotCount: 64);

    static void Hold(Disk disk) => Assert.Equal(Grant.Granted, new GuestProbe(disk, 0, 512).Grant);

    [Fact]
    public void Changes_OfOneDisk_AreMadeInTheOrderOfTheirAsking()
    {
        Disk disk = NewDisk("disk");
        Hold(disk);
        List<int> order = [];
        for (int i = 0; i < 10; i++)
        {
            int number = i;
            Disk.Quiesce(_bench.Loop.Reactor, [disk], () => order.Add(number));
        }
        disk.EndWrite();
        _bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], order);
    }

    [Fact]
    public void AChange_WaitsForAnEarlierOneOfALargerGroup()
    {
        Disk left = NewDisk("left");
        Disk right = NewDisk("right");
        Hold(right);
        List<string> order = [];
        Disk.Quiesce(_bench.Loop.Reactor, [left, right], () => order.Add("both"));
        Disk.Quiesce(_bench.Loop.Reactor, [left], () => order.Add("left"));
        _bench.Loop.RunFor(10 * Units.NsPerMs);
        Assert.Empty(order);
        right.EndWrite();
        _bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.Equal(["both", "left"], order);
    }

    [Fact]
    public void AChangeThatWaitsItsTurn_ClosesNoGate()
    {
        Disk left = NewDisk("left");
        Disk right = NewDisk("right");
        Hold(left);
        Disk.Quiesce(_bench.Loop.Reactor, [left], () => { });
        Disk.Quiesce(_bench.Loop.Reactor, [left, right], () => { });
        Assert.True(left.IsGateClosed);
        Assert.False(right.IsGateClosed);
        left.EndWrite();
        _bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.False(left.IsGateClosed);
    }

    [Fact]
    public void ManyThousandChanges_MayBePending_AndHoldGuestsAMillisecondAtATime()
    {
        Disk disk = NewDisk("disk");
        Hold(disk);
        int madeCount = 0;
        for (int i = 0; i < 65_536; i++)
            Disk.Quiesce(_bench.Loop.Reactor, [disk], Make);
        disk.EndWrite();
        List<GuestProbe> guests = [];
        for (int turn = 0; madeCount < 65_536 && turn < 10_000_000; turn++)
        {
            guests.Add(new GuestProbe(disk, 0, 512));
            _bench.Loop.RunFor(20_000);
            ulong endNs = _bench.Loop.Clock.NowNs + 2 * Units.NsPerMs;
            while (!guests[^1].IsGranted && _bench.Loop.Clock.NowNs < endNs)
                _bench.Loop.RunFor(20_000);
            Assert.True(guests[^1].IsGranted);
            disk.EndWrite();
        }
        Assert.Equal(65_536, madeCount);
        Assert.InRange(guests.Count, 30, 65_536); // of 1 us each a thousand make a moment; guests pass between two

        void Make()
        {
            Assert.Equal(0, disk.WritesInFlight);
            madeCount++;
            _bench.Loop.Clock.AdvanceTo(_bench.Loop.Clock.NowNs + 1000);
        }
    }

    [Fact]
    public void AWithdrawnChange_IsNotMade_AndThoseBehindItMoveUp()
    {
        Disk left = NewDisk("left");
        Disk right = NewDisk("right");
        Hold(right);
        List<string> order = [];
        QuiescedChange both = new(_bench.Loop.Reactor, [left, right], () => order.Add("both"));
        both.Begin();
        Disk.Quiesce(_bench.Loop.Reactor, [left], () => order.Add("left"));
        GuestProbe guest = new(left, 0, 512);
        Assert.False(guest.IsGranted);
        both.Withdraw();
        Assert.False(both.IsPending);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(guest.IsGranted);
        left.EndWrite();
        _bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.Equal(["left"], order);
        right.EndWrite();
        both.Begin(); // it may be asked for again
        Assert.Equal(["left", "both"], order);
    }

    [Fact]
    public void AChangeAskedForInsideAChange_IsMadeAfterIt_InTheSameMoment()
    {
        Disk disk = NewDisk("disk");
        List<string> order = [];
        Disk.Quiesce(
            _bench.Loop.Reactor,
            [disk],
            () =>
            {
                Disk.Quiesce(_bench.Loop.Reactor, [disk], () => order.Add("inner"));
                order.Add("outer");
            }
        );
        Assert.Equal(["outer", "inner"], order);
    }

    [Fact]
    public void RandomGroups_OfRandomDisks_AgainstModel()
    {
        ulong seed = TestSeed.Next();
        for (int round = 0; round < 200; round++)
        {
            string? wrong = new ChangeOrderModel(new Prng(seed + (ulong)round)).Run();
            Assert.True(wrong == null, $"FASTBACKUP_SEED={seed} round {round}: {wrong}");
        }
    }
}
