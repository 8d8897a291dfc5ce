// CRoaring by Roaring.Net under the whole operations of the table, on the same bits. Single bits are left out: each
// would be a call into native code, and that is what would be measured.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Numerics;
using FastBackup.Bench.Micro.Bitmaps;
using FastBackup.Tests.Processes;
using Roaring.Net.CRoaring;

namespace FastBackup.Bench.Micro.Peers;

/// <summary>Threads: one.</summary>
sealed class PeerRoaring(TableOptions options)
{
    const int BatchBits = 1 << 20;

    readonly ulong _bitCount = 1UL << options.BitCountLog2;
    readonly List<TableRow> _rows = [];

    public List<TableRow> Run()
    {
        foreach (double density in BitmapTable.Densities)
        {
            using Roaring32Bitmap bits = Load(BitSource.MakeWords(1, density, _bitCount));
            using Roaring32Bitmap others = Load(BitSource.MakeWords(1UL << 40, density, _bitCount));
            using Roaring32Bitmap work = new();
            Iterate(density, bits);
            Add("merge", density, () => work.OverwriteWith(bits), () => work.IOr(others));
            Add("reset_range", density, () => work.OverwriteWith(bits), () => work.RemoveRange(0, Last));
            Add("reset_all", density, () => work.OverwriteWith(bits), work.Clear);
            Add("set_range", density, () => work.OverwriteWith(bits), () => work.AddRange(0, Last));
            if (work.Count != _bitCount)
                throw new PeerException($"Roaring has {work.Count} bits after a range of {_bitCount} was set");
        }
        return _rows;
    }

    uint Last => (uint)(_bitCount - 1);

    void Iterate(double density, Roaring32Bitmap bits)
    {
        ulong sum = 0;
        double time = Time(
            () => { },
            () =>
            {
                foreach (uint bit in bits.Values)
                    sum += bit;
            }
        );
        if (sum == 0)
            throw new PeerException("Roaring's bitmap is empty");
        _rows.Add(new TableRow("iterate", density, time, bits.Count));
    }

    static Roaring32Bitmap Load(ulong[] words)
    {
        Roaring32Bitmap bitmap = new();
        uint[] batch = new uint[BatchBits];
        int count = 0;
        for (int word = 0; word < words.Length; word++)
        {
            for (ulong rest = words[word]; rest != 0; rest &= rest - 1)
                batch[count++] = (uint)(word * 64 + BitOperations.TrailingZeroCount(rest));
            if (count <= BatchBits - 64 && word < words.Length - 1)
                continue;
            bitmap.AddMany(batch.AsSpan(0, count), 0, count);
            count = 0;
        }
        bitmap.Optimize();
        return bitmap;
    }

    void Add(string operation, double density, Action prepare, Action work) =>
        _rows.Add(new TableRow(operation, density, Time(prepare, work), 1));

    /// <summary>As of the table: the fastest.</summary>
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
}
