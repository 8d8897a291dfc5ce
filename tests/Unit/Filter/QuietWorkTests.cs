// Changes in two parts: what takes time comes first, in parts and with the gates open, and nothing of it is out of date
// in the moment.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class QuietWorkTests
{
    readonly FilterBench _bench = new();

    sealed class Work(Func<bool> prepare, Action change) : IQuietWork
    {
        public bool Prepare() => prepare();

        public bool Change()
        {
            change();
            return true;
        }
    }

    [Fact]
    public void Guests_Pass_WhileAChangeIsMadeReady_InParts()
    {
        List<string> order = [];
        int partCount = 0;
        Work work = new(
            () =>
            {
                Assert.False(_bench.Disk.IsGateClosed);
                return ++partCount == 5;
            },
            () => order.Add("slow")
        );
        new QuiescedChange(_bench.Loop.Reactor, [_bench.Disk], work).Begin();
        Disk.Quiesce(_bench.Loop.Reactor, [_bench.Disk], () => order.Add("behind"));
        for (int turn = 1; turn < 4; turn++)
        {
            GuestProbe guest = new(_bench.Disk, 0, 512);
            Assert.Equal(Grant.Granted, guest.Grant);
            _bench.Disk.EndWrite();
            _bench.Loop.Reactor.Turn(0);
            Assert.Empty(order);
        }
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(5, partCount);
        Assert.Equal(["slow", "behind"], order);
    }

    [Fact]
    public void AChangeIsMadeReady_OnlyWhenItsTurnHasCome()
    {
        Disk other = _bench.NewDisk("other", out _);
        Assert.Equal(Grant.Granted, new GuestProbe(other, 0, 512).Grant);
        List<string> order = [];
        Disk.Quiesce(_bench.Loop.Reactor, [_bench.Disk, other], () => order.Add("first"));
        Work work = new(
            () =>
            {
                order.Add("ready");
                return true;
            },
            () => order.Add("second")
        );
        new QuiescedChange(_bench.Loop.Reactor, [_bench.Disk], work).Begin();
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Empty(order);
        other.EndWrite();
        _bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.Equal(["first", "ready", "second"], order);
    }

    [Fact]
    public void AChangeThatFindsSomethingWrong_IsWithdrawn_BeforeAnyGateIsClosed()
    {
        QuiescedChange? change = null;
        Work work = new(
            () =>
            {
                change!.Withdraw();
                return false;
            },
            () => Assert.Fail("made")
        );
        change = new QuiescedChange(_bench.Loop.Reactor, [_bench.Disk], work);
        change.Begin();
        Assert.False(change.IsPending);
        Assert.False(_bench.Disk.IsGateClosed);
        bool isMade = false;
        Disk.Quiesce(_bench.Loop.Reactor, [_bench.Disk], () => isMade = true);
        Assert.True(isMade);
    }
}
