// The simulator's command line. See Options for what it takes, CONTRIBUTING for when to run it.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using FastBackup.Base;
using FastBackup.Tests.Simulation;
using FastBackup.Tests.Simulation.World;

Options options;
try
{
    options = Options.Parse(args);
}
catch (Exception exception) when (exception is ArgumentException or FormatException)
{
    Console.Error.WriteLine(exception.Message);
    return 2;
}
if (options.HasBugs)
    return BugHunt.Run(options, KnownSeeds());
if (options.IsSingle)
    return RunOne(options);
return SeedSweep.Run(options, KnownSeeds());

static int RunOne(Options options)
{
    using SeedRunner runner = new();
    Action<string>? log = options.HasTrace ? Console.WriteLine : null;
    SeedOutcome outcome = runner.Run(options.FirstSeed, options.Bug, log);
    Console.WriteLine(outcome.IsGood ? $"seed {outcome.Seed}: good" : $"seed {outcome.Seed}: {outcome.What}");
    Report.LastLine(1, runner.Sum, outcome.IsGood ? 0u : 1u);
    return outcome.IsGood ? 0 : 1;
}

static ulong[] KnownSeeds()
{
    string path = Path.Combine(AppContext.BaseDirectory, "Seeds.txt");
    IEnumerable<string> lines = File.Exists(path) ? File.ReadLines(path) : [];
    return
    [
        .. lines
            .Select(line => line.Split('#')[0].Trim())
            .Where(line => line.Length > 0)
            .Select(line => ulong.Parse(line, CultureInfo.InvariantCulture)),
    ];
}
