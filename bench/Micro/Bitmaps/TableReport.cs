// Prints the bitmap table: our times, QEMU's published times scaled to this run by memcpy, and of peers that were asked
// for their times in this very run. A ratio above 1 means that we are faster.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using FastBackup.Bench.Micro.Peers;

namespace FastBackup.Bench.Micro.Bitmaps;

static class TableReport
{
    /// <summary>memcpy of the machine the published figures come from.</summary>
    const double PublishedMemcpyGigabytesPerSecond = 16.7;

    /// <summary>
    /// QEMU 7.2 util/hbitmap.c, gcc -O2, 2^28 bits: nanoseconds, of one item where the table gives that.
    /// </summary>
    static readonly (string Operation, double[] Nanoseconds, bool IsPerItem)[] Published =
    [
        ("set_first_touch", [963, 168, 98], true),
        ("set_hot", [11, 11, 11], true),
        ("get_random", [20, 21, 20], true),
        ("iterate", [1.1e6, 16.4e6, 173e6], false),
        ("areas", [1.8e6, 51e6, 865e6], false),
        ("merge", [22e6, 33e6, 36e6], false),
        ("load", [20e6, 40e6, 36e6], false),
        ("store", [2.0e6, 1.9e6, 1.9e6], false),
        ("set_range", [2.0e6, 2.0e6, 2.0e6], false),
        ("reset_range", [18.3e6, 18.3e6, 18.3e6], false),
    ];

    /// <summary>Rows without a peer of their own name are compared with this one.</summary>
    static readonly Dictionary<string, string> PeerName = new()
    {
        ["areas_by_search"] = "areas",
        ["merge_live"] = "merge",
        ["set_all"] = "set_range",
        ["set_exclusive"] = "set_range",
        ["reset_exclusive"] = "reset_range",
    };

    /// <param name="Operation">As of the table.</param>
    /// <param name="Density">Of one bits.</param>
    /// <param name="Nanoseconds">Ours, of the whole.</param>
    /// <param name="Hbitmap">Nanoseconds of QEMU's, for as many items; null where it has no such operation.</param>
    /// <param name="Roaring">The same of CRoaring.</param>
    sealed record JsonRow(string Operation, double Density, double Nanoseconds, double? Hbitmap, double? Roaring);

    sealed record Document(string[] MissingPrograms, JsonRow[] Rows);

    /// <param name="options">What to measure.</param>
    /// <param name="peers">Against whom.</param>
    /// <param name="isJson">One document instead of the table.</param>
    /// <returns>0, or 1 without a peer that was asked for; then the table is there all the same.</returns>
    public static int Run(TableOptions options, TablePeers peers, bool isJson)
    {
        List<TableRow> hbitmap = [];
        bool isBuilt = !peers.HasHbitmap || PeerHbitmap.TryRun(options, hbitmap);
        List<TableRow> roaring = peers.HasRoaring ? new PeerRoaring(options).Run() : [];
        BitmapTable table = new(options);
        table.Run();
        if (hbitmap.Count > 0) // once more, after ours: the machine is not the same at all times
            isBuilt = PeerHbitmap.TryRun(options, hbitmap);
        if (isJson)
        {
            JsonRow[] rows =
            [
                .. table.Rows.Select(row => new JsonRow(
                    row.Operation,
                    row.Density,
                    row.Nanoseconds,
                    Theirs(row, hbitmap),
                    Theirs(row, roaring)
                )),
            ];
            Write(JsonSerializer.Serialize(new Document(isBuilt ? [] : ["hbitmap (source of QEMU)"], rows)));
            return 0;
        }
        string kind = options.IsResident ? "resident" : "lazy";
        Write($"2^{options.BitCountLog2} bits, {kind}, fastest of {options.Repetitions}");
        Write($"memcpy {table.MemcpyGigabytesPerSecond:F1} GB/s; published figures are scaled by {Scale(table):F2}");
        Write(
            $"{"operation", -16} {"density", 7} {"ours", 12} {"per item", 9}"
                + $" {"published", 12} {"ratio", 6} {"hbitmap now", 12} {"ratio", 6} {"Roaring now", 12} {"ratio", 6}"
        );
        foreach (TableRow row in table.Rows)
            WriteRow(table, row, hbitmap, roaring);
        Write($"hash {table.Hash}");
        return isBuilt ? 0 : 1;
    }

    /// <summary>What a peer took for as many items as we had.</summary>
    static double? Theirs(TableRow row, List<TableRow> peer)
    {
        string name = PeerName.GetValueOrDefault(row.Operation, row.Operation);
        TableRow? found = peer.Where(other => other.Operation == name && other.Density == row.Density)
            .MinBy(other => other.Nanoseconds / other.Items);
        return found == null ? null : found.Nanoseconds / found.Items * row.Items;
    }

    static double Scale(BitmapTable table) => PublishedMemcpyGigabytesPerSecond / table.MemcpyGigabytesPerSecond;

    static void WriteRow(BitmapTable table, TableRow row, List<TableRow> hbitmap, List<TableRow> roaring)
    {
        string name = PeerName.GetValueOrDefault(row.Operation, row.Operation);
        int density = Array.IndexOf(BitmapTable.Densities, row.Density);
        double published = double.NaN;
        foreach ((string operation, double[] nanoseconds, bool isPerItem) in Published)
        {
            if (operation == name || (row.Operation == "reset_all" && operation == "reset_range"))
                published = nanoseconds[density] * (isPerItem ? row.Items : 1) * Scale(table);
        }
        double hbitmapNow = Theirs(row, hbitmap) ?? double.NaN;
        double roaringNow = Theirs(row, roaring) ?? double.NaN;
        string ours = FormattableString.Invariant(
            $"{row.Operation, -16} {row.Density, 7:G} {Text(row.Nanoseconds), 12}"
        );
        double perItem = row.Nanoseconds / row.Items;
        Write(
            $"{ours} {perItem, 9:F1} {Text(published), 12} {Ratio(published, row), 6}"
                + $" {Text(hbitmapNow), 12} {Ratio(hbitmapNow, row), 6}"
                + $" {Text(roaringNow), 12} {Ratio(roaringNow, row), 6}"
        );
    }

    static string Ratio(double other, TableRow row) =>
        double.IsNaN(other) ? "" : (other / row.Nanoseconds).ToString("F1", CultureInfo.InvariantCulture);

    static string Text(double nanoseconds) =>
        double.IsNaN(nanoseconds) ? ""
        : nanoseconds < 1e6 ? string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e3:F1} us")
        : string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:F2} ms");

    static void Write(string line) => Console.WriteLine(line);
}
