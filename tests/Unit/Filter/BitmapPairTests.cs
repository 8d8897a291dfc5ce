// The two sets of bits of a dirty bitmap change places instead of being copied: against a model of plain sets, with
// writes of guests between all steps, and the spare one made clean in parts, wholly or not at all before it is needed.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Tests.Unit.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class BitmapPairTests
{
    const ulong Granules = 16;

    readonly FilterBench _bench = new(clusterCount: Granules);
    readonly HashSet<ulong> _bits = [];
    readonly HashSet<ulong> _successor = [];
    DirtyBitmap _bitmap = null!;

    [Fact]
    public void RandomSteps_AgainstModel()
    {
        ulong seed = TestSeed.Next();
        Prng prng = new(seed);
        _bitmap = _bench.AddBitmap("b");
        for (int step = 0; step < 5000; step++)
        {
            Write(prng.Below(Granules));
            if (prng.Chance(1, 2))
                _bitmap.TidySpare();
            Step(prng.Below(6));
            Assert.True(IsAsModel(_bitmap.Bits, _bits), $"FASTBACKUP_SEED={seed} step {step}");
            if (_bitmap.IsBusy)
                Assert.True(IsAsModel(_bitmap.Recording!, _successor), $"FASTBACKUP_SEED={seed} step {step}");
        }
    }

    /// <summary>Else the first write after thousands were added or cleared takes as many pages, 1 us each.</summary>
    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Fact]
    public void FirstWrite_AfterManyWereAddedOrCleared_TakesNoPages()
    {
        const int count = 500;
        for (int i = 0; i < count; i++)
            _bitmap = _bench.AddBitmap($"b{i}");
        Write(1);
        foreach (DirtyBitmap bitmap in _bench.Disk.Bitmaps)
            Assert.True(bitmap.TidySpare());
        Quiesced(() =>
        {
            foreach (DirtyBitmap bitmap in _bench.Disk.Bitmaps)
                _bench.Disk.Clear(bitmap);
        });
        long before = Residency.MinorFaultCount();
        Write(2);
        Assert.InRange(Residency.MinorFaultCount() - before, 0, count / 10); // of the runtime's own
    }

    void Write(ulong granule)
    {
        Assert.Equal(Grant.Granted, new GuestProbe(_bench.Disk, granule * FilterBench.Cluster, 1).Grant);
        _bench.Disk.EndWrite();
        _ = (_bitmap.IsBusy ? _successor : _bits).Add(granule);
    }

    void Step(ulong kind)
    {
        switch (kind)
        {
            case 0 when !_bitmap.IsBusy:
                Quiesced(() => _bench.Disk.Clear(_bitmap));
                _bits.Clear();
                break;
            case 1 when !_bitmap.IsBusy:
                Quiesced(() =>
                {
                    _bench.Disk.Clear(_bitmap);
                    _bench.Disk.Clear(_bitmap);
                    _bitmap.Freeze();
                });
                _bits.Clear();
                break;
            case < 4 when !_bitmap.IsBusy:
                Quiesced(_bitmap.Freeze);
                break;
            case 4 when _bitmap.IsBusy:
                Quiesced(_bitmap.Abdicate);
                _bits.Clear();
                Thaw();
                break;
            case 5 when _bitmap.IsBusy:
                Quiesced(_bitmap.Reclaim);
                Thaw();
                break;
        }
    }

    void Quiesced(Action change) =>
        Disk.Quiesce(
            _bench.Loop.Reactor,
            [_bench.Disk],
            () =>
            {
                change();
                _bench.Disk.RefreshRecording();
            }
        );

    void Thaw()
    {
        while (!_bitmap.TrySettle())
            continue;
        _bits.UnionWith(_successor);
        _successor.Clear();
    }

    static bool IsAsModel(HierarchicalBitmap bits, HashSet<ulong> model)
    {
        for (ulong granule = 0; granule < Granules; granule++)
            if (bits.GetBit(granule) != model.Contains(granule))
                return false;
        return bits.CountBits() == (ulong)model.Count;
    }

    [Fact]
    public void Clear_WithACleanSpare_DoesNotLookWhatThereIs()
    {
        // To count is 33 cold lines; thousands of bitmaps may be cleared in one moment.
        Assert.True(DirtyBitmap.TryCreate("b", 1 << 20, 4096, out DirtyBitmap? bitmap).IsNone);
        HierarchicalBitmap before = bitmap!.Bits;
        bitmap.ClearByExchange();
        HierarchicalBitmap after = bitmap.Bits;
        Assert.NotSame(before, after);
        bitmap.ClearByExchange(); // in the same moment: the spare is not known to be clean, and need not be
        Assert.Same(after, bitmap.Bits);
        bitmap.Dispose();
    }

    [Fact]
    public void AClear_AfterADraftWasTaken_LeavesNothing()
    {
        Assert.True(DirtyBitmap.TryCreate("b", 1 << 20, 4096, out DirtyBitmap? bitmap).IsNone);
        Assert.True(bitmap!.Bits.Set(8192, 1).IsNone);
        Assert.Equal(0ul, bitmap.BeginDraft().CountBits());
        bitmap.TakeDraft(); // what it was is the spare one now
        bitmap.ClearByExchange();
        Assert.Equal(0ul, bitmap.Bits.CountBits());
        bitmap.ClearByExchange();
        Assert.Equal(0ul, bitmap.Bits.CountBits());
        bitmap.Freeze();
        Assert.Equal(0ul, bitmap.Recording!.CountBits());
        bitmap.Reclaim();
        while (!bitmap.TrySettle()) { }
        bitmap.Dispose();
    }

    [Fact]
    public void TwoThatAreGained_AreTakenFromTheirBeginnings()
    {
        Assert.True(DirtyBitmap.TryCreate("b", 1 << 20, 4096, out DirtyBitmap? bitmap).IsNone);
        Assert.True(HierarchicalBitmap.TryCreate(1 << 20, 512, default, out HierarchicalBitmap? more).IsNone);
        bitmap!.Freeze();
        Assert.True(bitmap.Recording!.Set((1 << 20) - 1, 1).IsNone);
        Assert.True(more!.Set(0, 1).IsNone);
        bitmap.Reclaim();
        bitmap.Gain(more);
        while (!bitmap.TrySettle()) { }
        Assert.Equal(2ul, bitmap.Bits.CountBits());
        Assert.True(bitmap.Bits.GetBit(0));
        bitmap.Dispose();
        more.Dispose();
    }

    [Fact]
    public void ALargeBitmap_IsMadeCleanInParts()
    {
        const ulong size = 1UL << 40; // 2^28 granules
        Assert.True(DirtyBitmap.TryCreate("large", size, 4096, out DirtyBitmap? bitmap).IsNone);
        Assert.True(bitmap!.Bits.Set(0, 1).IsNone);
        Assert.True(bitmap.Bits.Set(size - 1, 1).IsNone);
        Assert.True(bitmap.TidySpare()); // nothing is in it yet
        bitmap.ClearByExchange();
        Assert.Equal(0ul, bitmap.Bits.CountBits());
        int partCount = 1;
        while (!bitmap.TidySpare())
            partCount++;
        Assert.Equal(64, partCount);
        bitmap.Freeze();
        Assert.Equal(0ul, bitmap.Recording!.CountBits());
        bitmap.Abdicate();
        for (partCount = 1; !bitmap.TrySettle(); partCount++)
            Assert.True(bitmap.IsBusy);
        Assert.Equal(64, partCount);
        bitmap.Dispose();
    }
}
