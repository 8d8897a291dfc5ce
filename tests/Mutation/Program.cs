// Mutation testing of the engine, by hand: does a test notice when a line of it is wrong? Makes small faults in one
// file, one at a time (MutantFinder), and runs for each the unit tests that Tests.txt names, and seeds of the
// simulator on what those let live. What lives is a gap in the tests or no fault at all: SURVIVORS.md has the judged
// list. It sees neither the C programs nor the command's tests, and no second fault at the same time.
//   dotnet build -c Release tests/Unit; dotnet build -c Release tests/Simulation
//   dotnet run -c Release --project tests/Mutation -- --file core/Pacing/RateLimit.cs [--most 40] [--line 43]
//                                                     [--seeds 300] [--list] [--table FILE]
// Last line: killed=N hung=N bySeeds=N survived=N notReached=N refused=N; exit 1 when one lives.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Dev;
using Microsoft.CodeAnalysis.CSharp;

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
        using Stage unit = UnitStage(options.File);
        List<Mutant> mutants = Choose(MutantFinder.Find(unit.Original), options);
        if (options.IsList)
        {
            foreach (Mutant mutant in mutants)
                Console.WriteLine(Describe(mutant));
            return 0;
        }
        using Stage? seeds = options.SeedCount > 0 ? SimulationStage(options) : null;
        if ((unit.Prove() ?? seeds?.Prove()) is string reason)
        {
            Console.Error.WriteLine(reason);
            return 2;
        }
        int[] counts = new int[Enum.GetValues<Verdict>().Length];
        foreach (Mutant mutant in mutants)
        {
            Verdict verdict = Judge(mutant, unit, seeds);
            counts[(int)verdict]++;
            Console.WriteLine($"{verdict, -13} {Describe(mutant)}");
            if (verdict is Verdict.Survived or Verdict.NotReached && options.TablePath is string path)
                File.AppendAllText(path, Row(options.File, mutant, verdict));
        }
        Console.WriteLine(
            $"killed={counts[0]} hung={counts[1]} bySeeds={counts[2]} survived={counts[3]} "
                + $"notReached={counts[4]} refused={counts[5]}"
        );
        return counts[(int)Verdict.Survived] + counts[(int)Verdict.NotReached] == 0 ? 0 : 1;
    }

    static Verdict Judge(Mutant mutant, Stage unit, Stage? seeds)
    {
        Verdict verdict = unit.Try(mutant);
        if (verdict != Verdict.Survived)
            return verdict;
        if (seeds is not null && seeds.Try(mutant) != Verdict.Survived)
            return Verdict.KilledBySeeds;
        Mutant? end = Reached.EndAt(unit.Original.GetRoot(), mutant);
        return end is not null && unit.Try(end) == Verdict.Survived ? Verdict.NotReached : Verdict.Survived;
    }

    static List<Mutant> Choose(List<Mutant> all, MutationOptions options)
    {
        if (options.LineNumber > 0)
            all = [.. all.Where(mutant => mutant.LineNumber == options.LineNumber)];
        int count = Math.Min(all.Count, options.Most);
        return [.. Enumerable.Range(0, count).Select(i => all[(int)((long)i * all.Count / count)])];
    }

    static Stage UnitStage(string file)
    {
        string[] filters = [.. TestTable.ClassesOf(file).SelectMany(name => new[] { "-class", "*." + name })];
        return new Stage(
            "tests/Unit",
            "FastBackup.Tests.Unit",
            "FastBackup.Core",
            [.. Sources("core"), Repository.PathOf("core/obj/Release/net10.0/FastBackup.Core.AssemblyInfo.cs")],
            ["NET10_0_OR_GREATER"],
            Repository.PathOf(file),
            [.. filters, "-stopOnFail", "-noColor", "-noLogo"]
        );
    }

    /// <summary>
    /// The simulator, with the engine's sources as they are: its build's copy has the planted bugs. Only what takes
    /// memory comes from that copy, where the simulated world grants it.
    /// </summary>
    static Stage SimulationStage(MutationOptions options) =>
        new(
            "tests/Simulation",
            "FastBackup.Tests.Simulation",
            "FastBackup.Tests.Simulation",
            [
                .. Sources("core").Where(path => !IsMemory(path) || IsMemory(options.File)),
                .. IsMemory(options.File) ? [] : new[] { Repository.PathOf(Planted + "Memory/AlignedRegion.cs") },
                .. Sources("tests/Simulation").Where(path => !path.Contains("/Planter/", StringComparison.Ordinal)),
                Repository.PathOf(Planted + "PlantedBug.cs"),
                Repository.PathOf("tests/Shared/Simulated/SimulatedClock.cs"),
                Repository.PathOf("native-api/cli/Compare/Comparison.cs"),
                Repository.PathOf("native-api/cli/Compare/MapWalk.cs"),
                Repository.PathOf("native-api/cli/Output/WorkProgress.cs"),
            ],
            ["NET10_0_OR_GREATER"],
            Repository.PathOf(options.File),
            ["--seeds", $"1..{options.SeedCount}"]
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
