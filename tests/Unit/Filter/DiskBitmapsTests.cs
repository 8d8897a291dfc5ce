// What a disk's bitmaps record, and how they are changed: in quiesced moments.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class DiskBitmapsTests : IDisposable
{
    const ulong Capacity = 1 << 20;

    readonly SimulatedLoop _loop = new(1);
    readonly FileDevice _device;
    readonly Disk _disk;

    public DiskBitmapsTests()
    {
        _device = _loop.OpenFile(Capacity, out _, 512);
        _disk = new Disk(_loop.Reactor, _device, "disk", slotCount: 16);
    }

    [Fact]
    public void AddedBitmaps_RecordFromThenOn_EachAtItsGranularity()
    {
        Write(0, 100);
        DirtyBitmap fine = Add("fine", 512);
        DirtyBitmap coarse = Add("coarse", 65_536);
        DirtyBitmap off = Add("off", 65_536, isEnabled: false);
        Write(70_000, 100);
        Assert.Equal((512ul, true, false), (fine.Bits.CountBytes(), fine.IsEnabled, fine.IsBusy));
        Assert.Equal((65_536ul, true, false), (coarse.Bits.CountBytes(), coarse.IsEnabled, coarse.IsBusy));
        Assert.Equal((0ul, false, false), (off.Bits.CountBytes(), off.IsEnabled, off.IsBusy));
        Assert.Equal([fine, coarse, off], _disk.Bitmaps);
    }

    [Fact]
    public void DisabledBitmaps_RecordNothing_UntilEnabled()
    {
        DirtyBitmap bitmap = Add("b", 65_536);
        SetEnabled(bitmap, false);
        Write(0, 512);
        Assert.Equal(0ul, bitmap.Bits.CountBytes());
        SetEnabled(bitmap, true);
        Write(0, 512);
        Assert.Equal(65_536ul, bitmap.Bits.CountBytes());
        Quiesced(() => _disk.Clear(bitmap));
        Assert.Equal(0ul, bitmap.Bits.CountBytes());
        Quiesced(() => _disk.Remove(bitmap));
        Assert.Empty(_disk.Bitmaps);
        bitmap.Dispose();
    }

    [Fact]
    public void Merge_TakesFromOtherGranularitiesAndDisks_RoundedOutwards()
    {
        using FileDevice otherDevice = _loop.OpenFile(Capacity, out _, 512);
        using Disk otherDisk = new(_loop.Reactor, otherDevice, "other", slotCount: 16);
        DirtyBitmap source = Add("source", 512, disk: otherDisk);
        DirtyBitmap gains = Add("gains", 65_536);
        Assert.True(otherDisk.BeginWrite(65_535, 2, new Ignoring(), 0, out _) == Grant.Granted);
        otherDisk.EndWrite();
        Quiesced(() => gains.Include(source));
        Assert.Equal(2 * 65_536ul, gains.Bits.CountBytes());
        Quiesced(() => gains.Include(gains));
        Assert.Equal(2 * 65_536ul, gains.Bits.CountBytes());
    }

    [Fact]
    public void NamesAndGranularities_OutOfTheirRanges_AreRefused()
    {
        Assert.Equal(FaultKind.Invalid, Refused("", 65_536));
        Assert.Equal(FaultKind.Invalid, Refused(new string('x', DirtyBitmap.NameBytesMax + 1), 65_536));
        Assert.Equal(FaultKind.Invalid, Refused("c", 0));
        Assert.Equal(FaultKind.Invalid, Refused("c", 65_537));
        Assert.Equal(FaultKind.Invalid, Refused("c", DirtyBitmap.GranularityBytesMin / 2));
        Assert.Equal(FaultKind.Invalid, Refused("c", DirtyBitmap.GranularityBytesMax * 2));
    }

    [Fact]
    public void BitmapOfAJob_IsBusy_UntilItIsSettled()
    {
        DirtyBitmap bitmap = Add("b", 65_536);
        Quiesced(bitmap.Freeze);
        Assert.True(bitmap.IsBusy);
        Quiesced(bitmap.Reclaim);
        Assert.True(bitmap.IsBusy); // there is something left to do
        while (!bitmap.TrySettle()) { }
        Assert.False(bitmap.IsBusy);
    }

    [Fact]
    public void Changes_WaitForWritesUnderWay()
    {
        DirtyBitmap bitmap = Add("b", 65_536);
        Assert.Equal(Grant.Granted, _disk.BeginWrite(0, 1, new Ignoring(), 0, out _));
        bool isRemoved = false;
        Disk.Quiesce(
            _loop.Reactor,
            [_disk],
            () =>
            {
                _disk.Remove(bitmap);
                isRemoved = true;
            }
        );
        Assert.False(isRemoved); // a write is under way: the moment has not come
        _disk.EndWrite();
        _loop.RunUntil(() => isRemoved);
        Assert.Empty(_disk.Bitmaps);
        Assert.Equal(65_536ul, bitmap.Bits.CountBytes()); // the write was recorded before
        bitmap.Dispose();
    }

    public void Dispose()
    {
        _disk.Dispose();
        _device.Dispose();
        _loop.Dispose();
    }

    DirtyBitmap Add(string name, ulong granularityBytes, bool isEnabled = true, Disk? disk = null)
    {
        disk ??= _disk;
        Fault fault = DirtyBitmap.TryCreate(name, disk.CapacityBytes, granularityBytes, out DirtyBitmap? bitmap);
        Assert.Equal(Fault.None, fault);
        bitmap!.SetEnabled(isEnabled);
        Disk.Quiesce(_loop.Reactor, [disk], () => disk.Add(bitmap));
        Assert.Same(bitmap, disk.FindBitmap(name));
        return bitmap;
    }

    void SetEnabled(DirtyBitmap bitmap, bool isEnabled) =>
        Quiesced(() =>
        {
            bitmap.SetEnabled(isEnabled);
            _disk.RefreshRecording();
        });

    /// <summary>No write is under way: the moment is now.</summary>
    void Quiesced(Action change)
    {
        bool isDone = false;
        Disk.Quiesce(
            _loop.Reactor,
            [_disk],
            () =>
            {
                change();
                isDone = true;
            }
        );
        Assert.True(isDone);
    }

    static FaultKind Refused(string name, ulong granularityBytes) =>
        DirtyBitmap.TryCreate(name, Capacity, granularityBytes, out _).Kind;

    void Write(ulong offsetBytes, ulong lengthBytes)
    {
        Assert.Equal(Grant.Granted, _disk.BeginWrite(offsetBytes, lengthBytes, new Ignoring(), 0, out _));
        _disk.EndWrite();
    }

    sealed class Ignoring : IGuestOwner
    {
        public void OnGuestCompleted(ulong userData, Fault fault) => Assert.Fail("granted writes complete nothing");
    }
}
