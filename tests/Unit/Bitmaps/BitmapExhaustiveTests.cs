// All small cases, and all cases around the places where words, lines, blocks and levels meet.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

public sealed class BitmapExhaustiveTests
{
    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(4UL)]
    [InlineData(8UL)]
    public void Set_EveryRangeOfEverySmallSize_RoundsOutwards(ulong granularity)
    {
        for (ulong size = 0; size <= 18; size++)
        {
            for (ulong start = 0; start <= size; start++)
            {
                for (ulong length = 0; length <= size - start; length++)
                {
                    using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(size, granularity);
                    NaiveBitmap model = new(size, granularity);
                    Assert.True(bitmap.Set(start, length).IsNone);
                    model.Set(start, length, true);
                    CheckAllReads(model, bitmap);
                }
            }
        }
    }

    [Fact]
    public void Reset_EveryRangeOfEverySmallSize_CleansOrIsAlignFault()
    {
        const ulong Granularity = 4;
        for (ulong size = 0; size <= 22; size++)
        {
            for (ulong start = 0; start <= size; start++)
            {
                for (ulong length = 1; length <= size - start; length++)
                {
                    foreach (bool isExclusive in (bool[])[false, true])
                    {
                        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(size, Granularity);
                        NaiveBitmap model = new(size, Granularity);
                        bitmap.SetAll();
                        model.Set(0, size, true);
                        ulong end = start + length;
                        bool isGood = start % Granularity == 0 && (end % Granularity == 0 || end == size);
                        Fault fault = isExclusive ? bitmap.ResetExclusive(start, length) : bitmap.Reset(start, length);
                        Assert.Equal(isGood ? FaultKind.None : FaultKind.Align, fault.Kind);
                        if (isGood)
                            model.Set(start, length, false);
                        Assert.Equal(model.CountBits(), bitmap.CountBits());
                        Assert.Equal(model.CountBytes(), bitmap.CountBytes());
                        bitmap.Verify();
                    }
                }
            }
        }
    }

    /// <summary>Ranges whose ends lie at each edge of a word, line, block or level, or next to one.</summary>
    [Fact]
    public void SetResetClaim_AroundEveryEdge_AgreeWithTheModel()
    {
        const ulong Bits = 2 * 64 * 512 + 700;
        ulong[] edges = [0, 64, 448, 512, 576, 1024, 64 * 512, 64 * 512 + 512, 2 * 64 * 512, Bits];
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(Bits, 1);
        foreach (ulong firstEdge in edges)
        {
            foreach (ulong lastEdge in edges)
            {
                for (int nudge = 0; nudge < 9; nudge++)
                {
                    ulong first = Math.Min(Bits, unchecked(firstEdge + (ulong)(nudge % 3 - 1)));
                    ulong end = Math.Min(Bits, unchecked(lastEdge + (ulong)(nudge / 3 - 1)));
                    if (firstEdge == 0 && nudge % 3 == 0 || lastEdge == 0 && nudge / 3 == 0 || first >= end)
                        continue;
                    Assert.True(bitmap.Set(first, end - first).IsNone);
                    Assert.Equal(end - first, bitmap.CountBits());
                    Assert.Equal(first, bitmap.NextDirtyBit(0, Bits));
                    Assert.Equal(end < Bits ? end : HierarchicalBitmap.NotFound, bitmap.NextCleanBit(first, Bits));
                    Assert.Equal(HierarchicalBitmap.NotFound, bitmap.NextDirtyBit(end, Bits));
                    bitmap.Verify();
                    // A bit left on each side must survive the reset.
                    bitmap.SetAll();
                    Assert.True(bitmap.Reset(first, end - first).IsNone);
                    Assert.Equal(Bits - (end - first), bitmap.CountBits());
                    Assert.Equal(first, bitmap.NextCleanBit(0, Bits));
                    bitmap.Invert();
                    Assert.True(bitmap.TryClaimRun(0, Bits, Bits, out ulong claimed, out ulong count));
                    Assert.Equal((first, end - first), (claimed, count));
                    Assert.Equal(0UL, bitmap.CountBits());
                    bitmap.Verify();
                }
            }
        }
    }

    [Theory]
    [InlineData(64UL)]
    [InlineData(512UL)]
    [InlineData(4096UL)]
    [InlineData(64UL * 512)]
    [InlineData(64UL * 64 * 512)]
    public void Truncate_GrowsAcrossEveryEdge_KeepsBitsAndGrowsClean(ulong edgeBits)
    {
        for (ulong from = edgeBits - 1; from <= edgeBits + 1; from++)
        {
            using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(from, 1);
            bitmap.SetAll();
            for (ulong size = from + 1; size <= from + 3; size++)
            {
                Assert.True(bitmap.Truncate(size).IsNone);
                Assert.Equal(from, bitmap.CountBits());
                Assert.Equal(from, bitmap.NextCleanBit(0, size));
                bitmap.Verify();
            }
            Assert.True(bitmap.Truncate(from - 2).IsNone);
            Assert.Equal(from - 2, bitmap.CountBits());
            Assert.True(bitmap.Truncate(from + 3).IsNone);
            Assert.Equal(from - 2, bitmap.CountBits());
            bitmap.Verify();
        }
    }

    [Theory]
    [InlineData(1, HierarchicalBitmap.BitCountMax + 1)]
    [InlineData(HierarchicalBitmap.GranularityMaxBytes, HierarchicalBitmap.SizeLimitBytes + 1)]
    public void Truncate_PastEitherLimit_IsRefused_AndChangesNothing(ulong granularityBytes, ulong sizeBytes)
    {
        Assert.True(
            HierarchicalBitmap.TryCreate(100, granularityBytes, default, out HierarchicalBitmap? bitmap).IsNone
        );
        bitmap!.SetAll();
        Assert.Equal(FaultKind.Range, bitmap.Truncate(sizeBytes).Kind);
        Assert.Equal((100ul, 100ul), (bitmap.SizeBytes, bitmap.CountBytes()));
        bitmap.Dispose();
    }

    [Fact]
    public void Truncate_ManySmallGrowths_NeverDirtyAndNeverLose()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(0, 8);
        for (ulong size = 1; size <= 6000; size++)
        {
            Assert.True(bitmap.Truncate(size).IsNone);
            if (size % 64 == 0)
                Assert.True(bitmap.Set(size - 8, 8).IsNone);
            Assert.Equal(size / 64, bitmap.CountBits());
        }
        bitmap.Verify();
    }

    static void CheckAllReads(NaiveBitmap model, HierarchicalBitmap bitmap)
    {
        Assert.Equal(model.CountBits(), bitmap.CountBits());
        Assert.Equal(model.CountBytes(), bitmap.CountBytes());
        for (ulong start = 0; start <= model.SizeBytes; start++)
        {
            for (ulong end = start; end <= model.SizeBytes; end++)
            {
                Assert.True(bitmap.NextDirty(start, end, out ulong dirty).IsNone);
                Assert.Equal(model.Next(start, end, true), dirty);
                Assert.True(bitmap.NextZero(start, end, out ulong clean).IsNone);
                Assert.Equal(model.Next(start, end, false), clean);
                if (end == start)
                    continue;
                Assert.True(bitmap.Status(start, end - start, out bool isDirty, out ulong run).IsNone);
                Assert.Equal(model.IsDirty(start), isDirty);
                Assert.Equal(Math.Min(end, isDirty ? clean : dirty) - start, run);
            }
        }
    }
}
