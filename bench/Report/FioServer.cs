// A guest's small requests at a server of NBD, by fio: what it got a second, and what processor time the server took
// for a request. The server is started for it and ends after it.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <param name="Name">Of the load, as figures say it.</param>
/// <param name="Pattern">Of fio.</param>
/// <param name="Depth">Requests at once, a connection.</param>
/// <param name="Connections">Of the guest.</param>
readonly record struct FioLoad(string Name, string Pattern, int Depth, int Connections = 1);

/// <param name="Name">Of whose server it is, as figures say it.</param>
/// <param name="Socket">Where it listens; export "guest".</param>
/// <param name="Program">In PATH, or a path.</param>
/// <param name="Arguments">One each.</param>
/// <param name="Prepare">Before each run, not measured; null: nothing.</param>
sealed record FioServer(string Name, string Socket, string Program, string[] Arguments, Action? Prepare = null)
{
    public const string Guest = "fio";
    const double TickSeconds = 0.01; // what the kernel counts in
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <param name="Iops">Of the guest.</param>
    /// <param name="CpuUs">Of the server, a request.</param>
    public readonly record struct Served(double Iops, double CpuUs);

    /// <summary>Short: the kernel takes 107 bytes.</summary>
    public static string SocketPath(string name) =>
        Path.Combine(Path.GetTempPath(), $"fb-report-{Environment.ProcessId}-{name}.sock");

    /// <summary>The guest's command line.</summary>
    /// <param name="load">What it does.</param>
    /// <param name="seconds">For how long.</param>
    public string[] GuestOptions(FioLoad load, int seconds) =>
        [
            .. (string[])["--name=guest", "--output-format=json", "--ioengine=nbd", "--bs=4k", "--time_based"],
            .. (string[])["--rw=" + load.Pattern, $"--uri=nbd+unix:///guest?socket={Socket}", "--randrepeat=0"],
            "--iodepth=" + load.Depth.ToString(CultureInfo.InvariantCulture),
            .. (string[])["--group_reporting", "--numjobs=" + load.Connections.ToString(CultureInfo.InvariantCulture)],
            "--runtime=" + seconds.ToString(CultureInfo.InvariantCulture),
        ];

    /// <param name="load">What the guest does.</param>
    /// <param name="seconds">For how long.</param>
    /// <param name="folder">Where both run.</param>
    /// <param name="cancel">Ends what runs.</param>
    /// <exception cref="PeerException">It did not come up, or the guest had errors.</exception>
    public Served Serve(FioLoad load, int seconds, string folder, CancellationToken cancel)
    {
        Prepare?.Invoke();
        File.Delete(Socket);
        using RunningProgram server = new(folder, Program, Arguments);
        WaitFor(server, Socket, cancel);
        ProcessUse before = ProcessUse.Of(server.Id);
        using RunningProgram guest = new(folder, Guest, GuestOptions(load, seconds));
        _ = guest.WaitForSuccess(s_limit, cancel);
        double cpuSeconds = Math.Max(TickSeconds / 2, (ProcessUse.Of(server.Id) - before).CpuSeconds);
        string output = guest.Output;
        JsonNode job = JsonNode.Parse(output[output.IndexOf('{', StringComparison.Ordinal)..])!["jobs"]![0]!;
        JsonNode way = job[load.Pattern == "randread" ? "read" : "write"]!;
        double count = (double)way["total_ios"]!;
        if ((int)job["error"]! != 0 || count == 0)
            throw new PeerException("the guest had errors, or did nothing");
        server.Interrupt();
        _ = server.Wait(s_limit);
        return new Served((double)way["iops"]!, cpuSeconds / count * 1e6);
    }

    /// <summary>By turns, who begins changes.</summary>
    /// <param name="hosts">One at least.</param>
    /// <param name="load">What each one's guest does.</param>
    /// <param name="seconds">For how long.</param>
    /// <param name="first">Of the rounds: below 0 those that do not count, before what was never written is.</param>
    /// <param name="roundCount">Of those that count.</param>
    /// <param name="folder">Where all run.</param>
    /// <param name="cancel">Ends what runs.</param>
    /// <returns>A round each that counts, of all hosts.</returns>
    public static List<Served[]> Alternate(
        FioServer[] hosts,
        FioLoad load,
        int seconds,
        int first,
        int roundCount,
        string folder,
        CancellationToken cancel
    )
    {
        List<Served[]> rounds = [];
        for (int round = first; round < roundCount; round++)
        {
            Served[] served = new Served[hosts.Length];
            for (int turn = 0; turn < hosts.Length; turn++)
            {
                int next = (round - first + turn) % hosts.Length;
                served[next] = hosts[next].Serve(load, seconds, folder, cancel);
            }
            if (round >= 0)
                rounds.Add(served);
        }
        return rounds;
    }

    /// <param name="server">That is to come up.</param>
    /// <param name="socket">Where it listens then.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="PeerException">It did not.</exception>
    public static void WaitFor(RunningProgram server, string socket, CancellationToken cancel)
    {
        DateTime limit = DateTime.UtcNow + s_limit;
        while (!File.Exists(socket))
        {
            cancel.ThrowIfCancellationRequested();
            if (server.HasExited || DateTime.UtcNow > limit)
                throw new PeerException("a server did not come up: " + server.Said);
            Thread.Sleep(10);
        }
    }
}
