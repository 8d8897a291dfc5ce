// The benchmark itself: host, measurements, table, goals; or one JSON document. A goal that is not met is a figure,
// not a failure.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

static class FullRun
{
    static readonly JsonSerializerOptions JsonOptions = new() { WriteIndented = true };

    sealed record GoalDocument(string Name, Spread Value, double? AtLeast, double? AtMost, bool IsMet);

    sealed record Document(
        string Host,
        LatencySettings Settings,
        IEnumerable<string> MissingPrograms,
        List<GuestRun> Runs,
        IEnumerable<GoalDocument> Goals
    );

    /// <param name="settings">What to do.</param>
    /// <param name="isJson">Prints one JSON document on standard output instead of the tables.</param>
    /// <param name="cancel">Ends what runs; the files are removed all the same.</param>
    public static int Run(LatencySettings settings, bool isJson, CancellationToken cancel)
    {
        if (!FioGuest.IsPresent)
            throw new PeerException("fio is not here: there is no guest without it");
        using Workspace workspace = new(settings.Folder, settings.SizeBytes);
        string host = HostLine.Describe(workspace.Folder);
        Console.Error.WriteLine(host);
        foreach (string program in Campaign.MissingPrograms)
            Console.Error.WriteLine($"{program} is not here: its rows are left out");
        if ((settings.HasSlow || settings.HasHung) && !settings.IsOursOnly && !LimitedServer.IsPresent)
            throw new PeerException($"QEMU's slow or hung target needs {LimitedServer.Program}");
        Console.Error.WriteLine($"making a disk of {settings.SizeBytes / Units.MiB} MiB of random data");
        workspace.MakeSource((ulong)Random.Shared.NextInt64(), cancel);
        List<GuestRun> runs = new Campaign(settings, workspace, Console.Error.WriteLine).Run(cancel);
        List<Goal> goals = new Goals(runs).All();
        if (isJson)
        {
            IEnumerable<GoalDocument> documents = goals.Select(goal => new GoalDocument(
                goal.Name,
                goal.Value,
                goal.AtLeast,
                goal.AtMost,
                goal.IsMet == true
            ));
            Document document = new(host, settings, Campaign.MissingPrograms, runs, documents);
            Console.WriteLine(JsonSerializer.Serialize(document, JsonOptions));
            return 0;
        }
        Console.WriteLine(host);
        foreach (string line in Report.Table(runs))
            Console.WriteLine(line);
        foreach (string line in Report.CancelLines(runs))
            Console.WriteLine(line);
        Console.WriteLine("goals");
        foreach (Goal goal in goals)
            Console.WriteLine(Report.GoalLine(goal));
        return 0;
    }
}
