// Which chunk has a cluster, and how many of each lane there may be.
using FastBackup.Base;
using FastBackup.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class TaskTableTests
{
    const uint Cluster = 4096;

    static readonly CopyRules s_rules = new()
    {
        BackgroundMax = 2,
        CaptureMax = 1,
        TargetMax = 1,
        ReserveBytes = Cluster,
        ReleasePoint = ReleasePoint.Captured,
    };

    [Fact]
    public void EachLaneHasItsOwnRoom()
    {
        using CopyMap map = NewMap();
        using TaskTable table = new(map, s_rules, 64 * Cluster);
        Assert.Equal(3u, table.Capacity);
        CopyTask first = table.Take(0, 1, CopyLane.Background, 1);
        _ = table.Take(1, 1, CopyLane.Background, 1);
        Assert.Equal((false, true), (table.HasRoom(CopyLane.Background), table.HasRoom(CopyLane.CopyBeforeWrite)));
        _ = table.Take(2, 1, CopyLane.Offered, 1); // of the guests' room
        Assert.False(table.HasRoom(CopyLane.CopyBeforeWrite));
        Assert.Equal((2u, 1u, 3u), (table.BackgroundCount, table.GuestCount, table.TakenCount));
        table.Free(first);
        Assert.Equal((true, false), (table.HasRoom(CopyLane.Background), table.HasRoom(CopyLane.Offered)));
    }

    [Fact]
    public void AClusterIsFound_InTheChunkThatHasIt_UntilItIsTakenOut()
    {
        using CopyMap map = NewMap();
        using TaskTable table = new(map, s_rules, 64 * Cluster);
        CopyTask task = table.Take(10, 4, CopyLane.Background, 4);
        Assert.False(table.TryGet(10, out _));
        table.Index(task);
        Assert.False(table.TryGet(9, out _));
        Assert.False(table.TryGet(14, out _));
        Assert.True(table.TryGet(13, out CopyTask found));
        Assert.Same(task, found);
        table.Unindex(12, 2);
        Assert.False(table.TryGet(13, out _));
        Assert.True(table.TryGet(11, out _));
    }

    [Fact]
    public void AHoleOnItsWay_IsFoundOnceGuestsMayOverwriteIt()
    {
        using CopyMap map = NewMap();
        using TaskTable table = new(map, s_rules, 64 * Cluster);
        CopyTask first = table.Take(10, 4, CopyLane.Background, 4);
        CopyTask second = table.Take(20, 2, CopyLane.Background, 2);
        table.AddZeroing(first);
        table.AddZeroing(second);
        Assert.Null(table.FindZeroing(10));
        (first.Released, second.Released) = (1, 1);
        Assert.Null(table.FindZeroing(9));
        Assert.Null(table.FindZeroing(14));
        Assert.Same(first, table.FindZeroing(13));
        Assert.Same(second, table.FindZeroing(20));
        table.RemoveZeroing(first);
        Assert.Null(table.FindZeroing(10));
        Assert.Same(second, table.FindZeroing(21));
        Assert.Throws<InvariantException>(() => table.RemoveZeroing(first));
    }

    static CopyMap NewMap()
    {
        Assert.True(CopyMap.TryCreate(64 * Cluster, Cluster, out CopyMap? map).IsNone);
        return map!;
    }
}
