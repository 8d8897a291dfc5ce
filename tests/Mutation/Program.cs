// Mutation testing of the engine, by hand: does a test notice when a line of it is wrong? Makes small faults in one
// file, or in all whose paths begin so, one at a time (MutantFinder), and runs for each the unit tests that Tests.txt
// names, and seeds of the simulator on what those let live. What lives is a gap in the tests or no fault at all:
// SURVIVORS.md has the judged list. It sees neither the C programs nor the command's tests, and no second fault at the
// same time.
//   dotnet build -c Release tests/Unit; dotnet build -c Release tests/Simulation
//   dotnet run -c Release --project tests/Mutation -- --file core/Pacing/RateLimit.cs [--file ...]
//                                                     [--most 40] [--line 43] [--seeds 300] [--list] [--table FILE]
// After each file: its name, and tried=N killed=N hung=N bySeeds=N survived=N notReached=N refused=N; exit 1 when one
// lives.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Dev;
using Microsoft.CodeAnalysis;

namespace FastBackup.Tests.Mutation;

static class Program
{
    const string Planted = "tests/Simulation/obj/Release/planted/";

    static int Main(string[] arguments)
    {
        try
        {
            return Run(MutationOptions.Parse(arguments));
        }
        catch (Exception e) when (e is ArgumentException or IOException)
        {
            Console.Error.WriteLine(e.Message);
            return 2;
        }
    }

    static int Run(MutationOptions options)
    {
        using Stage unit = UnitStage();
        string[] paths = [.. options.Files.SelectMany(FilesOf)];
        List<(string Path, List<Mutant> Mutants)> chosen =
        [
            .. paths.Select(path => (path, Choose(MutantFinder.Find(unit.Original(path)), options))),
        ];
        if (options.IsList)
        {
            foreach (Mutant mutant in chosen.SelectMany(one => one.Mutants))
                Console.WriteLine(Describe(mutant));
            return 0;
        }
        unit.Plant(chosen);
        using Stage? seeds = options.SeedCount > 0 ? SimulationStage() : null;
        Trial? seedTrial = seeds is null ? null : new Trial(seeds, ["--seeds", $"1..{options.SeedCount}"]);
        bool isAnyAlive = false;
        foreach ((string path, List<Mutant> mutants) in chosen)
            isAnyAlive |= TryRunFile(
                Path.GetRelativePath(Repository.Root, path),
                mutants,
                options.TablePath,
                unit,
                seedTrial
            );
        return isAnyAlive ? 1 : 0;
    }

    static string[] FilesOf(string file)
    {
        string beginning = Repository.PathOf(file);
        string[] found = [.. Sources("core").Where(path => path.StartsWith(beginning, StringComparison.Ordinal))];
        return found.Length > 0 ? found : throw new ArgumentException($"--file '{file}': there is none");
    }

    /// <returns>Whether one lives, or something failed without any.</returns>
    static bool TryRunFile(string file, List<Mutant> mutants, string? tablePath, Stage unit, Trial? seeds)
    {
        try
        {
            return RunFile(file, mutants, tablePath, unit, seeds);
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine($"{file}: {e.Message}");
            return true;
        }
    }

    /// <returns>Whether one lives.</returns>
    static bool RunFile(string file, List<Mutant> mutants, string? tablePath, Stage unit, Trial? seeds)
    {
        (string[] first, string[] slow) = TestTable.ClassesOf(file);
        Trial[] trials = [.. new[] { first, slow }.Where(classes => classes.Length > 0).Select(TrialOf)];
        int[] counts = new int[Enum.GetValues<Verdict>().Length];
        foreach (Mutant mutant in mutants)
        {
            Verdict verdict = Judge(Repository.PathOf(file), mutant, trials, seeds);
            counts[(int)verdict]++;
            Console.WriteLine($"{verdict, -13} {Describe(mutant)}");
            if (verdict is Verdict.Survived or Verdict.NotReached && tablePath is not null)
                File.AppendAllText(tablePath, Row(file, mutant, verdict));
        }
        Console.WriteLine(
            $"{file}: tried={mutants.Count} killed={counts[0]} hung={counts[1]} bySeeds={counts[2]} "
                + $"survived={counts[3]} notReached={counts[4]} refused={counts[5]}"
        );
        return counts[(int)Verdict.Survived] + counts[(int)Verdict.NotReached] > 0;

        Trial TrialOf(string[] classes) =>
            new(unit, [.. classes.SelectMany(name => new[] { "-class", "*." + name }), "-stopOnFail", "-noColor"]);
    }

    static Verdict Judge(string path, Mutant mutant, Trial[] trials, Trial? seeds)
    {
        bool isReached = false;
        foreach (Trial trial in trials)
        {
            if (trial.Try(path, mutant) is var verdict and not Verdict.Survived)
                return verdict;
            isReached |= trial.HasReached;
        }
        if (seeds?.Try(path, mutant) is Verdict.Killed or Verdict.Hung)
            return Verdict.KilledBySeeds;
        return isReached ? Verdict.Survived : Verdict.NotReached;
    }

    static List<Mutant> Choose(List<Mutant> all, MutationOptions options)
    {
        if (options.LineNumber > 0)
            all = [.. all.Where(mutant => mutant.LineNumber == options.LineNumber)];
        int count = Math.Min(all.Count, options.Most);
        return [.. Enumerable.Range(0, count).Select(i => all[(int)((long)i * all.Count / count)])];
    }

    static Stage UnitStage() =>
        new(
            "tests/Unit",
            "FastBackup.Tests.Unit",
            "FastBackup.Core",
            [.. Sources("core"), Repository.PathOf("core/obj/Release/net10.0/FastBackup.Core.AssemblyInfo.cs")],
            ["NET10_0_OR_GREATER"]
        );

    /// <summary>
    /// The simulator, with the engine's sources as they are: its build's copy has the planted bugs. Only what takes
    /// memory comes from that copy, where the simulated world grants it.
    /// </summary>
    static Stage SimulationStage() =>
        new(
            "tests/Simulation",
            "FastBackup.Tests.Simulation",
            "FastBackup.Tests.Simulation",
            [
                .. Sources("core").Where(path => !IsMemory(path)),
                Repository.PathOf(Planted + "Memory/AlignedRegion.cs"),
                .. Sources("tests/Simulation").Where(path => !path.Contains("/Planter/", StringComparison.Ordinal)),
                Repository.PathOf(Planted + "PlantedBug.cs"),
                Repository.PathOf("tests/Shared/Simulated/SimulatedClock.cs"),
                Repository.PathOf("native-api/cli/Compare/Comparison.cs"),
                Repository.PathOf("native-api/cli/Output/WorkProgress.cs"),
            ],
            ["NET10_0_OR_GREATER"]
        );

    static bool IsMemory(string path) => path.EndsWith("/AlignedRegion.cs", StringComparison.Ordinal);

    static IEnumerable<string> Sources(string folder) =>
        Directory
            .EnumerateFiles(Repository.PathOf(folder), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

    static string Describe(Mutant mutant) => $"{mutant.LineNumber, 4}: {mutant.Change, -22} {mutant.Line}";

    static string Row(string file, Mutant mutant, Verdict verdict) =>
        $"| {file}:{mutant.LineNumber} | `{Cell(mutant.Line)}` | {Cell(mutant.Change)} | {verdict} | |\n";

    static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
