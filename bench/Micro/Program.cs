// Micro benchmarks. Usage, from the repository root, with "dotnet run -c Release --project bench/Micro --" before:
//   bitmap [--peer-hbitmap] [--peer-roaring] [--lazy] [--repetitions n] [--json]   the bitmap table once, with ratios
//   bitmap --smoke                                       the same on 2^18 bits in a few seconds, for the tests
//   since [--smoke] [--json]                             what "changed since a checkpoint" costs, time and memory
//   (anything else)                                      BenchmarkDotNet: --list flat, --filter '*Zero*', ...
//   --job dry --inProcess --filter *                     each of them once, for the tests
//   --job short --inProcess --filter *HostCall*          what a host in .NET pays per call
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using FastBackup.Bench.Micro;
using FastBackup.Bench.Micro.Bitmaps;
using FastBackup.Bench.Micro.Tracking;

if (args.Length > 0 && args[0] == "since")
    return SinceTable.Run(args);
if (args.Length == 0 || args[0] != "bitmap")
{
    // The framework's own exit code is 0 also when a benchmark has failed.
    IEnumerable<Summary> summaries = BenchmarkSwitcher.FromAssembly(typeof(BitmapTable).Assembly).Run(args);
    return summaries.All(summary => summary.Reports.Length > 0 && summary.Reports.All(report => report.Success))
        ? 0
        : 1;
}
bool isSmoke = Array.IndexOf(args, "--smoke") >= 0;
int repetitionsAt = Array.IndexOf(args, "--repetitions") + 1;
TableOptions options = new(
    isSmoke ? 18 : 28,
    isSmoke ? 3
        : repetitionsAt > 0 ? int.Parse(args[repetitionsAt], CultureInfo.InvariantCulture)
        : 7,
    IsResident: Array.IndexOf(args, "--lazy") < 0
);
TablePeers peers = new(Array.IndexOf(args, "--peer-hbitmap") >= 0, Array.IndexOf(args, "--peer-roaring") >= 0);
return TableReport.Run(options, peers, isJson: Array.IndexOf(args, "--json") >= 0);
