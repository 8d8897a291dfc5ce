// One test per clause of the contract that the random model does not reach: faults, extremes, states.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

public sealed class BitmapContractTests
{
    [Theory]
    [InlineData(0UL, FaultKind.Invalid)]
    [InlineData(3UL, FaultKind.Invalid)]
    [InlineData(1UL << 32, FaultKind.Invalid)]
    [InlineData(1UL << 31, FaultKind.None)]
    public void TryCreate_GranularityIsNoPowerOfTwoUpTo2GiB_IsInvalidFault(ulong granularity, FaultKind expected)
    {
        Assert.Equal(
            expected,
            HierarchicalBitmap.TryCreate(1000, granularity, default, out HierarchicalBitmap? bitmap).Kind
        );
        Assert.Equal(expected == FaultKind.None, bitmap != null);
        bitmap?.Dispose();
    }

    [Fact]
    public void TryCreate_TooManyBitsOrBytes_IsRangeFault()
    {
        Assert.Equal(FaultKind.Range, HierarchicalBitmap.TryCreate((1UL << 41) + 1, 1, default, out _).Kind);
        Assert.Equal(FaultKind.Range, HierarchicalBitmap.TryCreate((1UL << 63) + 1, 1UL << 31, default, out _).Kind);
        BitmapOptions options = new(SizeMaxBytes: (1UL << 41) + 1);
        Assert.Equal(FaultKind.Range, HierarchicalBitmap.TryCreate(1, 1, options, out _).Kind);
    }

    [Fact]
    public void TryClaimRun_WhereNothingIsDirty_ClaimsNothing()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(10_000, 1);
        bitmap.SetBits(9000, 10);
        Assert.False(bitmap.TryClaimRun(0, 9000, 1000, out ulong first, out ulong count));
        Assert.Equal((HierarchicalBitmap.NotFound, 0UL), (first, count));
        Assert.Equal(10UL, bitmap.CountBits());
    }

    /// <summary>Shifts must be of 64 bits for every granularity and for sizes up to the limits.</summary>
    [Fact]
    [Trait("System", "Linux")] // a table of terabytes, mostly empty
    public void EveryGranularity_AtTheLargestSize_FindsItsFirstAndLastByte()
    {
        for (int shift = 0; shift <= 31; shift++)
        {
            ulong granularity = 1UL << shift;
            ulong largest = shift >= 22 ? HierarchicalBitmap.SizeLimitBytes : HierarchicalBitmap.BitCountMax << shift;
            foreach (ulong size in (ulong[])[largest, largest - 1, largest - granularity + 1, largest / 2 + 1])
            {
                using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(size, granularity);
                ulong last = size - 1;
                Assert.True(bitmap.Set(last, 1).IsNone);
                ulong granule = Units.AlignDown(last, granularity);
                Assert.True(bitmap.NextDirty(0, size, out ulong found).IsNone);
                Assert.Equal(granule, found);
                Assert.Equal(size - granule, bitmap.CountBytes());
                Assert.True(bitmap.Get(last, out bool isDirty).IsNone);
                Assert.True(isDirty);
                Assert.True(bitmap.Set(0, 1).IsNone);
                Assert.True(bitmap.NextDirtyArea(1, size, ulong.MaxValue, out Extent area).IsNone);
                Assert.Equal(granularity > 1 ? 1 : granule, area.OffsetBytes);
                Assert.True(bitmap.Status(0, size, out isDirty, out ulong run).IsNone);
                Assert.True(isDirty);
                Assert.Equal(Math.Min(granularity, size), run);
                Assert.Equal(2UL, bitmap.CountBits());
                Assert.True(bitmap.Reset(granule, size - granule).IsNone);
                Assert.True(bitmap.TryClaim(0));
                Assert.Equal(0UL, bitmap.CountBytes());
                Assert.True(bitmap.NextDirty(0, size, out found).IsNone);
                Assert.Equal(HierarchicalBitmap.NotFound, found);
            }
        }
    }

    [Fact]
    [Trait("System", "Linux")] // a table of terabytes, mostly empty
    public void SparseBitmapOfTheLargestSize_RandomBits_AgreesWithASet()
    {
        ulong seed = TestSeed.Next();
        Prng random = new(seed);
        ulong bits = HierarchicalBitmap.BitCountMax;
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(bits, 1);
        System.Collections.Generic.SortedSet<ulong> model = [];
        for (int step = 0; step < 20_000; step++)
        {
            // Neighbours at every distance, so that summaries at every level are shared and not.
            ulong near = model.Count == 0 ? 0 : model.Min;
            ulong bit = (near + random.Below(1UL << (int)random.Below(42))) % bits;
            if (random.Chance(2, 5))
            {
                ulong expected = ulong.MaxValue;
                foreach (ulong next in model.GetViewBetween(bit, bits))
                {
                    expected = next;
                    break;
                }
                bool isClaimed = bitmap.TryClaimRun(bit, bits, 1, out ulong first, out _);
                Assert.True(isClaimed == (expected != ulong.MaxValue), $"FASTBACKUP_SEED={seed}");
                Assert.True(first == expected, $"FASTBACKUP_SEED={seed}");
                model.Remove(expected);
            }
            else
            {
                bitmap.SetBits(bit, 1);
                model.Add(bit);
            }
            Assert.True((ulong)model.Count == bitmap.CountBits(), $"FASTBACKUP_SEED={seed}");
        }
        Assert.True(bitmap.PopCount(0, bits, out ulong ones).IsNone);
        Assert.Equal((ulong)model.Count, ones);
        using HierarchicalBitmap copy = HierarchicalBitmap.Create(bits, 1);
        Assert.True(copy.CopyFrom(bitmap).IsNone);
        Assert.True(copy.Equal(bitmap));
        copy.ResetAll();
        Assert.Equal(HierarchicalBitmap.NotFound, copy.NextDirtyBit(0, bits));
    }

    [Fact]
    public void Merge_EmptySource_ChangesNothing()
    {
        using HierarchicalBitmap bitmap = WithBits(1000, 1, 3, 999);
        using HierarchicalBitmap before = WithBits(1000, 1, 3, 999);
        using HierarchicalBitmap empty = HierarchicalBitmap.Create(1000, 1);
        using HierarchicalBitmap nothing = HierarchicalBitmap.Create(0, 1);
        Assert.True(bitmap.Merge(empty).IsNone);
        Assert.True(bitmap.Merge(nothing).IsNone);
        Assert.True(bitmap.MergeLive(empty).IsNone);
        Assert.True(bitmap.Equal(before));
    }

    [Fact]
    public void Merge_ResultIsASource_KeepsBoth()
    {
        using HierarchicalBitmap left = WithBits(5000, 1, 1, 4000);
        using HierarchicalBitmap right = WithBits(5000, 1, 2, 4999);
        using HierarchicalBitmap both = WithBits(5000, 1, 1, 2, 4000, 4999);
        Assert.True(HierarchicalBitmap.Merge(left, right, right).IsNone);
        Assert.True(right.Equal(both));
        Assert.True(HierarchicalBitmap.Merge(left, right, left).IsNone);
        Assert.True(left.Equal(both));
        Assert.True(HierarchicalBitmap.Merge(left, left, left).IsNone);
        Assert.True(left.Equal(both));
        left.Verify();
        right.Verify();
    }

    [Fact]
    public void Merge_SourceDirtyPastTheEnd_IsRangeFaultAndChangesNothing()
    {
        using HierarchicalBitmap small = WithBits(1000, 1, 3);
        using HierarchicalBitmap before = WithBits(1000, 1, 3);
        using HierarchicalBitmap large = WithBits(70_000, 1, 5, 1000);
        Fault expected = new(FaultKind.Range, 0, 1000);
        Assert.Equal(expected, small.Merge(large));
        Assert.Equal(expected, small.MergeLive(large));
        Assert.Equal(expected, HierarchicalBitmap.Merge(before, large, small));
        Assert.Equal(expected, small.CopyFrom(large));
        Assert.True(small.Equal(before));
        Assert.True(large.TryClaim(1000));
        Assert.True(small.Merge(large).IsNone);
        Assert.True(small.GetBit(5));
        small.Verify();
    }

    [Fact]
    public void Merge_ShortLastGranuleIntoFinerBitmap_StopsAtTheSourcesEnd()
    {
        using HierarchicalBitmap coarse = HierarchicalBitmap.Create(100, 64);
        coarse.SetAll();
        using HierarchicalBitmap fine = HierarchicalBitmap.Create(100, 1);
        Assert.True(fine.Merge(coarse).IsNone);
        Assert.Equal(100UL, fine.CountBits());
        using HierarchicalBitmap shorter = HierarchicalBitmap.Create(99, 1);
        Assert.Equal(FaultKind.Range, shorter.Merge(coarse).Kind);
        Assert.Equal(0UL, shorter.CountBits());
    }

    [Fact]
    public void Merge_IntoCoarserBitmap_MarksTheTouchedGranulesOnly()
    {
        using HierarchicalBitmap fine = WithBits(1 << 20, 1, 0, 65_535, 65_536, 999_999);
        using HierarchicalBitmap coarse = HierarchicalBitmap.Create(1 << 20, 65_536);
        Assert.True(coarse.Merge(fine).IsNone);
        Assert.Equal(3UL, coarse.CountBits());
        Assert.True(coarse.GetBit(0) && coarse.GetBit(1) && coarse.GetBit(999_999 / 65_536));
    }

    [Fact]
    public void AndAndNotDrain_OtherShape_IsInvalidFault()
    {
        using HierarchicalBitmap bitmap = WithBits(1000, 1, 3);
        using HierarchicalBitmap coarser = HierarchicalBitmap.Create(1000, 2);
        using HierarchicalBitmap longer = HierarchicalBitmap.Create(1001, 1);
        foreach (HierarchicalBitmap other in (HierarchicalBitmap[])[coarser, longer])
        {
            Assert.Equal(FaultKind.Invalid, bitmap.And(other).Kind);
            Assert.Equal(FaultKind.Invalid, bitmap.AndNot(other).Kind);
            Assert.Equal(FaultKind.Invalid, bitmap.DrainInto(other).Kind);
            Assert.False(bitmap.Equal(other));
        }
        Assert.Equal(FaultKind.Invalid, bitmap.DrainInto(bitmap).Kind);
        Assert.Equal(1UL, bitmap.CountBits());
    }

    [Fact]
    public void DeserializePart_BitsPastTheEnd_AreDropped()
    {
        foreach (ulong bits in (ulong[])[1, 63, 65, 513, 5000, 32_769])
        {
            using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(bits, 1);
            byte[] ones = new byte[Units.DivCeil(bits, 64) * 8];
            Array.Fill(ones, (byte)0xFF);
            Assert.True(bitmap.DeserializePart(0, bits, ones).IsNone);
            Assert.True(bitmap.DeserializeFinish().IsNone);
            Assert.Equal(bits, bitmap.CountBits());
            bitmap.Verify();
        }
    }

    [Fact]
    public void DeserializePart_Misaligned_IsAlignFaultAndChangesNothing()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(1000, 2);
        byte[] words = new byte[64];
        Array.Fill(words, (byte)0xFF);
        Assert.Equal(128UL, bitmap.SerializationAlignmentBytes);
        Assert.Equal(FaultKind.Align, bitmap.DeserializePart(64, 128, words).Kind);
        Assert.Equal(FaultKind.Align, bitmap.DeserializePart(0, 100, words).Kind);
        Assert.Equal(FaultKind.Align, bitmap.SerializePart(128, 100, words).Kind);
        Assert.Equal(FaultKind.Align, bitmap.DeserializeOnes(2, 126).Kind);
        Assert.Equal(FaultKind.Align, bitmap.DeserializeZeroes(2, 126).Kind);
        Assert.Equal(FaultKind.Invalid, bitmap.DeserializePart(0, 1000, words.AsSpan(0, 63)).Kind);
        Assert.Equal(FaultKind.Invalid, bitmap.SerializePart(0, 1000, words.AsSpan(0, 63)).Kind);
        Assert.Equal(0UL, bitmap.CountBits());
        Assert.True(bitmap.DeserializePart(896, 104, words).IsNone);
        Assert.Equal(52UL, bitmap.CountBits());
    }

    [Fact]
    public void DeserializeFinish_WithoutAPart_IsStateFault()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(1000, 1);
        Assert.Equal(FaultKind.State, bitmap.DeserializeFinish().Kind);
        Assert.True(bitmap.DeserializeZeroes(0, 1000).IsNone);
        Assert.True(bitmap.DeserializeFinish().IsNone);
        Assert.Equal(FaultKind.State, bitmap.DeserializeFinish().Kind);
    }

    [Fact]
    public void Serialize_IsLittleEndianWords()
    {
        using HierarchicalBitmap bitmap = WithBits(70, 1, 0, 9, 63, 64);
        byte[] words = new byte[16];
        Assert.True(bitmap.SerializePart(0, 70, words).IsNone);
        Assert.Equal([1, 2, 0, 0, 0, 0, 0, 0x80, 1, 0, 0, 0, 0, 0, 0, 0], words);
    }

    [Fact]
    public void FrozenGeneration_FreezeThawComplete_FollowTheDrawing()
    {
        using HierarchicalBitmap live = WithBits(100_000, 1, 7, 99_999);
        using FrozenGeneration frozen = new(live, default);
        Assert.Equal(FaultKind.State, frozen.Thaw().Kind);
        Assert.Equal(FaultKind.State, frozen.Complete().Kind);
        Assert.True(frozen.Freeze().IsNone);
        Assert.Equal(FaultKind.State, frozen.Freeze().Kind);
        Assert.Equal((0UL, 2UL), (live.CountBits(), frozen.Bits.CountBits()));
        live.SetBits(8, 1);
        Assert.True(frozen.Thaw().IsNone);
        Assert.Equal((3UL, 0UL), (live.CountBits(), frozen.Bits.CountBits()));
        Assert.True(live.Truncate(200_000).IsNone);
        live.SetBits(199_999, 1);
        Assert.True(frozen.Freeze().IsNone);
        Assert.Equal((0UL, 4UL), (live.CountBits(), frozen.Bits.CountBits()));
        Assert.True(frozen.Complete().IsNone);
        Assert.Equal((0UL, 0UL), (live.CountBits(), frozen.Bits.CountBits()));
    }

    [Fact]
    public void Thaw_LiveBitmapShrankBelowADirtyByte_IsRangeFaultAndStaysFrozen()
    {
        using HierarchicalBitmap live = WithBits(1000, 1, 900);
        using FrozenGeneration frozen = new(live, default);
        Assert.True(frozen.Freeze().IsNone);
        Assert.True(live.Truncate(800).IsNone);
        Assert.Equal(FaultKind.Range, frozen.Thaw().Kind);
        Assert.True(frozen.IsFrozen);
        Assert.True(frozen.Complete().IsNone);
    }

    [Fact]
    public void Operations_AfterConstruction_AllocateNothing()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(
            1 << 24,
            4,
            new BitmapOptions(SizeMaxBytes: 1 << 25)
        );
        using HierarchicalBitmap other = WithBits(1 << 24, 4, 77, 5000, 1 << 21);
        using FrozenGeneration frozen = new(bitmap, new BitmapOptions(SizeMaxBytes: 1 << 25));
        byte[] words = new byte[1 << 19];
        ulong[] bits = new ulong[FrozenGeneration.BatchMin];
        BitRun[] runs = new BitRun[FrozenGeneration.BatchMin];
        ulong failures = AllOperations();
        Assert.Equal(0, Allocations.LeastBytes(() => failures += AllOperations()));
        Assert.Equal(0UL, failures);

        ulong AllOperations()
        {
            ulong faults = 0;
            ulong size = bitmap.SizeBytes;
            ulong from = 0;
            faults += Count(bitmap.Set(1000, 1_000_000)) + Count(bitmap.SetExclusive(5, 70_000));
            faults += Count(bitmap.Reset(2000, 4000)) + Count(bitmap.ResetExclusive(400_000, 80_000));
            faults += Count(bitmap.Merge(other)) + Count(bitmap.MergeLive(other)) + Count(bitmap.AndNot(other));
            bitmap.TryClaimRun(0, bitmap.BitCount, 5000, out ulong first, out ulong count);
            bitmap.SetBits(first, count);
            bitmap.TryClaim(first);
            faults += Count(bitmap.NextDirtyArea(0, size, size, out _)) + Count(bitmap.NextZero(0, size, out _));
            faults += Count(bitmap.Status(0, size, out _, out _)) + Count(bitmap.PopCount(0, size, out _));
            faults += Count(bitmap.SerializePart(0, size, words)) + Count(bitmap.DeserializePart(0, size, words));
            faults +=
                Count(bitmap.DeserializeFinish()) + Count(bitmap.Truncate(size + 4)) + Count(bitmap.Truncate(size));
            faults += Count(frozen.Freeze());
            faults += frozen.ReadBits(ref from, bits) > 0 ? 0UL : 1UL;
            from = 0;
            faults += frozen.ReadRuns(ref from, runs) > 0 ? 0UL : 1UL;
            faults += Count(frozen.Thaw());
            bitmap.Invert();
            faults +=
                Count(bitmap.And(other)) + (bitmap.Equal(other) ? 0UL : 1UL) + (bitmap.CountBytes() == 0 ? 1UL : 0UL);
            bitmap.SetAll();
            bitmap.ResetAll();
            return faults;
        }
    }

    static ulong Count(Fault fault) => fault.IsNone ? 0UL : 1UL;

    static HierarchicalBitmap WithBits(ulong sizeBytes, ulong granularity, params ulong[] bits)
    {
        HierarchicalBitmap bitmap = HierarchicalBitmap.Create(sizeBytes, granularity);
        foreach (ulong bit in bits)
            bitmap.SetBits(bit, 1);
        return bitmap;
    }
}
