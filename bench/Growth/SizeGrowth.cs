// How an incremental backup's start, scan and memory grow with the disk: sizes by densities.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Growth;

static class SizeGrowth
{
    public static readonly double[] Densities = [1e-4, 1e-2, 0.5];

    /// <summary>1 GiB to 64 TiB.</summary>
    public static readonly ulong[] Sizes = [Units.GiB, 16 * Units.GiB, 256 * Units.GiB, 4 * Units.TiB, 64 * Units.TiB];

    /// <param name="sizes">Bytes.</param>
    /// <param name="passCount">At least 1; the fastest of each figure counts.</param>
    /// <param name="cancel">Ends it between two rows.</param>
    public static List<SizeRow> Run(IEnumerable<ulong> sizes, int passCount, CancellationToken cancel)
    {
        using Engine engine = OpenedEngine.Of(16 * Units.MiB);
        List<SizeRow> rows = [];
        foreach (ulong size in sizes.Prepend(Units.GiB)) // the first warms up
        foreach (double density in Densities)
        {
            cancel.ThrowIfCancellationRequested();
            rows.Add(Measure(engine, size, density, passCount));
        }
        return rows[Densities.Length..];
    }

    static SizeRow Measure(Engine engine, ulong sizeBytes, double density, int passCount)
    {
        ulong beforeBytes = ResidentMemory.Bytes();
        using DirtyDisk disk = new(engine, sizeBytes, density);
        List<(double CreateUs, double StartUs, ulong ResidentBytes)> starts = [];
        List<(double Us, ulong RunCount)> scans = [];
        for (int pass = 0; pass < passCount; pass++)
        {
            starts.Add(disk.StartOnce());
            scans.Add(disk.Scan());
        }
        if (scans.Exists(scan => scan.RunCount != scans[0].RunCount) || scans[0].RunCount == 0)
            throw new PeerException("a job that was cancelled has changed its bitmap");
        return new SizeRow(
            sizeBytes,
            density,
            starts.Min(start => start.CreateUs),
            starts.Min(start => start.StartUs),
            scans.Min(scan => scan.Us),
            scans[0].RunCount,
            Math.Max(0.0, starts.Max(start => start.ResidentBytes) - (double)beforeBytes)
        );
    }
}
