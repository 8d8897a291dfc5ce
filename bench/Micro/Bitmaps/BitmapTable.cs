// The bitmap operations that backups stand on, each timed as a whole on 2^28 random bits (16 TiB at 64 KiB) at three
// densities: the same operations on the same bits as hbitmap_bench.c runs on QEMU's hbitmap. Every result
// goes into a hash that is printed, so nothing can be optimised away.
// The loops are compiled in full at once: half-optimised loop code (on-stack replacement) would be what is measured.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bench.Micro.Bitmaps;

sealed class BitmapTable(TableOptions options)
{
    public static readonly double[] Densities = [1e-4, 1e-2, 0.5];

    const ulong HotBits = 1024;
    const ulong Pieces = 64; // of random gets

    readonly ulong _bitCount = 1UL << options.BitCountLog2;
    readonly ulong _hotSets = options.BitCountLog2 < 28 ? 1UL << 16 : 1UL << 24;
    readonly ulong _randomPoints = options.BitCountLog2 < 28 ? 1UL << 14 : 1UL << 22;

    readonly ulong[] _bits = new ulong[FrozenGeneration.BatchMin];
    readonly BitRun[] _runs = new BitRun[FrozenGeneration.BatchMin];

    public ulong Hash { get; private set; }

    public List<TableRow> Rows { get; } = [];

    /// <summary>Bytes per nanosecond of copying 64 MiB, far beyond the caches of one core.</summary>
    public double MemcpyGigabytesPerSecond { get; private set; }

    public void Run()
    {
        MeasureMemcpy();
        foreach (double density in Densities)
        {
            ulong[] words = BitSource.MakeWords(1, density, _bitCount);
            ulong[] otherWords = BitSource.MakeWords(1UL << 40, density, _bitCount);
            if (density < 0.5)
                FirstTouch(density);
            Points(density, words);
            Walks(density, words);
            Wholes(density, words, otherWords);
        }
    }

    void MeasureMemcpy()
    {
        byte[] source = GC.AllocateArray<byte>(64 << 20, pinned: true);
        byte[] target = GC.AllocateArray<byte>(64 << 20, pinned: true);
        source.AsSpan().Fill(1);
        double best = Time(() => { }, () => source.CopyTo(target, 0));
        MemcpyGigabytesPerSecond = source.Length / best;
        Hash += target[12345];
    }

    HierarchicalBitmap Create(bool isResident) =>
        HierarchicalBitmap.Create(_bitCount, 1, new BitmapOptions(isResident));

    void FirstTouch(double density)
    {
        ulong count = (ulong)(density * _bitCount);
        HierarchicalBitmap? bitmap = null;
        double time = Time(
            () =>
            {
                bitmap?.Dispose();
                bitmap = Create(isResident: false);
            },
            () => SetRandom(bitmap!, 7, count)
        );
        Hash += bitmap!.CountBits();
        bitmap.Dispose();
        Add("set_first_touch", density, time, count);
    }

    void Points(double density, ulong[] words)
    {
        using HierarchicalBitmap bitmap = Create(options.IsResident);
        double time = Time(() => Load(bitmap, words), () => SetRandom(bitmap, 11, _randomPoints));
        Add("set_random", density, time, _randomPoints);
        Load(bitmap, words);
        Add("get_random", density, TimeRandomGets(bitmap), _randomPoints);
        Check.That(bitmap.Set(0, HotBits).IsNone);
        Add("set_hot", density, Time(() => { }, () => SetHot(bitmap)), _hotSets);
    }

    void Walks(double density, ulong[] words)
    {
        using HierarchicalBitmap live = Create(options.IsResident);
        using FrozenGeneration frozen = new(live, new BitmapOptions(options.IsResident));
        Load(live, words);
        Check.That(frozen.Freeze().IsNone);
        ulong items = 0;
        double time = Time(() => items = 0, () => Hash += SumBits(frozen, ref items));
        Add("iterate", density, time, items);
        time = Time(() => items = 0, () => Hash += SumRuns(frozen, ref items));
        Add("areas", density, time, items);
        time = Time(() => items = 0, () => Hash += SumAreas(frozen.Bits, ref items));
        Add("areas_by_search", density, time, items);
        time = Time(() => Check.That(frozen.Thaw().IsNone), () => Check.That(frozen.Freeze().IsNone));
        Add("freeze", density, time, 1);
    }

    void Wholes(double density, ulong[] words, ulong[] otherWords)
    {
        using HierarchicalBitmap bitmap = Create(options.IsResident);
        using HierarchicalBitmap other = Create(options.IsResident);
        byte[] output = new byte[_bitCount / 8];
        output.AsSpan().Fill(1);
        Load(other, otherWords);
        Add("merge", density, Time(() => Load(bitmap, words), () => Check.That(bitmap.Merge(other).IsNone)), 1);
        Hash += bitmap.CountBits();
        Add(
            "merge_live",
            density,
            Time(() => Load(bitmap, words), () => Check.That(bitmap.MergeLive(other).IsNone)),
            1
        );
        Add("load", density, Time(() => { }, () => Load(bitmap, words)), 1);
        Add("store", density, Time(() => { }, () => Check.That(bitmap.SerializePart(0, _bitCount, output).IsNone)), 1);
        Hash += output[5];
        Add(
            "reset_range",
            density,
            Time(() => Load(bitmap, words), () => Check.That(bitmap.Reset(0, _bitCount).IsNone)),
            1
        );
        Add("reset_all", density, Time(() => Load(bitmap, words), bitmap.ResetAll), 1);
        Add(
            "set_range",
            density,
            Time(() => Load(bitmap, words), () => Check.That(bitmap.Set(0, _bitCount).IsNone)),
            1
        );
        Add(
            "reset_exclusive",
            density,
            Time(() => Load(bitmap, words), () => Check.That(bitmap.ResetExclusive(0, _bitCount).IsNone)),
            1
        );
        Add(
            "set_exclusive",
            density,
            Time(() => Load(bitmap, words), () => Check.That(bitmap.SetExclusive(0, _bitCount).IsNone)),
            1
        );
        Add("set_all", density, Time(() => Load(bitmap, words), bitmap.SetAll), 1);
        Hash += bitmap.CountBits();
        Load(bitmap, words);
        Add("count_scan", density, Time(() => { }, () => Hash += CountRange(bitmap)), 1);
        Add("invert", density, Time(() => { }, bitmap.Invert), 1);
        bitmap.ResetAll();
        double time = Time(() => { }, () => Hash += BitmapKernels.IsAllZero(output) ? 1UL : 0UL);
        Add("zero_scan_early", density, time, 1);
        Array.Clear(output);
        time = Time(() => { }, () => Hash += BitmapKernels.IsAllZero(output) ? 1UL : 0UL);
        Add("zero_scan", density, time, 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void SetRandom(HierarchicalBitmap bitmap, ulong seed, ulong count)
    {
        for (ulong i = 0; i < count; i++)
            bitmap.Set(BitSource.Position(seed, i, _bitCount), 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void SetHot(HierarchicalBitmap bitmap)
    {
        for (ulong i = 0; i < _hotSets; i++)
            bitmap.Set(i * 37 % HotBits, 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    ulong GetRandom(HierarchicalBitmap bitmap, ulong first, ulong end)
    {
        ulong ones = 0;
        for (ulong i = first; i < end; i++)
        {
            bitmap.Get(BitSource.Position(13, i, _bitCount), out bool isDirty);
            ones += isDirty ? 1UL : 0UL;
        }
        return ones;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    ulong SumBits(FrozenGeneration frozen, ref ulong items)
    {
        ulong sum = 0;
        ulong from = 0;
        ReadOnlySpan<ulong> bits = _bits;
        for (int count; (count = frozen.ReadBits(ref from, _bits)) > 0; items += (uint)count)
        {
            foreach (ulong bit in bits[..count])
                sum += bit;
        }
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    ulong SumRuns(FrozenGeneration frozen, ref ulong items)
    {
        ulong sum = 0;
        ulong from = 0;
        ReadOnlySpan<BitRun> runs = _runs;
        for (int count; (count = frozen.ReadRuns(ref from, _runs)) > 0; items += (uint)count)
        {
            foreach (BitRun run in runs[..count])
                sum += run.FirstBit;
        }
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    ulong SumAreas(HierarchicalBitmap bitmap, ref ulong items)
    {
        ulong sum = 0;
        ulong at = 0;
        while (true)
        {
            Check.That(bitmap.NextDirtyArea(at, _bitCount, ulong.MaxValue, out Extent area).IsNone);
            if (area.IsEmpty)
                return sum;
            sum += area.OffsetBytes;
            at = area.EndBytes;
            items++;
        }
    }

    ulong CountRange(HierarchicalBitmap bitmap)
    {
        Check.That(bitmap.PopCount(0, _bitCount, out ulong ones).IsNone);
        return ones;
    }

    void Load(HierarchicalBitmap bitmap, ulong[] words)
    {
        Check.That(bitmap.DeserializePart(0, _bitCount, MemoryMarshal.AsBytes(words.AsSpan())).IsNone);
        Check.That(bitmap.DeserializeFinish().IsNone);
    }

    double Time(Action prepare, Action work)
    {
        double[] times = new double[options.Repetitions];
        for (int i = 0; i < times.Length; i++)
        {
            prepare();
            long start = Stopwatch.GetTimestamp();
            work();
            times[i] = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
        }
        Array.Sort(times);
        return times[0];
    }

    /// <summary>In pieces of a millisecond, as the peer: in a tenth of a second others are at work, too.</summary>
    /// <returns>Of the fastest piece, for all points.</returns>
    double TimeRandomGets(HierarchicalBitmap bitmap)
    {
        ulong points = _randomPoints / Pieces;
        double best = double.MaxValue;
        for (ulong piece = 0; piece < (ulong)options.Repetitions * Pieces; piece++)
        {
            ulong first = piece % Pieces * points;
            long start = Stopwatch.GetTimestamp();
            Hash += GetRandom(bitmap, first, first + points);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalNanoseconds);
        }
        return best * Pieces;
    }

    void Add(string operation, double density, double nanoseconds, ulong items) =>
        Rows.Add(new TableRow(operation, density, nanoseconds, items));
}
