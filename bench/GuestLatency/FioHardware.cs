// What the disk itself allows: fio does what a guest beside our backup makes it do, with nothing in between. Each write
// of 4 KiB at a random place comes with a read of 4 KiB, as a first write does, and a copy of the speed that ours had
// runs beside it: sequential reads of the disk, sequential writes of a new file, 256 KiB, two of each under way; reads
// only where the target was not on this disk.
//
// A write's time is that of its read and its own: the figure here is the sum of the two, percentile by percentile,
// which is no less than the percentile of the sums. A guest that writes a block again needs no read: for the few blocks
// of zipf this yardstick is therefore too short, never too long.
// Source: fio HOWTO, "JSON output", "rate" and "rate_iops".
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Base;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

static class FioHardware
{
    public const string Name = "fio";

    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <param name="plan">Source and target, which nobody else has open.</param>
    /// <param name="load">Of the guest.</param>
    /// <param name="copyMiBPerSecond">That the backup had; 0: nothing runs beside the guest.</param>
    /// <param name="isTargetElsewhere">The copy is only read.</param>
    /// <param name="seconds">How long.</param>
    /// <param name="cancel">Ends it.</param>
    public static GuestFigures Run(
        HostPlan plan,
        GuestLoad load,
        double copyMiBPerSecond,
        bool isTargetElsewhere,
        double seconds,
        CancellationToken cancel
    )
    {
        List<string> arguments = Arguments(plan, load, seconds);
        if (copyMiBPerSecond >= 1)
        {
            arguments.AddRange(Copy("read", plan.SourcePath, plan.SizeBytes, copyMiBPerSecond));
            if (!isTargetElsewhere)
                arguments.AddRange(Copy("write", plan.TargetPath, plan.SizeBytes, copyMiBPerSecond));
        }
        using RunningProgram fio = RunningProgram.Start(FioGuest.Program, arguments);
        _ = fio.WaitForSuccess(s_limit, cancel);
        string output = fio.Output;
        int json = output.IndexOf('{', StringComparison.Ordinal); // warnings may come first
        if (json < 0)
            throw new PeerException("fio printed no JSON: " + output);
        JsonNode guest = JsonNode.Parse(output[json..])!["jobs"]![0]!;
        (JsonNode read, JsonNode write) = (guest["read"]!, guest["write"]!);
        // Reads that the guest itself asks for come beside those for its writes.
        double count = Math.Max((double)read["total_ios"]!, (double)write["total_ios"]!);
        if (load.ReadShare == 0)
            count = (double)write["total_ios"]!;
        return new GuestFigures(
            (int)count,
            (double)guest["job_runtime"]! / 1000,
            Us(read, "50.000000") + Us(write, "50.000000"),
            Us(read, "99.000000") + Us(write, "99.000000"),
            ((double)read["clat_ns"]!["max"]! + (double)write["clat_ns"]!["max"]!) / 1000,
            [],
            [],
            (int)guest["error"]! == 0 ? 0 : 1
        );
    }

    static double Us(JsonNode way, string percentile) => (double)way["clat_ns"]!["percentile"]![percentile]! / 1000;

    static List<string> Arguments(HostPlan plan, GuestLoad load, double seconds)
    {
        double readsAWrite = 1 + load.ReadShare / (100.0 - load.ReadShare);
        List<string> arguments =
        [
            .. (string[])["--output-format=json", "--ioengine=io_uring", plan.IsDirect ? "--direct=1" : "--direct=0"],
            .. (string[])
                ["--time_based", Text($"--runtime={Math.Max(1, (int)Math.Ceiling(seconds))}"), "--randrepeat=0"],
            .. (string[])["--invalidate=0", "--fallocate=none", "--name=guest", "--filename=" + plan.SourcePath],
            .. (string[])["--rw=randrw", Text($"--rwmixread={(int)Math.Round(100 * readsAWrite / (1 + readsAWrite))}")],
            .. (string[])["--bs=4k", Text($"--iodepth={load.Depth}")],
            Text($"--size={plan.SizeBytes / load.DiskParts / (4 * Units.KiB) * (4 * Units.KiB)}"),
        ];
        if (load.RatePerSecond > 0)
        {
            double writes = load.RatePerSecond * (100.0 - load.ReadShare) / 100;
            arguments.Add(Text($"--rate_iops={writes * readsAWrite:0},{writes:0}"));
        }
        if (load.Flushes)
            arguments.Add("--fsync=1");
        if (load.Distribution is { } distribution)
            arguments.Add("--random_distribution=" + distribution);
        return arguments;
    }

    static string[] Copy(string way, string path, ulong sizeBytes, double mibPerSecond) =>
        [
            .. (string[])["--name=copy" + way, "--filename=" + path, "--rw=" + way, "--bs=256k", "--iodepth=2"],
            .. (string[])[Text($"--size={sizeBytes}"), Text($"--rate={mibPerSecond:0}m")],
        ];

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
