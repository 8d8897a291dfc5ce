// What a tracker costs: guests' small writes to a hot set through our server, with it and without, by turns; what has
// changed since a checkpoint of a large disk, and the memory of its maps (bench/Micro since). What a write of a host's
// own pays is among the calls of the library.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <summary>Threads: one.</summary>
/// <param name="folder">On a disk.</param>
/// <param name="plan">How much.</param>
/// <param name="cancel">Ends what runs.</param>
sealed class TrackingSection(string folder, ReportPlan plan, CancellationToken cancel)
{
    const string Guest = "fio";
    const string Micro = "Micro";
    const string HotSize = "32m"; // of eight regions
    const long DiskBytes = 1L << 30;
    const string Percentile = "99.000000";
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    readonly Section _section = new(
        "Tracking",
        "What a disk pays for a tracker that outlives kills: guests' writes of 4 KiB to a hot set of 32 MiB by serve, "
            + "with --track and without, by turns; and questions about 16 TiB in granules of 64 KiB, 1e-4 of them "
            + "changed."
    );

    public Section Run()
    {
        AddSince();
        if (SystemPrograms.Find(Guest) == null)
            _section.Missing.Add(Guest);
        else
            AddGuests();
        return _section;
    }

    void AddSince()
    {
        string[] arguments = plan.IsSmoke ? ["since", "--smoke"] : ["since"];
        using JsonDocument document = BenchProgram.Run(Micro, arguments, cancel);
        _section.Commands.Add(BenchProgram.Line(Micro, arguments));
        foreach (JsonElement row in document.RootElement.GetProperty("Rows").EnumerateArray())
            Add(
                $"changed since, 16 TiB: {row.GetProperty("Operation").GetString()}, ms",
                [BenchProgram.Number(row, "Milliseconds")!.Value]
            );
        Add("memory of a map, bits a granule", [BenchProgram.Number(document.RootElement, "BitsPerGranule")!.Value]);
    }

    void AddGuests()
    {
        string disk = Path.Combine(folder, "tracked.img");
        using (FileStream file = File.Create(disk))
            file.SetLength(DiskBytes);
        RunCommand("track", "add", disk);
        List<(double With, double Without)> p99 = [];
        List<(double With, double Without)> rates = [];
        for (int round = 0; round < Math.Max(3, plan.RoundCount); round++)
        {
            bool isFirst = round % 2 == 0;
            (double P99, double Iops) first = Serve(disk, isFirst);
            (double P99, double Iops) second = Serve(disk, !isFirst);
            p99.Add(isFirst ? (first.P99, second.P99) : (second.P99, first.P99));
            rates.Add(isFirst ? (first.Iops, second.Iops) : (second.Iops, first.Iops));
        }
        Add(
            "p99 of a guest's writes to a hot set, with a tracker / without",
            p99.Select(one => one.With / one.Without)
        );
        Add(
            "IOPS of a guest's writes to a hot set, without a tracker / with",
            rates.Select(one => one.Without / one.With)
        );
        RunCommand("track", "remove", disk);
        File.Delete(disk);
    }

    void RunCommand(params string[] words)
    {
        using RunningProgram run = new(folder, BuiltFiles.Command, words);
        _ = run.WaitForSuccess(s_limit, cancel);
    }

    (double P99Us, double Iops) Serve(string disk, bool isTracked)
    {
        string socket = Path.Combine(Path.GetTempPath(), $"fb-report-{Environment.ProcessId}-t.sock");
        File.Delete(socket);
        string[] track = isTracked ? ["--track"] : [];
        using RunningProgram server = new(
            folder,
            BuiltFiles.Command,
            ["serve", "guest=" + disk, "--socket", socket, "--quiet", .. track]
        );
        while (!File.Exists(socket))
        {
            cancel.ThrowIfCancellationRequested();
            if (server.HasExited)
                throw new PeerException("a server did not come up: " + server.Said);
            Thread.Sleep(10);
        }
        string[] options =
        [
            .. (string[])["--name=guest", "--output-format=json", "--ioengine=nbd", "--bs=4k", "--time_based"],
            .. (string[])["--rw=randwrite", $"--uri=nbd+unix:///guest?socket={socket}", "--randrepeat=0"],
            .. (string[])["--iodepth=1", "--size=" + HotSize],
            "--runtime=" + plan.GuestSeconds.ToString(CultureInfo.InvariantCulture),
        ];
        if (_section.Commands.Count == 1)
            _section.Commands.Add($"{Guest} {string.Join(' ', options)}");
        using RunningProgram guest = new(folder, Guest, options);
        _ = guest.WaitForSuccess(s_limit, cancel);
        string output = guest.Output;
        JsonNode job = JsonNode.Parse(output[output.IndexOf('{', StringComparison.Ordinal)..])!["jobs"]![0]!;
        if ((int)job["error"]! != 0)
            throw new PeerException("the guest had errors");
        server.Interrupt();
        _ = server.Wait(s_limit);
        JsonNode write = job["write"]!;
        return ((double)write["clat_ns"]!["percentile"]![Percentile]! / Units.NsPerUs, (double)write["iops"]!);
    }

    void Add(string name, IEnumerable<double> values) =>
        _section.Figures.Add(GoalBook.Judge(name, Spread.Of(values), isSmallerBetter: true));
}
