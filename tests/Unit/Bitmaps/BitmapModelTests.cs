// Random sequences over every public operation, compared with a model after each step. The shapes are drawn
// so that all depths, short last granules, empty bitmaps and growth across level edges occur.
using System;
using System.Collections.Generic;
using System.Security.Cryptography;
using FastBackup.Base;
using FastBackup.Bitmaps;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

[Trait("System", "None")] // a long search against a model
public sealed class BitmapModelTests
{
    const int SequenceCount = 150;
    const int StepCount = 120;

    [Fact]
    public void EveryOperation_InRandomOrder_AgreesWithTheModel()
    {
        ulong seed = TestSeed.Next();
        Prng random = new(seed);
        for (int sequence = 0; sequence < SequenceCount; sequence++)
        {
            using Pair pair = Pair.Random(random);
            int step = 0;
            string name = "";
            try
            {
                for (; step < StepCount; step++)
                {
                    name = pair.Step(random);
                    pair.Compare(random);
                }
            }
            catch (Exception failure)
            {
                Assert.Fail($"FASTBACKUP_SEED={seed} sequence {sequence} step {step} {name}: {failure}");
            }
        }
    }

    /// <summary>A bitmap and its model.</summary>
    sealed class Pair(NaiveBitmap model, HierarchicalBitmap bitmap) : IDisposable
    {
        static readonly ulong[] BitScales = [0, 1, 63, 64, 65, 511, 512, 513, 4096, 4097, 40_000, 300_000];

        public static Pair Random(Prng random)
        {
            ulong granularity = 1UL << (int)random.Below(random.Chance(1, 4) ? 32UL : 10UL);
            return WithShape(RandomSize(random, granularity), granularity, random);
        }

        static Pair WithShape(ulong size, ulong granularity, Prng random)
        {
            ulong room = random.Chance(1, 2) ? size + random.Below(64 * granularity) : 0;
            BitmapOptions options = new(random.Chance(1, 2), room);
            return new Pair(new NaiveBitmap(size, granularity), HierarchicalBitmap.Create(size, granularity, options));
        }

        static ulong RandomSize(Prng random, ulong granularity)
        {
            ulong bits = BitScales[random.Below((ulong)BitScales.Length)];
            bits = random.Chance(1, 2) ? bits : random.Below(bits + 1);
            ulong size = bits * granularity;
            return size == 0 || random.Chance(1, 2) ? size : size - random.Below(granularity);
        }

        public string Step(Prng random)
        {
            (string name, Action<Prng> run)[] steps =
            [
                (nameof(Set), Set),
                (nameof(SetBits), SetBits),
                (nameof(Reset), Reset),
                (nameof(ResetUnaligned), ResetUnaligned),
                (nameof(Claim), Claim),
                (nameof(ClaimRun), ClaimRun),
                (nameof(Truncate), Truncate),
                (nameof(Merge), Merge),
                (nameof(MergeIntoThird), MergeIntoThird),
                (nameof(Combine), Combine),
                (nameof(Whole), Whole),
                (nameof(Load), Load),
                (nameof(Drain), Drain),
                (nameof(PastEnd), PastEnd),
            ];
            // Some of them fill or empty everything: rarely, or nothing else would be seen.
            int chosen = (int)random.Below((ulong)steps.Length);
            if (steps[chosen].name is nameof(Whole) or nameof(Drain) && !random.Chance(1, 4))
                chosen = 0;
            steps[chosen].run(random);
            return steps[chosen].name;
        }

        (ulong Start, ulong Length) Range(Prng random)
        {
            ulong start = random.Below(model.SizeBytes + 1);
            ulong longest = model.SizeBytes - start;
            ulong length = random.Chance(1, 2)
                ? random.Below(longest + 1)
                : Math.Min(longest, random.Below(40 * model.GranularityBytes));
            return (start, length);
        }

        void Set(Prng random)
        {
            (ulong start, ulong length) = Range(random);
            bool isAlone = random.Chance(1, 3);
            Assert.True((isAlone ? bitmap.SetExclusive(start, length) : bitmap.Set(start, length)).IsNone);
            model.Set(start, length, true);
        }

        void SetBits(Prng random)
        {
            ulong first = random.Below(bitmap.BitCount + 1);
            ulong count = random.Below(Math.Min(bitmap.BitCount - first, 2000) + 1);
            bitmap.SetBits(first, count);
            for (ulong bit = first; bit < first + count; bit++)
                model.Bits[bit] = true;
        }

        void Reset(Prng random)
        {
            (ulong start, ulong length) = Range(random);
            ulong end = start + length;
            start = Units.AlignDown(start, model.GranularityBytes);
            end = random.Chance(1, 8) ? model.SizeBytes : Math.Max(start, Units.AlignDown(end, model.GranularityBytes));
            bool isAlone = random.Chance(1, 3);
            ulong all = end - start;
            Assert.True((isAlone ? bitmap.ResetExclusive(start, all) : bitmap.Reset(start, all)).IsNone);
            model.Set(start, end - start, false);
        }

        void ResetUnaligned(Prng random)
        {
            (ulong start, ulong length) = Range(random);
            ulong end = start + length;
            bool isAligned =
                (length == 0 || start % model.GranularityBytes == 0)
                && (end % model.GranularityBytes == 0 || end == model.SizeBytes);
            Fault fault = random.Chance(1, 3) ? bitmap.ResetExclusive(start, length) : bitmap.Reset(start, length);
            if (length > 0 || isAligned)
                Assert.Equal(isAligned ? FaultKind.None : FaultKind.Align, fault.Kind);
            if (fault.IsNone)
                model.Set(start, length, false);
        }

        void Claim(Prng random)
        {
            if (bitmap.BitCount == 0)
                return;
            ulong bit = random.Below(bitmap.BitCount);
            Assert.Equal(model.Bits[bit], bitmap.TryClaim(bit));
            model.Bits[bit] = false;
        }

        void ClaimRun(Prng random)
        {
            ulong end = random.Chance(1, 2) ? bitmap.BitCount : random.Below(bitmap.BitCount + 1);
            ulong from = random.Below(end + 1);
            ulong max = 1 + random.Below(random.Chance(1, 2) ? 20UL : 3000UL);
            ulong first = from;
            while (first < end && !model.Bits[first])
                first++;
            ulong count = 0;
            while (first + count < end && count < max && model.Bits[first + count])
                model.Bits[first + count++] = false;
            Assert.Equal(count > 0, bitmap.TryClaimRun(from, end, max, out ulong gotFirst, out ulong gotCount));
            Assert.Equal(count, gotCount);
            Assert.Equal(count > 0 ? first : HierarchicalBitmap.NotFound, gotFirst);
        }

        void Truncate(Prng random)
        {
            ulong size = random.Chance(1, 2)
                ? RandomSize(random, model.GranularityBytes)
                : model.SizeBytes + random.Below(3 * model.GranularityBytes);
            if (random.Chance(1, 4))
                size = model.SizeBytes - Math.Min(model.SizeBytes, random.Below(3 * model.GranularityBytes));
            Assert.True(bitmap.Truncate(size).IsNone);
            model.Truncate(size);
        }

        Pair Partner(Prng random, bool isSameShape)
        {
            ulong granularity = model.GranularityBytes;
            if (!isSameShape && random.Chance(1, 2))
                granularity = random.Chance(1, 2)
                    ? Math.Min(granularity << 3, 1UL << 31)
                    : Math.Max(granularity >> 2, 1);
            ulong size = model.SizeBytes;
            if (!isSameShape && random.Chance(1, 2))
                size = random.Below(size + 3 * granularity + 1);
            Pair other = WithShape(size, granularity, random);
            for (ulong i = random.Below(5); i > 0; i--)
                other.Set(random);
            return other;
        }

        void Merge(Prng random)
        {
            using Pair other = Partner(random, isSameShape: false);
            bool fits = model.Fits(other._model);
            Fault fault = random.Chance(1, 2) ? bitmap.Merge(other._bitmap) : bitmap.MergeLive(other._bitmap);
            Assert.Equal(fits ? FaultKind.None : FaultKind.Range, fault.Kind);
            if (fits)
                model.Merge(other._model);
        }

        void MergeIntoThird(Prng random)
        {
            using Pair other = Partner(random, isSameShape: false);
            using Pair result = Partner(random, isSameShape: false);
            bool fits = result._model.Fits(model) && result._model.Fits(other._model);
            Fault fault = HierarchicalBitmap.Merge(bitmap, other._bitmap, result._bitmap);
            Assert.Equal(fits ? FaultKind.None : FaultKind.Range, fault.Kind);
            if (fits)
            {
                Array.Clear(result._model.Bits);
                result._model.Merge(model);
                result._model.Merge(other._model);
            }
            result.Compare(random);
        }

        void Combine(Prng random)
        {
            using Pair other = Partner(random, isSameShape: true);
            bool isAnd = random.Chance(1, 2);
            Assert.True((isAnd ? bitmap.And(other._bitmap) : bitmap.AndNot(other._bitmap)).IsNone);
            for (int bit = 0; bit < model.Bits.Length; bit++)
                model.Bits[bit] &= other._model.Bits[bit] == isAnd;
        }

        void Whole(Prng random)
        {
            switch (random.Below(3))
            {
                case 0:
                    bitmap.SetAll();
                    Array.Fill(model.Bits, true);
                    break;
                case 1:
                    bitmap.ResetAll();
                    Array.Clear(model.Bits);
                    break;
                default:
                    bitmap.Invert();
                    for (int bit = 0; bit < model.Bits.Length; bit++)
                        model.Bits[bit] = !model.Bits[bit];
                    break;
            }
        }

        void Load(Prng random)
        {
            ulong words = (bitmap.BitCount + 63) / 64;
            ulong first = random.Below(words + 1);
            ulong count = random.Below(words - first + 1);
            ulong start = Math.Min(first * bitmap.SerializationAlignmentBytes, model.SizeBytes);
            ulong end = Math.Min((first + count) * bitmap.SerializationAlignmentBytes, model.SizeBytes);
            byte[] bytes = new byte[count * 8];
            ulong kind = random.Below(4);
            if (kind == 2)
                Array.Fill(bytes, (byte)0xFF);
            else if (kind == 3)
                random.Fill(bytes);
            if (count == 0)
                end = start = 0;
            Fault fault = kind switch
            {
                1 => bitmap.DeserializeZeroes(start, end - start),
                2 when random.Chance(1, 2) => bitmap.DeserializeOnes(start, end - start),
                _ => bitmap.DeserializePart(start, end - start, bytes),
            };
            Assert.True(fault.IsNone);
            Assert.True(bitmap.DeserializeFinish().IsNone);
            for (ulong bit = 0; bit < count * 64 && first * 64 + bit < bitmap.BitCount; bit++)
                model.Bits[first * 64 + bit] = (bytes[bit / 8] >> (int)(bit % 8) & 1) != 0;
        }

        void Drain(Prng random)
        {
            using Pair target = Partner(random, isSameShape: true);
            Assert.True(bitmap.DrainInto(target._bitmap).IsNone);
            target._model.Merge(model);
            Array.Clear(model.Bits);
            target.Compare(random);
        }

        void PastEnd(Prng random)
        {
            ulong size = model.SizeBytes;
            ulong past = size + 1 + random.Below(random.Chance(1, 2) ? 1UL : ulong.MaxValue - size - 1);
            FaultKind range = FaultKind.Range;
            Assert.Equal(range, bitmap.Set(0, past).Kind);
            Assert.Equal(range, bitmap.Set(past, 0).Kind);
            Assert.Equal(range, bitmap.Set(size, ulong.MaxValue).Kind);
            Assert.Equal(range, bitmap.Reset(0, past).Kind);
            Assert.Equal(range, bitmap.SetExclusive(0, past).Kind);
            Assert.Equal(range, bitmap.ResetExclusive(0, past).Kind);
            Assert.Equal(range, bitmap.Get(past - 1, out _).Kind);
            Assert.Equal(range, bitmap.NextDirty(0, past, out _).Kind);
            Assert.Equal(range, bitmap.NextZero(past, past, out _).Kind);
            Assert.Equal(range, bitmap.NextDirtyArea(past, past, 1, out _).Kind);
            Assert.Equal(range, bitmap.Status(past, 1, out _, out _).Kind);
            Assert.Equal(range, bitmap.PopCount(past, 1, out _).Kind);
            Assert.Equal(range, bitmap.SerializationSize(0, past, out _).Kind);
            Assert.Equal(range, bitmap.DeserializeOnes(0, past).Kind);
            Assert.Equal(range, bitmap.DeserializeZeroes(0, past).Kind);
            Assert.Equal(range, bitmap.DeserializePart(0, past, []).Kind);
            Assert.Equal(FaultKind.Invalid, bitmap.NextDirtyArea(0, size, 0, out _).Kind);
            Assert.Equal(FaultKind.Invalid, bitmap.Status(size, 0, out _, out _).Kind);
        }

        NaiveBitmap _model => model;

        HierarchicalBitmap _bitmap => bitmap;

        public void Compare(Prng random)
        {
            bitmap.Verify();
            Assert.Equal(model.SizeBytes, bitmap.SizeBytes);
            Assert.Equal((ulong)model.Bits.Length, bitmap.BitCount);
            Assert.Equal(model.CountBits(), bitmap.CountBits());
            Assert.Equal(model.CountBytes(), bitmap.CountBytes());
            CompareSerialized();
            for (int i = 0; i < 4; i++)
                CompareSearches(random);
            if (random.Chance(1, 8))
                CompareIteration(random);
        }

        void CompareSerialized()
        {
            byte[] expected = model.Serialize();
            Assert.True(bitmap.SerializationSize(0, model.SizeBytes, out ulong bytes).IsNone);
            Assert.Equal((ulong)expected.Length, bytes);
            byte[] actual = new byte[bytes];
            Assert.True(bitmap.SerializePart(0, model.SizeBytes, actual).IsNone);
            Assert.True(expected.AsSpan().SequenceEqual(actual), "serialised words differ");
            byte[] hash = new byte[32];
            Assert.True(bitmap.Sha256(hash).IsNone);
            Assert.Equal(SHA256.HashData(expected), hash);
        }

        void CompareSearches(Prng random)
        {
            (ulong start, ulong length) = Range(random);
            ulong end = start + length;
            Assert.True(bitmap.NextDirty(start, end, out ulong dirty).IsNone);
            Assert.Equal(model.Next(start, end, true), dirty);
            Assert.True(bitmap.NextZero(start, end, out ulong zero).IsNone);
            Assert.Equal(model.Next(start, end, false), zero);
            ulong max = 1 + random.Below(random.Chance(1, 2) ? ulong.MaxValue : 100 * model.GranularityBytes);
            Assert.True(bitmap.NextDirtyArea(start, end, max, out Extent area).IsNone);
            if (dirty == ulong.MaxValue)
            {
                Assert.True(area.IsEmpty);
            }
            else
            {
                ulong areaEnd = Math.Min(Math.Min(model.Next(dirty, end, false), end) - dirty, max) + dirty;
                Assert.Equal(new Extent(dirty, areaEnd - dirty), area);
            }
            ulong expected = 0;
            for (ulong bit = start / model.GranularityBytes; length > 0 && bit * model.GranularityBytes < end; bit++)
                expected += model.Bits[bit] ? 1UL : 0UL;
            Assert.True(bitmap.PopCount(start, length, out ulong ones).IsNone);
            Assert.Equal(expected, ones);
            if (length == 0)
                return;
            Assert.True(bitmap.Get(start, out bool isDirty).IsNone);
            Assert.Equal(model.IsDirty(start), isDirty);
            Assert.True(bitmap.Status(start, length, out isDirty, out ulong run).IsNone);
            Assert.Equal(model.IsDirty(start), isDirty);
            Assert.Equal(Math.Min(model.Next(start, end, !isDirty), end) - start, run);
        }

        void CompareIteration(Prng random)
        {
            using FrozenGeneration frozen = new(bitmap, default);
            Assert.True(frozen.Freeze().IsNone);
            Assert.Equal(0UL, bitmap.CountBits());
            List<(ulong, ulong)> runs = [];
            BitRun[] runBatch = new BitRun[FrozenGeneration.BatchMin];
            ulong from = 0;
            for (int count; (count = frozen.ReadRuns(ref from, runBatch)) > 0; )
            {
                foreach (BitRun run in runBatch.AsSpan(0, count))
                    runs.Add((run.FirstBit, run.BitCount));
            }
            Assert.Equal(model.Runs(), runs);
            ulong[] bitBatch = new ulong[FrozenGeneration.BatchMin + (int)random.Below(100)];
            ulong start = from = random.Below(bitmap.BitCount + 1);
            List<ulong> bits = [];
            for (int count; (count = frozen.ReadBits(ref from, bitBatch)) > 0; )
                bits.AddRange(bitBatch.AsSpan(0, count));
            List<ulong> expected = [];
            for (ulong bit = start; bit < bitmap.BitCount; bit++)
            {
                if (model.Bits[bit])
                    expected.Add(bit);
            }
            Assert.Equal(expected, bits);
            Assert.True(frozen.Thaw().IsNone);
            Assert.Equal(model.CountBits(), bitmap.CountBits());
        }

        public void Dispose() => bitmap.Dispose();
    }
}
