// Bitmaps that are made while guests write: a merge and a growth of a large bitmap take many turns, guests write
// before, between and after all of them, and nothing that they wrote is missing at the end.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

[Trait("System", "None")] // bitmaps against a model
public sealed class BitmapDraftTests : IDisposable
{
    const ulong Granule = 512;
    const ulong Size = 1UL << 30; // 2^21 granules, 4096 lines of bits
    const ulong Larger = Size + 4096;

    readonly SimulatedLoop _loop = new(1);
    readonly Prng _prng;
    readonly ulong _seed = TestSeed.Next();

    public BitmapDraftTests() => _prng = new Prng(_seed);

    public void Dispose() => _loop.Dispose();

    sealed class Ignoring : IGuestOwner
    {
        public void OnGuestCompleted(ulong userData, Fault fault) => Assert.True(fault.IsNone);
    }

    Disk NewDisk(string name) => new(_loop.Reactor, _loop.OpenFile(Size, out _, 512), name, slotCount: 16);

    DirtyBitmap Add(Disk disk, string name, ulong granule, bool isEnabled = true)
    {
        Assert.True(DirtyBitmap.TryCreate(name, Size, granule, out DirtyBitmap? bitmap).IsNone);
        bitmap!.SetEnabled(isEnabled);
        Disk.Quiesce(_loop.Reactor, [disk], () => disk.Add(bitmap));
        return bitmap;
    }

    ulong Write(Disk disk)
    {
        ulong offset = _prng.Below(Size / Granule) * Granule;
        if (disk.BeginWrite(offset, 1, new Ignoring(), 0, out _) == Grant.Pending)
            _loop.Reactor.Turn(0);
        disk.EndWrite();
        return offset;
    }

    void Fill(Disk disk, List<ulong> written)
    {
        for (int i = 0; i < 5000; i++)
            written.Add(Write(disk));
    }

    [Theory]
    [InlineData(Granule, true)]
    [InlineData(65_536, true)]
    [InlineData(Granule, false)]
    public void AMerge_TakesWhatIsWrittenMeanwhile_ToEitherDisk(ulong granule, bool isTargetEnabled)
    {
        Disk left = NewDisk("left");
        Disk right = NewDisk("right");
        DirtyBitmap target = Add(left, "target", Granule, isTargetEnabled);
        DirtyBitmap source = Add(right, "source", granule);
        List<ulong> ofTarget = [];
        List<ulong> ofSource = [];
        Fill(left, ofTarget);
        Fill(right, ofSource);
        Fault? end = null;
        BitmapMerge merge = new(left, target, fault => end = fault);
        merge.AddSource(source, right);
        merge.Begin(_loop.Reactor);
        int turnCount = 0;
        for (; end == null; turnCount++)
        {
            _loop.Reactor.Turn(0);
            if (end != null)
                break;
            ofTarget.Add(Write(left));
            ofSource.Add(Write(right));
        }
        Assert.True(end!.Value.IsNone);
        Assert.InRange(turnCount, 2, 1000);
        _loop.RunFor(Units.NsPerMs); // it is over
        Write(right); // not any more
        AssertIsDirty(target.Bits, isTargetEnabled ? ofTarget : [], 0);
        AssertIsDirty(target.Bits, ofSource, 0);
        Assert.Equal(
            granule == Granule ? Union(isTargetEnabled ? ofTarget : [], ofSource) : 0,
            CountOf(target, granule)
        );
    }

    static ulong CountOf(DirtyBitmap target, ulong granule) => granule == Granule ? target.Bits.CountBits() : 0;

    static ulong Union(List<ulong> left, List<ulong> right)
    {
        HashSet<ulong> all = [.. left, .. right];
        return (ulong)all.Count;
    }

    void AssertIsDirty(HierarchicalBitmap bits, List<ulong> written, ulong least)
    {
        Assert.True((ulong)written.Count >= least);
        foreach (ulong offset in written)
        {
            Assert.True(bits.Get(offset, out bool isDirty).IsNone);
            Assert.True(isDirty, $"FASTBACKUP_SEED={_seed} {offset}");
        }
    }

    [Fact]
    public void AMerge_WhoseSourceIsBusyOrGoneByThen_ChangesNothing()
    {
        Disk disk = NewDisk("disk");
        DirtyBitmap target = Add(disk, "target", Granule);
        DirtyBitmap first = Add(disk, "first", Granule);
        DirtyBitmap second = Add(disk, "second", Granule, isEnabled: false);
        Write(disk);
        ulong before = target.Bits.CountBits();
        Assert.True(first.Bits.Set(Size - 1, 1).IsNone);
        Assert.Equal(Grant.Granted, disk.BeginWrite(0, 0, new Ignoring(), 0, out _));
        Disk.Quiesce(_loop.Reactor, [disk], second.Freeze);
        Fault? end = null;
        BitmapMerge merge = new(disk, target, fault => end = fault);
        merge.AddSource(first, disk);
        merge.AddSource(second, disk);
        merge.Begin(_loop.Reactor);
        disk.EndWrite();
        _loop.RunFor(2 * Units.NsPerMs);
        Assert.Equal(FaultKind.State, end!.Value.Kind);
        Assert.Equal(before, target.Bits.CountBits());
    }

    [Fact]
    public void AGrowth_KeepsWhatIsWrittenMeanwhile_AndReachesTheNewEnd()
    {
        Disk disk = NewDisk("disk");
        DirtyBitmap bitmap = Add(disk, "b", Granule);
        DirtyBitmap off = Add(disk, "off", Granule, isEnabled: false);
        Assert.True(off.Bits.Set(0, 1).IsNone);
        List<ulong> written = [];
        Fill(disk, written);
        Fault? end = null;
        DiskGrowth growth = new(disk, Larger, () => false, fault => end = fault);
        growth.Begin(_loop.Reactor);
        while (end == null)
        {
            _loop.Reactor.Turn(0);
            if (end == null)
                written.Add(Write(disk));
        }
        Assert.True(end!.Value.IsNone);
        Assert.Equal(Larger, disk.CapacityBytes);
        Assert.Equal(Larger, disk.Device.Limits.CapacityBytes);
        AssertIsDirty(bitmap.Bits, written, 5001);
        Assert.Equal(Union(written, []), bitmap.Bits.CountBits());
        Assert.Equal(1ul, off.Bits.CountBits());
        Assert.Equal(Grant.Granted, disk.BeginWrite(Larger - 1, 1, new Ignoring(), 0, out _));
        disk.EndWrite();
        AssertIsDirty(bitmap.Bits, [Larger - 1], 1);
        Disk.Quiesce(_loop.Reactor, [disk], () => disk.Clear(bitmap));
        Assert.Equal(0ul, bitmap.Bits.CountBits());
    }

    [Fact]
    public void AGrowth_IsRefused_WhenAJobWasThereWhenItsTurnCame_ThoughItIsGoneInTheMoment()
    {
        Disk disk = NewDisk("disk");
        DirtyBitmap bitmap = Add(disk, "b", Granule);
        Write(disk);
        Assert.Equal(Grant.Granted, disk.BeginWrite(0, 0, new Ignoring(), 0, out _));
        bool hasJobs = true;
        Fault? end = null;
        new DiskGrowth(disk, Larger, () => hasJobs, fault => end = fault).Begin(_loop.Reactor);
        hasJobs = false;
        disk.EndWrite();
        _loop.RunFor(2 * Units.NsPerMs);
        Assert.Equal(FaultKind.State, end!.Value.Kind);
        Assert.Equal(1ul, bitmap.Bits.CountBits());
    }

    [Fact]
    public void AGrowth_IsRefused_WhenAJobHasComeMeanwhile_AndLeavesNothingBehind()
    {
        Disk disk = NewDisk("disk");
        DirtyBitmap bitmap = Add(disk, "b", Granule);
        List<ulong> written = [];
        Fill(disk, written);
        Fault? end = null;
        bool hasJobs = false;
        DiskGrowth growth = new(disk, Larger, () => hasJobs, fault => end = fault);
        growth.Begin(_loop.Reactor);
        _loop.Reactor.Turn(0);
        Assert.Null(end);
        hasJobs = true;
        _loop.RunFor(2 * Units.NsPerMs);
        Assert.Equal(FaultKind.State, end!.Value.Kind);
        Assert.Equal(Size, disk.CapacityBytes);
        Assert.Equal(Size, disk.Device.Limits.CapacityBytes);
        Assert.Equal(Size, bitmap.SizeBytes);
        Assert.Equal(Grant.Refused, disk.BeginWrite(Size, 1, new Ignoring(), 0, out _));
        written.Add(Write(disk));
        Assert.Equal(Union(written, []), bitmap.Bits.CountBits());
    }
}
