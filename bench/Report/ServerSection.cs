// NBD, both ends: a disk read by nbdcopy from our server and from qemu-nbd, a guest's small requests at our server, at
// qemu-storage-daemon and at nbdkit with the processor time of each server for them, and an export read by our command
// and by nbdcopy from one and the same server.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.Report;

/// <summary>Threads: one.</summary>
/// <param name="folder">With disk.img, and room for two more of it.</param>
/// <param name="roundCount">At least 1.</param>
/// <param name="seconds">That a guest is watched.</param>
/// <param name="cancel">Ends what runs.</param>
sealed class ServerSection(string folder, int roundCount, int seconds, CancellationToken cancel)
{
    const string Copier = "nbdcopy";
    const string Server = "qemu-nbd";
    const string Kit = "nbdkit";

    static readonly FioLoad[] s_loads =
    [
        new("reads at depth 1", "randread", 1),
        new("reads at depth 16", "randread", 16),
        new("writes at depth 1", "randwrite", 1),
        new("writes at depth 16", "randwrite", 16),
        new("reads at depth 16 on 4 connections", "randread", 16, 4),
        new("writes at depth 16 on 4 connections", "randwrite", 16, 4),
    ];

    readonly CommandRace _race = new(folder, roundCount, cancel);
    readonly Section _section = new(
        "NBD",
        "Our server and our client against QEMU's server and nbdcopy, by turns, on one disk; small requests are 4 KiB."
    );

    public Section Run()
    {
        _section.RunWith(RunCopyFromServers, Copier, Server);
        _section.RunWith(RunClients, Copier, Server);
        _section.RunWith(RunGuests, FioServer.Guest, QemuStorageDaemon.Program, Kit);
        return _section;
    }

    void RunCopyFromServers()
    {
        string[] serve = [BuiltFiles.Command, "serve", "disk.img", "--read-only", "--quiet"];
        string[] theirs = [Server, "-r", "-f", "raw", "--cache=none", "--aio=io_uring", "disk.img"];
        RaceCommand fromOurs = new(Copier, ["--", "[", .. serve, "]", "null:"]);
        RaceCommand fromTheirs = new(Copier, ["--", "[", .. theirs, "]", "null:"]);
        CommandRace.Ratios copy = _race.Run(_section, fromOurs, fromTheirs);
        Add("nbdcopy of a disk from our server / from qemu-nbd", copy.Speed, isSmallerBetter: false);
        Add("CPU of server and nbdcopy together, ours / qemu-nbd's", copy.Cpu, isSmallerBetter: true);
    }

    void RunClients()
    {
        string socket = FioServer.SocketPath("client");
        string[] serve = ["-r", "-t", "-e", "8", "-f", "raw", "--cache=none", "--aio=io_uring", "-k", socket];
        using RunningProgram server = new(folder, Server, [.. serve, "disk.img"]);
        FioServer.WaitFor(server, socket, cancel);
        string uri = "nbd+unix:///?socket=" + socket;
        CommandRace.Ratios read = _race.Run(
            _section,
            OurCommand.With(["backup", uri, "copy.img", "--quiet"], RemoveCopy),
            new RaceCommand(Copier, ["--flush", uri, "copy.img"], RemoveCopy)
        );
        Add("read of an export to a file, our client / nbdcopy", read.Speed, isSmallerBetter: false);
        Add("CPU of that client, ours / nbdcopy", read.Cpu, isSmallerBetter: true);
        RemoveCopy();
        File.Delete(socket);
    }

    void RemoveCopy() => File.Delete(Path.Combine(folder, "copy.img"));

    void RunGuests()
    {
        string ourSocket = FioServer.SocketPath("ours");
        string theirSocket = FioServer.SocketPath("theirs");
        string path = Path.Combine(folder, "guest.img");
        File.Copy(Path.Combine(folder, "disk.img"), path, overwrite: true);
        string[] exports =
        [
            .. QemuStorageDaemon.RawFile("disk", path, isDirect: true),
            .. (string[])["--nbd-server", $"addr.type=unix,addr.path={theirSocket}"],
            .. (string[])["--export", "type=nbd,id=guest,node-name=disk,name=guest,writable=on"],
        ];
        string kitSocket = FioServer.SocketPath("kit");
        FioServer[] hosts =
        [
            new("our", ourSocket, BuiltFiles.Command, ["serve", path, "--socket", ourSocket, "--quiet"]),
            new("QEMU's", theirSocket, QemuStorageDaemon.Program, exports),
            new("nbdkit's", kitSocket, Kit, ["-f", "-U", kitSocket, "file", path]),
        ];
        foreach (FioLoad load in s_loads)
        {
            if (!_section.Commands.Exists(line => line.Contains(load.Pattern, StringComparison.Ordinal)))
                _section.Commands.AddRange(hosts.Select(host => Line(host, load)));
            List<FioServer.Served[]> rounds = FioServer.Alternate(hosts, load, seconds, 0, roundCount, folder, cancel);
            for (int their = 1; their < hosts.Length; their++)
                AddGuest(load, hosts[their].Name, [.. rounds.Select(one => (one[0], one[their]))]);
        }
        foreach (string left in (string[])[path, ourSocket, theirSocket, kitSocket])
            File.Delete(left);
    }

    string Line(FioServer host, FioLoad load) =>
        $"{FioServer.Guest} {string.Join(' ', host.GuestOptions(load, seconds))}   ({Path.GetFileName(host.Program)})";

    void AddGuest(FioLoad load, string whose, (FioServer.Served Ours, FioServer.Served Theirs)[] rounds)
    {
        Add(
            $"{load.Name}: IOPS of our server / {whose}",
            Spread.Of(rounds.Select(one => one.Ours.Iops / one.Theirs.Iops)),
            isSmallerBetter: false
        );
        Add(
            $"{load.Name}: the server's CPU per request, ours / {whose}",
            Spread.Of(rounds.Select(one => one.Ours.CpuUs / one.Theirs.CpuUs)),
            isSmallerBetter: true
        );
    }

    void Add(string name, Spread value, bool isSmallerBetter) =>
        _section.Figures.Add(GoalBook.Judge(name, value, isSmallerBetter));
}
