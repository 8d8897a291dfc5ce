using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

public sealed class RequestLanesTests
{
    [Fact]
    public void AHigherLane_GoesFirst_AndEachLaneInOrder()
    {
        RequestLanes lanes = new(8);
        ulong data = 0;
        foreach (IoLane lane in new[] { IoLane.Background, IoLane.Snapshot, IoLane.CopyBeforeWrite, IoLane.Guest })
        {
            lanes.Wait(Request(lane, data++));
            lanes.Wait(Request(lane, data++));
        }
        Assert.Equal([6, 7, 4, 5, 2, 3, 0, 1], Drain(lanes));
        Assert.Equal(0u, lanes.WaitingCount);
    }

    [Theory]
    [InlineData(IoLane.Guest, 8)]
    [InlineData(IoLane.CopyBeforeWrite, 8)]
    [InlineData(IoLane.Snapshot, 4)]
    [InlineData(IoLane.Background, 4)]
    public void ALane_HasItsShareOfTheDevice(IoLane lane, int share)
    {
        RequestLanes lanes = new(8);
        int begun = 0;
        while (begun < 100 && lanes.TryBegin(lane, isDeviceFull: begun == 8))
            begun++;
        Assert.Equal(share, begun);
        lanes.Wait(Request(lane, 1));
        lanes.End(lane);
        Assert.False(lanes.TryBegin(lane, isDeviceFull: false)); // not before those who wait
        Assert.True(lanes.TryNext(out _));
    }

    [Theory]
    [InlineData(IoLane.CopyBeforeWrite, 8)]
    [InlineData(IoLane.Snapshot, 2)]
    [InlineData(IoLane.Background, 2)]
    public void ALowerLane_HasTheShareThatItWasGiven(IoLane lane, int share)
    {
        RequestLanes lanes = new(8, lowerInFlightMax: 2);
        int begun = 0;
        while (begun < 100 && lanes.TryBegin(lane, isDeviceFull: begun == 8))
            begun++;
        Assert.Equal(share, begun);
    }

    [Fact]
    public void TryDrop_TakesAllThatWait_WhateverTheirLanesAllow()
    {
        RequestLanes lanes = new(2, lowerInFlightMax: 1);
        Assert.True(lanes.TryBegin(IoLane.Background, isDeviceFull: false));
        lanes.Wait(Request(IoLane.Background, 1));
        lanes.Wait(Request(IoLane.Guest, 2));
        Assert.True(lanes.TryDrop(out BlockRequest first));
        Assert.True(lanes.TryDrop(out BlockRequest second));
        Assert.False(lanes.TryDrop(out _));
        Assert.Equal((2ul, 1ul), (first.UserData, second.UserData));
        Assert.Equal(0u, lanes.WaitingCount);
        lanes.End(IoLane.Background);
        Assert.False(lanes.TryNext(out _));
    }

    [Fact]
    public void ALowerLane_IsNotPassedOverForEver()
    {
        RequestLanes lanes = new(1);
        lanes.Wait(Request(IoLane.Background, 1000));
        ulong turns = 0;
        for (ulong i = 0; i < 100; i++)
        {
            lanes.Wait(Request(IoLane.Guest, i));
            Assert.True(lanes.TryNext(out BlockRequest next));
            lanes.End(next.Lane);
            turns++;
            if (next.UserData == 1000)
                break;
        }
        Assert.InRange(turns, 2ul, 10ul);
    }

    [Fact]
    public void APromotedRequest_LeavesItsQueue_AndTheOthersKeepTheirOrder()
    {
        RequestLanes lanes = new(4);
        Owner owner = new();
        for (ulong i = 0; i < 4; i++)
            lanes.Wait(Request(IoLane.Background, i, owner));
        Assert.False(lanes.TryPromote(new Owner(), 2, out _));
        Assert.True(lanes.TryPromote(owner, 2, out BlockRequest promoted));
        Assert.Equal((2ul, IoLane.CopyBeforeWrite), (promoted.UserData, promoted.Lane));
        Assert.False(lanes.TryPromote(owner, 2, out _));
        Assert.Equal([0, 1, 3], Drain(lanes));
    }

    static List<ulong> Drain(RequestLanes lanes)
    {
        List<ulong> order = [];
        while (lanes.TryNext(out BlockRequest next))
        {
            order.Add(next.UserData);
            lanes.End(next.Lane);
        }
        return order;
    }

    static BlockRequest Request(IoLane lane, ulong userData, Owner? owner = null) =>
        new()
        {
            Lane = lane,
            UserData = userData,
            Owner = owner!,
        };

    sealed class Owner : IBlockOwner
    {
        public void OnBlockCompleted(ulong userData, in BlockResult result) => Check.Fail("nothing was submitted");
    }
}
