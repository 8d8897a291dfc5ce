// What the bitmap names in the end, by mode, by what the job copies, by its end and by what is known of the target.
// Granules of a quarter of a cluster. Dirty before the point in time: granule 1; written since: granule 40; not copied:
// cluster 15; spoilt by a request: cluster 3.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class BitmapFateTests : IDisposable
{
    const uint Granule = 4096;
    const uint Cluster = 4 * Granule;
    const ulong CapacityBytes = 16 * Cluster;
    const string All = "0-63";
    const string Kept = "1,12-15,40";
    const string Widened = "0-3,12-15,40"; // what was dirty is so by clusters: all of them were written

    public enum Target
    {
        /// <summary>Nothing has failed.</summary>
        Sound,
        FlushFailed,

        /// <summary>It did not answer.</summary>
        GivenUp,
    }

    readonly SimulatedLoop _loop = new(1);
    readonly VastDevice _source;
    readonly Disk _disk;
    readonly DirtyBitmap _bitmap;
    readonly CopyMap _map;
    readonly TargetFlush _flush;

    public BitmapFateTests()
    {
        _source = new VastDevice(_loop.Reactor, CapacityBytes);
        _disk = new Disk(_loop.Reactor, _source, "disk", slotCount: 4);
        Assert.True(DirtyBitmap.TryCreate("daily", CapacityBytes, Granule, out DirtyBitmap? bitmap).IsNone);
        _bitmap = bitmap!;
        Quietly(() => _disk.Add(_bitmap));
        _bitmap.Bits.SetBits(1, 1);
        Assert.True(CopyMap.TryCreate(CapacityBytes, Cluster, out CopyMap? map).IsNone);
        _map = map!;
        _flush = new TargetFlush(new WorkProbe(), _source);
    }

    public void Dispose()
    {
        _disk.Dispose(); // its bitmap as well
        _map.Dispose();
        _source.Dispose();
        _loop.Dispose();
    }

    [Theory]
    [InlineData(BackupSync.Full, BitmapMode.OnSuccess, "12-15,40")]
    [InlineData(BackupSync.Full, BitmapMode.Always, "12-15,40")]
    [InlineData(BackupSync.Incremental, null, "12-15,40")]
    [InlineData(BackupSync.Bitmap, BitmapMode.Never, Kept)]
    public void AfterSuccess(BackupSync sync, BitmapMode? mode, string expected)
    {
        BitmapFate fate = Begin(sync, mode);
        Quietly(fate.Commit);
        Assert.Equal(expected, Settle(fate));
    }

    [Theory]
    [InlineData(BackupSync.Full, BitmapMode.OnSuccess, Target.Sound, Kept)]
    [InlineData(BackupSync.Full, BitmapMode.OnSuccess, Target.FlushFailed, All)]
    [InlineData(BackupSync.Top, BitmapMode.OnSuccess, Target.FlushFailed, All)]
    [InlineData(BackupSync.Full, BitmapMode.OnSuccess, Target.GivenUp, Kept)]
    [InlineData(BackupSync.Full, BitmapMode.Always, Target.Sound, "12-15,40,60-63")]
    [InlineData(BackupSync.Full, BitmapMode.Always, Target.FlushFailed, All)]
    [InlineData(BackupSync.Top, BitmapMode.Always, Target.GivenUp, All)]
    [InlineData(BackupSync.Incremental, null, Target.Sound, Kept)]
    [InlineData(BackupSync.Incremental, null, Target.FlushFailed, Widened)]
    [InlineData(BackupSync.Incremental, null, Target.GivenUp, Kept)]
    [InlineData(BackupSync.Bitmap, BitmapMode.Never, Target.Sound, Kept)]
    [InlineData(BackupSync.Bitmap, BitmapMode.Never, Target.FlushFailed, Widened)]
    [InlineData(BackupSync.Bitmap, BitmapMode.Always, Target.Sound, "12-15,40,60-63")]
    [InlineData(BackupSync.Bitmap, BitmapMode.Always, Target.FlushFailed, Widened)]
    [InlineData(BackupSync.Bitmap, BitmapMode.Always, Target.GivenUp, Widened)]
    public void AfterFailure(BackupSync sync, BitmapMode? mode, Target target, string expected)
    {
        BitmapFate fate = Begin(sync, mode);
        if (target == Target.GivenUp)
            _flush.GiveUp();
        else
            EndFlush(target == Target.FlushFailed ? new Fault(FaultKind.Io, Errnos.EIO) : Fault.None);
        Quietly(fate.Abort);
        Assert.Equal(expected, Settle(fate));
    }

    /// <summary>Also what is written while the rest of the end is still being carried out.</summary>
    [Theory]
    [InlineData(BitmapMode.OnSuccess, true, "12-15,40,50,60")]
    [InlineData(BitmapMode.Never, true, "1,12-15,40,50,60")]
    [InlineData(BitmapMode.OnSuccess, false, "1,12-15,40,50,60")]
    [InlineData(BitmapMode.Always, false, "12-15,40,50,60-63")]
    public void WhatIsWrittenFromTheEndOn_IsTheBitmaps(BitmapMode mode, bool isSuccess, string expected)
    {
        BitmapFate fate = Begin(BackupSync.Bitmap, mode);
        Quietly(isSuccess ? fate.Commit : fate.Abort);
        Write(50);
        Settle(fate);
        Write(60);
        Assert.Equal(expected, Named());
    }

    [Theory]
    [InlineData(BackupSync.Full, BitmapMode.Always, All)] // nothing was copied: it is to name what was not
    [InlineData(BackupSync.Top, BitmapMode.Always, All)]
    [InlineData(BackupSync.Full, BitmapMode.OnSuccess, "1")]
    [InlineData(BackupSync.Bitmap, BitmapMode.Always, "1")] // it says what to copy, still
    public void WithoutAPointInTime(BackupSync sync, BitmapMode? mode, string expected)
    {
        BitmapFate fate = NewFate(sync, mode);
        Quietly(fate.Abort);
        Assert.Equal(expected == All, fate.IsSettling);
        Assert.Equal(expected, Settle(fate));
    }

    [Fact]
    public void WithoutAPointInTime_WhatAnotherJobHas_NamesAllWhenThatHasEnded()
    {
        BitmapFate other = Begin(BackupSync.Bitmap, BitmapMode.OnSuccess);
        BitmapFate fate = NewFate(BackupSync.Full, BitmapMode.Always);
        Quietly(fate.Abort);
        Assert.False(fate.IsSettling);
        Quietly(other.Commit);
        Assert.Equal(All, Settle(other));
    }

    [Fact]
    public void WithoutAPointInTime_ABitmapThatIsGone_IsLeftAlone()
    {
        Quietly(() => _disk.Remove(_bitmap));
        BitmapFate fate = NewFate(BackupSync.Full, BitmapMode.Always);
        Quietly(fate.Abort);
        Assert.False(fate.IsSettling);
        Assert.Equal("1", Named());
        _bitmap.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ABitmapThatCannotBeHadAnyMore_IsRefused(bool isBusy)
    {
        BitmapFate fate = NewFate(BackupSync.Full, BitmapMode.Always);
        BitmapFate? other = isBusy ? Begin(BackupSync.Full, BitmapMode.OnSuccess) : null;
        if (!isBusy)
            Quietly(() => _disk.Remove(_bitmap));
        Quietly(() => Assert.Equal(FaultKind.State, fate.Freeze().Kind));
        Assert.False(fate.NeedsFlush);
        if (other != null)
        {
            Quietly(other.Abort);
            Settle(other);
        }
        else
        {
            _bitmap.Dispose();
        }
    }

    [Fact]
    public void OnlyModeAlways_MustKnowWhatIsDurable_AndOnlyWhereThatCanBeKnown()
    {
        BitmapFate fate = NewFate(BackupSync.Full, BitmapMode.Always);
        Assert.False(fate.NeedsFlush); // nothing is frozen
        Quietly(() => Assert.True(fate.Freeze().IsNone));
        Assert.True(fate.NeedsFlush);
        EndFlush(new Fault(FaultKind.Io, Errnos.EIO));
        Assert.False(fate.NeedsFlush); // no later one proves anything
        Quietly(fate.Abort);
        Settle(fate);
        BitmapFate another = Begin(BackupSync.Full, BitmapMode.OnSuccess);
        Assert.False(another.NeedsFlush);
        Quietly(another.Abort);
        Settle(another);
    }

    [Fact]
    public void FromFreezeToTheEnd_WritesAreRecordedBesideIt()
    {
        BitmapFate fate = Begin(BackupSync.Full, BitmapMode.OnSuccess);
        Assert.Equal((true, "1"), (_bitmap.IsBusy, Named()));
        Quietly(fate.Commit);
        Assert.True(_bitmap.IsBusy); // until it is settled
        Settle(fate);
        Assert.False(_bitmap.IsBusy);
    }

    [Fact]
    public void AJobWithoutABitmap_ChangesNone()
    {
        BitmapFate fate = new(_disk, _map, _flush, new BackupOptions());
        Quietly(() => Assert.True(fate.Freeze().IsNone));
        Quietly(fate.Commit);
        Quietly(fate.Abort);
        Assert.Equal((false, false, "1"), (fate.IsSettling, fate.NeedsFlush, Named()));
    }

    BitmapFate NewFate(BackupSync sync, BitmapMode? mode) =>
        new(
            _disk,
            _map,
            _flush,
            new BackupOptions
            {
                Sync = sync,
                BitmapMode = mode,
                Bitmap = _bitmap,
            }
        );

    /// <summary>Frozen; then a guest has written, something was left out, and something was spoilt.</summary>
    BitmapFate Begin(BackupSync sync, BitmapMode? mode)
    {
        BitmapFate fate = NewFate(sync, mode);
        Quietly(() => Assert.True(fate.Freeze().IsNone));
        Write(40);
        _map.Todo.SetBits(15, 1);
        _map.Unsure.SetBits(3, 1);
        return fate;
    }

    void Write(ulong granule)
    {
        Assert.Equal(Grant.Granted, _disk.BeginWrite(granule * Granule, Granule, null!, 0, out _));
        _disk.EndWrite();
    }

    void EndFlush(Fault fault)
    {
        IBlockOwner owner = _flush;
        owner.OnBlockCompleted(0, new BlockResult(fault));
    }

    /// <returns>What the bitmap names then.</returns>
    string Settle(BitmapFate fate)
    {
        while (fate.IsSettling)
            fate.Settle();
        return Named();
    }

    string Named()
    {
        List<string> runs = [];
        for (ulong bit = 0; bit < _bitmap.Bits.BitCount; bit++)
        {
            if (!_bitmap.Bits.GetBit(bit))
                continue;
            ulong first = bit;
            while (bit + 1 < _bitmap.Bits.BitCount && _bitmap.Bits.GetBit(bit + 1))
                bit++;
            runs.Add(first == bit ? $"{first}" : $"{first}-{bit}");
        }
        return string.Join(',', runs);
    }

    void Quietly(Action change)
    {
        bool isMade = false;
        Disk.Quiesce(
            _loop.Reactor,
            [_disk],
            () =>
            {
                change();
                isMade = true;
            }
        );
        Assert.True(isMade); // no guest writes
    }
}
