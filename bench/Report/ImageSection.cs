// qcow2 images, by turns with QEMU's programs: an image read to a raw file, a packed one made of a disk, and a guest's
// small writes to a preallocated image, both servers by NBD. disk.img is written in half, a quarter of it random data.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.Report;

/// <summary>Threads: one.</summary>
/// <param name="folder">With disk.img, and room for three more of it.</param>
/// <param name="roundCount">At least 1.</param>
/// <param name="seconds">That a guest is watched.</param>
/// <param name="cancel">Ends what runs.</param>
sealed class ImageSection(string folder, int roundCount, int seconds, CancellationToken cancel)
{
    const string Tool = "qemu-img";
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    static readonly FioLoad[] s_loads =
    [
        new("guest's writes to an image at depth 1", "randwrite", 1),
        new("guest's writes to an image at depth 16", "randwrite", 16),
    ];

    readonly CommandRace _race = new(folder, roundCount, cancel);
    readonly Section _section = new(
        "Images",
        "qcow2 images by our command and by QEMU's programs, by turns; speed is theirs / ours of the time, so more is "
            + "better. Guests write 4 KiB at random to an image with preallocation=metadata."
    );

    public Section Run()
    {
        _section.RunWith(RunRead, Tool);
        _section.RunWith(RunPacked, Tool);
        _section.RunWith(RunGuests, Tool, FioServer.Guest, QemuStorageDaemon.Program);
        return _section;
    }

    void RunRead()
    {
        Do("convert", "-O", "qcow2", "disk.img", "disk.qcow2");
        CommandRace.Ratios read = _race.Run(
            _section,
            OurCommand.With(["backup", "disk.qcow2", "ours.img", "--force", "--quiet"]),
            new RaceCommand(Tool, ["convert", "-O", "raw", "-t", "none", "-T", "none", "disk.qcow2", "theirs.img"])
        );
        Add("read of a qcow2 image, ours / qemu-img convert", read.Speed);
        Add("CPU of that read, ours / qemu-img convert", read.Cpu, isSmallerBetter: true);
        Remove("ours.img", "theirs.img", "disk.qcow2");
    }

    void RunPacked()
    {
        string[] ours = ["backup", "disk.img", "ours.qcow2", "--compress", "zstd", "--force", "--quiet"];
        string[] theirs =
        [
            .. (string[])["convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", "-m", "16"],
            .. (string[])["-T", "none", "disk.img", "theirs.qcow2"],
        ];
        CommandRace.Ratios packed = _race.Run(_section, OurCommand.With(ours), new RaceCommand(Tool, theirs));
        Add("compressed qcow2 target (zstd), ours / qemu-img convert -c", packed.Speed);
        Add("CPU of that target, ours / qemu-img convert -c", packed.Cpu, isSmallerBetter: true);
        double ratio = (double)Length("ours.qcow2") / Length("theirs.qcow2");
        Add("bytes of that target, ours / qemu-img convert -c", Spread.Of([ratio]), isSmallerBetter: true);
        Remove("ours.qcow2", "theirs.qcow2");
    }

    void RunGuests()
    {
        string size = Length("disk.img").ToString(CultureInfo.InvariantCulture);
        FioServer[] hosts = [Ours(), Theirs()];
        foreach (string name in (string[])["ours.qcow2", "theirs.qcow2"])
            Do("create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", name, size);
        foreach (FioLoad load in s_loads)
        {
            if (_section.Commands.TrueForAll(line => !line.StartsWith(FioServer.Guest, StringComparison.Ordinal)))
                foreach (FioServer host in hosts)
                    _section.Commands.AddRange(
                        [Line(host.Program, host.Arguments), Line(FioServer.Guest, host.GuestOptions(load, seconds))]
                    );
            // The first writes to both have places in their files to fill: they are no rounds.
            List<FioServer.Served[]> rounds = FioServer.Alternate(hosts, load, seconds, -1, roundCount, folder, cancel);
            Add($"{load.Name}: IOPS, ours / QEMU's", Spread.Of(rounds.Select(one => one[0].Iops / one[1].Iops)));
            Add(
                $"{load.Name}: the server's CPU per request, ours / QEMU's",
                Spread.Of(rounds.Select(one => one[0].CpuUs / one[1].CpuUs)),
                isSmallerBetter: true
            );
        }
        Remove("ours.qcow2", "theirs.qcow2", hosts[0].Socket, hosts[1].Socket);
    }

    FioServer Ours()
    {
        string socket = FioServer.SocketPath("ours");
        string[] line = ["serve", "guest=" + Path.Combine(folder, "ours.qcow2"), "--socket", socket, "--quiet"];
        return new FioServer("our", socket, BuiltFiles.Command, line);
    }

    FioServer Theirs()
    {
        string socket = FioServer.SocketPath("theirs");
        string path = Path.Combine(folder, "theirs.qcow2").Replace(",", ",,", StringComparison.Ordinal);
        string[] line =
        [
            .. (string[])["--blockdev", $"driver=file,node-name=f,filename={path},cache.direct=on,aio=io_uring"],
            .. (string[])["--blockdev", "driver=qcow2,node-name=disk,file=f"],
            .. (string[])["--nbd-server", $"addr.type=unix,addr.path={socket}"],
            .. (string[])["--export", "type=nbd,id=guest,node-name=disk,name=guest,writable=on"],
        ];
        return new FioServer("QEMU's", socket, QemuStorageDaemon.Program, line);
    }

    static string Line(string program, string[] arguments) =>
        Path.GetFileName(program) + " " + string.Join(' ', arguments);

    void Add(string name, Spread value, bool isSmallerBetter = false) =>
        _section.Figures.Add(GoalBook.Judge(name, value, isSmallerBetter));

    void Do(params string[] arguments)
    {
        using RunningProgram running = new(folder, Tool, arguments);
        _ = running.WaitForSuccess(s_limit, cancel);
    }

    long Length(string name) => new FileInfo(Path.Combine(folder, name)).Length;

    void Remove(params string[] names)
    {
        foreach (string name in names)
            File.Delete(Path.Combine(folder, name));
    }
}
