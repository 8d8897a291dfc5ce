// The benchmark itself: host, runs, tables; or one JSON document. Exit code 1 when a copy fails or differs;
// a goal that is not met is printed and nothing else, for the machine may be busy.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Throughput;

static class FullRun
{
    static readonly JsonSerializerOptions JsonOptions = new()
    {
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter() },
    };

    sealed record StateDocument(StateResult Result, List<Goal> Goals);

    sealed record Document(
        string Host,
        BenchSettings Settings,
        ulong Seed,
        IEnumerable<string> MissingPrograms,
        List<StateDocument> States,
        MachineryRow[] Machinery
    );

    /// <param name="settings">What to do.</param>
    /// <param name="isJson">Prints one JSON document on standard output; the lines go to standard error.</param>
    /// <param name="cancel">Ends what runs; the files are removed all the same.</param>
    public static int Run(BenchSettings settings, bool isJson, CancellationToken cancel)
    {
        TextWriter lines = isJson ? Console.Error : Console.Out;
        using Workspace workspace = new(settings);
        ulong seed = (ulong)Random.Shared.NextInt64();
        string host = HostLine.Describe(workspace.Folder);
        lines.WriteLine(host);
        foreach (string program in Campaign.MissingPrograms)
            lines.WriteLine($"{program} is not here: its rows are left out");
        lines.WriteLine($"source: {settings.SizeBytes / Base.Units.MiB} MiB of random data, seed {seed}");
        if (!workspace.IsDirect)
            lines.WriteLine("the file system has no O_DIRECT: all use the page cache");
        workspace.MakeSource(seed, cancel);
        Campaign campaign = new(settings, workspace, seed, lines.WriteLine);
        List<StateDocument> states = [];
        foreach (TargetState state in Enum.GetValues<TargetState>())
        {
            StateResult result = campaign.Run(state, cancel);
            states.Add(new StateDocument(result, result.Goals(settings.IsTmpfs)));
        }
        MachineryRow[] machinery = OurCopy.RunMachinery(isSmoke: false, cancel);
        foreach (StateDocument state in states)
            Print(lines, Report.StateLines(state.Result, settings.IsTmpfs));
        Print(lines, Report.MachineryLines(machinery));
        lines.WriteLine();
        lines.WriteLine($"{campaign.ComparedCount} targets compared with the source: all equal");
        if (isJson)
        {
            Document document = new(host, settings, seed, Campaign.MissingPrograms, states, machinery);
            Console.WriteLine(JsonSerializer.Serialize(document, JsonOptions));
        }
        return 0;
    }

    static void Print(TextWriter writer, IEnumerable<string> lines)
    {
        foreach (string line in lines)
            writer.WriteLine(line);
    }
}
