// What people type, against what they would type else: points in time by restic.
// Each pair by turns, the whole process measured, files in one folder.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <summary>Threads: one.</summary>
/// <param name="folder">With disk.img, and room for three more of it.</param>
/// <param name="roundCount">At least 1.</param>
/// <param name="cancel">Ends what runs.</param>
sealed class CommandSection(string folder, int roundCount, CancellationToken cancel)
{
    const string Password = "bench";
    const string Peer = "restic";
    const string Tracked = "tracked.img";
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    readonly string _password = Path.Combine(folder, "password");
    readonly CommandRace _race = new(folder, roundCount, cancel);
    readonly Section _section = new(
        "Commands",
        "Whole commands, start and end included, on one disk by turns; speed is theirs / ours of the time, so more is "
            + "better."
    );

    public Section Run()
    {
        File.WriteAllText(_password, Password);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_password, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _section.RunWith(RunRepository, Peer);
        _section.RunWith(RunIncremental, Peer, FioServer.Guest);
        RunStart();
        return _section;
    }

    void RunRepository()
    {
        string[] ours = ["--repo", "ours.repo", "--password-file", "password"];
        (string, string)[] theirs = PlaceOfPeer;
        RaceCommand restic = new(Peer, ["-q", "backup", "disk.img"], () => Renew("theirs.repo", theirs), theirs);
        CommandRace.Ratios first = _race.Run(
            _section,
            OurCommand.With(["backup", "disk.img", .. ours, "--quiet"], () => Renew("ours.repo", theirs)),
            restic
        );
        Add("first backup into a repository, ours / restic", first.Speed);
        Add("CPU of that backup, ours / restic", first.Cpu, isSmallerBetter: true);
        CommandRace.Ratios restore = _race.Run(
            _section,
            OurCommand.With(
                ["repo", "restore", "ours.repo", "ours.img", "--password-file", "password", "--quiet"],
                () => Remove("ours.img")
            ),
            new RaceCommand(Peer, ["-q", "restore", "latest", "--target", "restored"], () => Remove("restored"), theirs)
        );
        Add("restore from a repository, ours / restic", restore.Speed);
        Remove("ours.img", "restored", "ours.repo", "theirs.repo", "cache");
    }

    (string, string)[] PlaceOfPeer =>
        [
            ("RESTIC_REPOSITORY", Path.Combine(folder, "theirs.repo")),
            ("RESTIC_PASSWORD", Password),
            ("RESTIC_CACHE_DIR", Path.Combine(folder, "cache")),
        ];

    /// <summary>Guests write a hundredth of a disk with a tracker, in pieces of 64 KiB; both back it up then.</summary>
    void RunIncremental()
    {
        long sizeBytes = new FileInfo(Path.Combine(folder, "disk.img")).Length;
        ReportDisk.MakeMixed(Path.Combine(folder, Tracked), (ulong)sizeBytes, cancel);
        Do(OurCommand.With(["track", "add", Tracked, "--quiet"]));
        string[] words = ["--repo", "ours.repo", "--password-file", "password", "--tracker", Tracked + ".track"];
        RaceCommand ours = OurCommand.With(["backup", Tracked, .. words, "--quiet"]);
        RaceCommand theirs = new(Peer, ["-q", "backup", Tracked], null, PlaceOfPeer);
        Renew("ours.repo", PlaceOfPeer);
        Renew("theirs.repo", PlaceOfPeer);
        Do(ours);
        Do(theirs);
        CommandRace.Ratios next = _race.Run(_section, ours, theirs, () => Change(sizeBytes / 100));
        Add("incremental backup of 1 % into a repository, ours / restic", next.Speed);
        Add("CPU of that backup, ours / restic (incremental)", next.Cpu, isSmallerBetter: true);
        Do(OurCommand.With(["track", "remove", Tracked, "--quiet"]));
        Remove(Tracked, "ours.repo", "theirs.repo", "cache");
    }

    void Change(long bytes)
    {
        string socket = FioServer.SocketPath("changed");
        File.Delete(socket);
        using RunningProgram server = new(
            folder,
            BuiltFiles.Command,
            ["serve", "guest=" + Tracked, "--track", "--socket", socket, "--quiet"]
        );
        FioServer.WaitFor(server, socket, cancel);
        Do(
            new RaceCommand(
                FioServer.Guest,
                [
                    .. (string[])["--name=guest", "--ioengine=nbd", "--rw=randwrite", "--bs=64k", "--randrepeat=0"],
                    $"--uri=nbd+unix:///guest?socket={socket}",
                    BenchProgram.Text($"--io_size={bytes}"),
                    .. (string[])["--iodepth=16", "--output-format=json"],
                ]
            )
        );
        server.Interrupt();
        _ = server.Wait(s_limit);
    }

    /// <summary>A repository that is new.</summary>
    void Renew(string name, (string, string)[] environment)
    {
        Remove(name);
        if (name == "theirs.repo")
            Do(new RaceCommand(Peer, ["-q", "init"], null, environment));
        else
            Do(OurCommand.With(["repo", "init", name, "--password-file", "password"]));
    }

    void RunStart()
    {
        RaceCommand command = OurCommand.With(["--version"]);
        List<double> times = [];
        for (int i = 0; i < 20; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Do(command);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }
        _section.Commands.Add(command.Line);
        Add("start of the command (--version), ms", Spread.Of(times), isSmallerBetter: true);
    }

    void Add(string name, Spread value, bool isSmallerBetter = false) =>
        _section.Figures.Add(GoalBook.Judge(name, value, isSmallerBetter));

    void Do(RaceCommand command)
    {
        using RunningProgram running = new(folder, command.Program, command.Arguments, command.Environment);
        _ = running.WaitForSuccess(s_limit, cancel);
    }

    void Remove(params string[] names)
    {
        foreach (string path in names.Select(name => Path.Combine(folder, name)))
            if (Directory.Exists(path))
                Directory.Delete(path, recursive: true);
            else
                File.Delete(path);
    }
}
