// The verbs on a disk's bitmaps: what they do, and what they refuse without changing anything.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;
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
    readonly DiskBitmaps _bitmaps;

    public DiskBitmapsTests()
    {
        _device = _loop.OpenFile(Capacity, out _, 512);
        _disk = new Disk(_loop.Reactor, _device, "disk", slotCount: 16);
        _bitmaps = new DiskBitmaps(_loop.Reactor, _disk);
    }

    [Fact]
    public void AddedBitmaps_RecordFromThenOn_EachAtItsGranularity()
    {
        Write(0, 100);
        Done(_bitmaps.Add("fine", 512, isEnabled: true, OnDone));
        Done(_bitmaps.Add("coarse", 65_536, isEnabled: true, OnDone));
        Done(_bitmaps.Add("off", 65_536, isEnabled: false, OnDone));
        Write(70_000, 100);
        Assert.Equal(
            [
                new BitmapPicture("fine", 512, 512, true, false),
                new BitmapPicture("coarse", 65_536, 65_536, true, false),
                new BitmapPicture("off", 65_536, 0, false, false),
            ],
            _bitmaps.Query()
        );
    }

    [Fact]
    public void DisabledBitmaps_RecordNothing_UntilEnabled()
    {
        Done(_bitmaps.Add("b", 65_536, isEnabled: true, OnDone));
        Done(_bitmaps.SetEnabled("b", false, OnDone));
        Write(0, 512);
        Assert.Equal(0ul, _bitmaps.Query()[0].DirtyBytes);
        Done(_bitmaps.SetEnabled("b", true, OnDone));
        Write(0, 512);
        Assert.Equal(65_536ul, _bitmaps.Query()[0].DirtyBytes);
        Done(_bitmaps.Clear("b", OnDone));
        Assert.Equal(0ul, _bitmaps.Query()[0].DirtyBytes);
        Done(_bitmaps.Remove("b", OnDone));
        Assert.Empty(_bitmaps.Query());
    }

    [Fact]
    public void Merge_TakesFromOtherGranularitiesAndDisks_RoundedOutwards()
    {
        using FileDevice otherDevice = _loop.OpenFile(Capacity, out _, 512);
        using Disk otherDisk = new(_loop.Reactor, otherDevice, "other", slotCount: 16);
        DiskBitmaps others = new(_loop.Reactor, otherDisk);
        Done(others.Add("source", 512, isEnabled: true, OnDone));
        Done(_bitmaps.Add("gains", 65_536, isEnabled: true, OnDone));
        Assert.True(otherDisk.BeginWrite(65_535, 2, new Ignoring(), 0, out _) == Grant.Granted);
        otherDisk.EndWrite();
        Done(_bitmaps.Merge("gains", [otherDisk.FindBitmap("source")!], OnDone));
        Assert.Equal(2 * 65_536ul, _bitmaps.Query()[0].DirtyBytes);
        Done(_bitmaps.Merge("gains", [_disk.FindBitmap("gains")!], OnDone));
        Assert.Equal(2 * 65_536ul, _bitmaps.Query()[0].DirtyBytes);
    }

    [Fact]
    public void Refusals_NameTheValueAndTheRule_AndChangeNothing()
    {
        Done(_bitmaps.Add("b", 65_536, isEnabled: true, OnDone));
        Write(0, 512);
        IReadOnlyList<BitmapPicture> before = _bitmaps.Query();
        Refused(_bitmaps.Add("b", 65_536, true, Never), "has a bitmap 'b' already");
        Refused(_bitmaps.Add("", 65_536, true, Never), "1 to 1023 bytes, not 0");
        Refused(_bitmaps.Add(new string('x', 1024), 65_536, true, Never), "not 1024");
        Refused(_bitmaps.Add("c", 0, true, Never), "granularity 0");
        Refused(_bitmaps.Add("c", 65_537, true, Never), "granularity 65537");
        Refused(_bitmaps.Add("c", 256, true, Never), "granularity 256");
        Refused(_bitmaps.Add("c", 1UL << 32, true, Never), "granularity 4294967296");
        Refused(_bitmaps.Remove("missing", Never), "no bitmap 'missing'");
        Refused(_bitmaps.Clear("missing", Never), "no bitmap 'missing'");
        Refused(_bitmaps.SetEnabled("missing", true, Never), "no bitmap 'missing'");
        Refused(_bitmaps.Merge("missing", [], Never), "no bitmap 'missing'");
        Assert.True(DirtyBitmap.TryCreate("small", 4096, 512, out DirtyBitmap? small).IsNone);
        Refused(_bitmaps.Merge("b", [small!], Never), "of a disk of 4096 bytes");
        small!.Dispose();
        Assert.Equal(before, _bitmaps.Query());
    }

    [Fact]
    public void BusyBitmaps_RefuseEveryVerb()
    {
        Done(_bitmaps.Add("b", 65_536, isEnabled: true, OnDone));
        Done(_bitmaps.Add("idle", 65_536, isEnabled: true, OnDone));
        DirtyBitmap bitmap = _disk.FindBitmap("b")!;
        Disk.Quiesce(_loop.Reactor, [_disk], bitmap.Freeze);
        Refused(_bitmaps.Remove("b", Never), "busy and cannot be removed");
        Refused(_bitmaps.Clear("b", Never), "busy and cannot be cleared");
        Refused(_bitmaps.SetEnabled("b", false, Never), "busy and cannot be disabled");
        Refused(_bitmaps.Merge("b", [], Never), "busy and cannot be merged into");
        Refused(_bitmaps.Merge("idle", [bitmap], Never), "busy and cannot be merged from");
        Disk.Quiesce(_loop.Reactor, [_disk], bitmap.Reclaim);
    }

    [Fact]
    public void AVerbThatCameTooLate_TellsSo_AndChangesNothing()
    {
        Done(_bitmaps.Add("b", 65_536, isEnabled: true, OnDone));
        Assert.Equal(Grant.Granted, _disk.BeginWrite(0, 1, new Ignoring(), 0, out _));
        Fault? removed = null;
        Fault? cleared = null;
        Assert.True(_bitmaps.Remove("b", fault => removed = fault).IsNone);
        Assert.True(_bitmaps.Clear("b", fault => cleared = fault).IsNone);
        Assert.Null(removed); // a write is under way: the moment has not come
        _disk.EndWrite();
        _loop.RunUntil(() => removed != null && cleared != null);
        Assert.Contains(Fault.None, new[] { removed!.Value, cleared!.Value });
        Assert.Empty(_bitmaps.Query());
    }

    public void Dispose()
    {
        _disk.Dispose();
        _device.Dispose();
        _loop.Dispose();
    }

    Fault? _done;

    void OnDone(Fault fault) => _done = fault;

    void Done(OpenRefusal refusal)
    {
        Assert.True(refusal.IsNone, refusal.Sentence);
        Assert.Equal(Fault.None, _done);
        _done = null;
    }

    static void Never(Fault fault) => Assert.Fail("called after a refusal");

    static void Refused(OpenRefusal refusal, string part)
    {
        Assert.False(refusal.IsNone);
        Assert.Contains(part, refusal.Sentence, StringComparison.Ordinal);
    }

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
