// What "changed since a checkpoint" costs on a large disk: 16 TiB in granules of 64 KiB, of which 1e-4 have changed,
// over four maps. How much it is (BitmapUnion), how much since each of 64 checkpoints, all of it in a bitmap that is
// there, and in one that is made for it, which takes its memory at once, in huge pages; or page by page. And what a map
// takes of this process's memory when all of it has changed.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Bench.Micro.Tracking;

/// <param name="diskBytes">Of the disk.</param>
/// <param name="seconds">Of each row; the fastest run counts.</param>
sealed class SinceTable(ulong diskBytes, double seconds)
{
    const ulong GranuleBytes = 64 * Units.KiB;
    const ulong DirtyPart = 10_000; // one of so many
    const double BitsMax = 1.1; // of memory, a granule and checkpoint

    sealed record Row(string Operation, double Milliseconds);

    sealed record Document(ulong DiskBytes, double BitsPerGranule, List<Row> Rows);

    readonly List<Row> _rows = [];

    ulong GranuleCount => diskBytes / GranuleBytes;

    /// <returns>The exit code: 1 where the answers differ, or maps take too much memory.</returns>
    public static int Run(string[] words)
    {
        bool isSmoke = words.Contains("--smoke");
        SinceTable table = new(isSmoke ? Units.TiB : 16 * Units.TiB, isSmoke ? 0.01 : 1.5);
        double bits = table.MeasureMemory();
        bool isRight = table.MeasureTimes() && bits <= BitsMax;
        if (words.Contains("--json"))
            Console.WriteLine(
                JsonSerializer.Serialize(new Document(table.GranuleCount * GranuleBytes, bits, table._rows))
            );
        else
            table.Print(bits);
        if (!isRight)
            Console.Error.WriteLine(
                Text($"since: answers differ, or {bits:F3} bits a granule are more than {BitsMax}")
            );
        return isRight ? 0 : 1;
    }

    void Print(double bits)
    {
        Console.WriteLine(Text($"{diskBytes / Units.TiB} TiB, {GranuleCount / DirtyPart} granules of 64 KiB changed:"));
        foreach (Row row in _rows)
            Console.WriteLine(Text($"{row.Operation, -52} {row.Milliseconds, 9:F3} ms"));
        Console.WriteLine(Text($"{"a map of which all has changed", -52} {bits, 9:F3} bits of memory a granule"));
    }

    bool MeasureTimes()
    {
        using MapChain chain = Chain(4);
        using MapChain many = Chain(TrackedPoint.CountMax);
        using HierarchicalBitmap there = HierarchicalBitmap.Create(diskBytes, GranuleBytes, new BitmapOptions(true));
        ulong counted = 0;
        ulong made = 0;
        Time("how much has changed since a checkpoint", () => counted = chain.CountSinceEach()[0]);
        Time("how much since each of 64 checkpoints", () => _ = many.CountSinceEach());
        Time("all of it, in a bitmap that is there", () => chain.AddSince(0, there), there.ResetAll);
        Time(
            "all of it, in a bitmap that is made for it",
            () =>
            {
                using HierarchicalBitmap since = chain.Since(0);
                made = since.CountBytes();
            }
        );
        Time(
            "all of it, in one that is made of lazy pages",
            () =>
            {
                using HierarchicalBitmap since = HierarchicalBitmap.Create(diskBytes, GranuleBytes);
                chain.AddSince(0, since);
            }
        );
        return counted == made && made > 0 && there.CountBytes() == made;
    }

    MapChain Chain(int mapCount)
    {
        Prng chance = new(1);
        List<TrackedPoint> points = [];
        List<HierarchicalBitmap> maps = [];
        for (int i = 0; i < mapCount; i++)
        {
            points.Add(new TrackedPoint((ulong)i + 1, 0, IsBase: i == 0, i == 0 ? "" : Text($"p{i}")));
            maps.Add(HierarchicalBitmap.Create(diskBytes, GranuleBytes));
            for (ulong left = GranuleCount / DirtyPart / (ulong)mapCount; left > 0; left--)
                maps[^1].SetBits(chance.Below(GranuleCount), 1);
        }
        return new MapChain(points, maps);
    }

    void Time(string operation, Action work, Action? prepare = null)
    {
        double best = double.MaxValue;
        long begin = Stopwatch.GetTimestamp();
        do
        {
            prepare?.Invoke();
            long start = Stopwatch.GetTimestamp();
            work();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        } while (Stopwatch.GetElapsedTime(begin).TotalSeconds < seconds);
        _rows.Add(new Row(operation, best));
    }

    /// <summary>By what the kernel says, of four maps; what the compiler takes for the code is not theirs.</summary>
    double MeasureMemory()
    {
        const int mapCount = 4;
        List<HierarchicalBitmap> maps = [];
        using (HierarchicalBitmap first = HierarchicalBitmap.Create(diskBytes, GranuleBytes))
            first.SetAll();
        _ = ResidentBytes();
        ulong before = ResidentBytes();
        for (int i = 0; i < mapCount; i++)
        {
            maps.Add(HierarchicalBitmap.Create(diskBytes, GranuleBytes));
            maps[^1].SetAll();
        }
        ulong takenBytes = ResidentBytes() - before;
        maps.ForEach(map => map.Dispose());
        return takenBytes * 8.0 / mapCount / GranuleCount;
    }

    static ulong ResidentBytes()
    {
        string[] pages = File.ReadAllText("/proc/self/statm").Split(' ');
        return ulong.Parse(pages[1], CultureInfo.InvariantCulture) * (ulong)Environment.SystemPageSize;
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
