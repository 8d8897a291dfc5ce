// What a call of the library costs: bench/Abi/cost_per_call.c, compiled against the library that was just built.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

static partial class CallSection
{
    const string Compiler = "gcc";
    const string Source = "bench/Abi/cost_per_call.c";
    const string TrackedPair = "write_begin + write_end from C, with a tracker / with a dirty bitmap";
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <param name="folder">For the program.</param>
    /// <param name="roundCount">At least 1.</param>
    /// <param name="callCount">Of each row and thread.</param>
    /// <param name="cancel">Ends what runs.</param>
    public static Section Run(string folder, int roundCount, uint callCount, CancellationToken cancel)
    {
        Section section = new(
            "Calls of the library",
            "Nanoseconds a call from C through the shared library, of the slower thread, the fastest of 2000 rounds; "
                + "nothing may be allocated."
        );
        if (SystemPrograms.Find(Compiler) == null)
        {
            section.Missing.Add(Compiler);
            return section;
        }
        string program = Compile(folder, cancel);
        string calls = callCount.ToString(CultureInfo.InvariantCulture);
        section.Commands.Add($"cost_per_call {calls}   ({Source})");
        Dictionary<string, List<double>> rows = [];
        List<double> pairs = [];
        for (int round = 0; round < roundCount; round++)
        {
            using RunningProgram run = new(folder, program, [calls], ("LD_LIBRARY_PATH", BuiltFiles.LibraryFolder));
            _ = run.WaitForSuccess(s_limit, cancel);
            foreach (Match row in Row().Matches(run.Output))
            {
                string name = $"{row.Groups["name"].Value.Trim()} from C, {row.Groups["threads"].Value}, ns";
                if (!rows.TryGetValue(name, out List<double>? values))
                    rows[name] = values = [];
                values.Add(double.Parse(row.Groups["ns"].Value, CultureInfo.InvariantCulture));
            }
            if (Pair().Match(run.Output) is { Success: true } pair)
                pairs.Add(double.Parse(pair.Groups["times"].Value, CultureInfo.InvariantCulture));
        }
        if (pairs.Count > 0)
            section.Figures.Add(GoalBook.Judge(TrackedPair, Spread.Of(pairs), isSmallerBetter: true));
        foreach ((string name, List<double> values) in rows)
            section.Figures.Add(GoalBook.Judge(name, Spread.Of(values), isSmallerBetter: true));
        return section;
    }

    static string Compile(string folder, CancellationToken cancel)
    {
        string program = Path.Combine(folder, "cost_per_call");
        string[] arguments =
        [
            "-std=c99",
            "-O2",
            "-I" + BuiltFiles.IncludeFolder,
            Repository.PathOf(Source),
            "-o",
            program,
            "-L" + BuiltFiles.LibraryFolder,
            "-lfastbackup",
            "-lpthread",
        ];
        using RunningProgram compiler = RunningProgram.Start(Compiler, arguments);
        _ = compiler.WaitForSuccess(s_limit, cancel);
        return program;
    }

    [GeneratedRegex(@"^(?<name>.+?) (?<threads>[12] threads?) +(?<ns>[0-9.]+) ns", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"with a tracker [0-9.]+ ns: (?<times>[0-9.]+) times")]
    private static partial Regex Pair();
}
