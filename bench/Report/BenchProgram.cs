// Another benchmark of this tree, run as a program for its JSON.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <summary>Threads: one.</summary>
static class BenchProgram
{
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(60);

    /// <param name="name">Of the project in bench/.</param>
    /// <param name="arguments">Without --json.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="PeerException">It failed.</exception>
    public static JsonDocument Run(string name, string[] arguments, CancellationToken cancel)
    {
        string library = Repository.PathOf($"bench/{name}/bin/Release/net10.0/FastBackup.Bench.{name}.dll");
        using RunningProgram program = RunningProgram.Start("dotnet", [library, .. arguments, "--json"]);
        _ = program.WaitForSuccess(s_limit, cancel);
        return JsonDocument.Parse(program.Output);
    }

    /// <summary>As a person would type it.</summary>
    public static string Line(string name, string[] arguments) =>
        $"dotnet run -c Release --project bench/{name} -- {string.Join(' ', arguments)}";

    public static IEnumerable<string> Missing(JsonElement document) =>
        document.GetProperty("MissingPrograms").EnumerateArray().Select(one => one.GetString()!);

    /// <summary>What it calls goals: figures with their bounds.</summary>
    /// <param name="goals">An array of them.</param>
    /// <param name="prefix">Of the names here.</param>
    public static IEnumerable<Figure> Figures(JsonElement goals, string prefix)
    {
        foreach (JsonElement goal in goals.EnumerateArray())
        {
            JsonElement value = goal.GetProperty("Value");
            yield return GoalBook.Judge(
                prefix + goal.GetProperty("Name").GetString(),
                new Spread(Number(value, "Median") ?? 0, Number(value, "Min") ?? 0, Number(value, "Max") ?? 0),
                Number(goal, "AtLeast"),
                Number(goal, "AtMost"),
                null
            );
        }
    }

    public static double? Number(JsonElement of, string name) =>
        of.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number
            ? value.GetDouble()
            : null;

    public static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
