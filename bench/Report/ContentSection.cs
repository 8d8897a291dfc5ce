// Whole copies of disks that are not full of data, by our command and by qemu-img, into new targets: zeroes that were
// written, and a file with holes. And a backup of what a bitmap names, in pieces all over the disk, against QEMU's job:
// bench/Throughput --fragmented.
using System.IO;
using System.Text.Json;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <summary>Threads: one.</summary>
/// <param name="folder">With room for twice the size.</param>
/// <param name="sizeBytes">Of each disk.</param>
/// <param name="roundCount">At least 1.</param>
/// <param name="cancel">Ends what runs.</param>
sealed class ContentSection(string folder, ulong sizeBytes, int roundCount, CancellationToken cancel)
{
    const string Peer = "qemu-img";
    const string Program = "Throughput";

    delegate void Make(string path, ulong sizeBytes, CancellationToken cancel);

    readonly CommandRace _race = new(folder, roundCount, cancel);
    readonly Section _section = new(
        "Content",
        "Disks that are half zero or mostly holes, copied by whole commands, and a backup of every second 64 KiB by a "
            + "dirty bitmap; speed is theirs / ours of the time, so more is better."
    );

    public Section Run()
    {
        if (SystemPrograms.Find(Peer) == null)
            _section.Missing.Add(Peer);
        else
        {
            RunCopy("half-zero disk", ReportDisk.MakeHalfZero);
            RunCopy("sparse disk", ReportDisk.MakeSparse);
        }
        RunFragmented();
        return _section;
    }

    void RunCopy(string name, Make make)
    {
        string source = Path.Combine(folder, "source.img");
        make(source, sizeBytes, cancel);
        string[] convert = ["convert", "-W", "-O", "raw", "-t", "none", "-T", "none", "source.img", "target.img"];
        RaceCommand ours = OurCommand.With(["backup", "source.img", "target.img", "--quiet"], Settle);
        RaceCommand theirs = new(Peer, convert, Settle);
        _section.Commands.Add($"{ours.Line}   ({name})");
        _section.Commands.Add($"{theirs.Line}   ({name})");
        CommandRace.Ratios ratios = _race.Run(ours, theirs);
        Add($"copy of a {name}, ours / qemu-img convert", ratios.Speed, isSmallerBetter: false);
        Add($"CPU of that copy of a {name}, ours / qemu-img convert", ratios.Cpu, isSmallerBetter: true);
        if (!DiskContent.AreEqual(source, Path.Combine(folder, "target.img"), sizeBytes, false, cancel))
            throw new PeerException($"the copy of a {name} differs from it");
        File.Delete(source);
        File.Delete(Path.Combine(folder, "target.img"));
    }

    /// <summary>A new target for each, on a disk that is at rest.</summary>
    void Settle()
    {
        File.Delete(Path.Combine(folder, "target.img"));
        DiskContent.Settle(50);
    }

    void RunFragmented()
    {
        string[] arguments =
        [
            "--fragmented",
            .. (string[])["--size", BenchProgram.Text($"{sizeBytes / Units.MiB}MiB")],
            .. (string[])["--rounds", BenchProgram.Text($"{roundCount}")],
            .. (string[])["--dir", folder],
        ];
        _section.Commands.Add(BenchProgram.Line(Program, arguments));
        using JsonDocument document = BenchProgram.Run(Program, arguments, cancel);
        foreach (string missing in BenchProgram.Missing(document.RootElement))
            if (!_section.Missing.Contains(missing))
                _section.Missing.Add(missing);
        _section.Figures.AddRange(BenchProgram.Figures(document.RootElement.GetProperty("Goals"), ""));
    }

    void Add(string name, Spread value, bool isSmallerBetter) =>
        _section.Figures.Add(GoalBook.Judge(name, value, isSmallerBetter));
}
