// The examples of the page about repositories are run, line by line, in a folder with a disk: ours and stock restic's.
using System.IO;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed partial class RepositoryDocumentTests
{
    const string Page = "native-api/docs/repository.md";

    [Fact]
    public void Examples_Run()
    {
        Requires.Command("restic");
        using TempFolder folder = new();
        Disks.Sparse(folder["disk.img"], 5_000_000, (0, 2_000_000));
        string page = File.ReadAllText(Repository.PathOf(Page));
        MatchCollection blocks = BlockPattern().Matches(page);
        Assert.Equal(2, blocks.Count);
        foreach (Match block in blocks)
        {
            string script = $"set -e\nfastbackup() {{ {BuiltCommand.Line} \"$@\"; }}\n" + block.Groups[1].Value;
            using RunningProgram shell = new(
                folder.Path,
                "sh",
                ["-c", script],
                ("FASTBACKUP_PASSWORD", "a"),
                ("RESTIC_PASSWORD", "a")
            );
            shell.Wait().Expect(0);
        }
        Disks.AssertEqual(folder["disk.img"], folder["new.img"]);
        Disks.AssertEqual(folder["disk.img"], folder["by-restic.img"]);
    }

    [Fact]
    public void TrialOfABackup_SaysWhatThePageSays()
    {
        using DocumentShell shell = new();
        Disks.Random(shell["disk.img"], 3_000_000);
        string script = CommandBlock.Read(Page, "trial").FirstLine;
        string said = shell.Run("fastbackup repo init repo\nfastbackup track add disk.img\n" + script);
        Assert.Contains("  would read ", said);
        Assert.Contains("nothing was read or stored: this was a trial", said);
    }

    [Fact]
    public void SeveralDisks_AreOnePoint()
    {
        using DocumentShell shell = new();
        Disks.Random(shell["system.img"], 2_000_000);
        Disks.Random(shell["data.img"], 1_000_000, seed: 2);
        _ = shell.Run("fastbackup repo init repo\n" + CommandBlock.Read(Page, "several").Script);
        Disks.AssertEqual(shell["data.img"], shell["new.img"]);
        Disks.AssertEqual(shell["data.img"], shell["folder/data"]);
        Disks.AssertEqual(shell["system.img"], shell["folder/system"]);
    }

    [Fact]
    public void APoint_IsTheDiskOfAMachine()
    {
        Requires.Command("nbdinfo");
        Requires.Command("qemu-system-x86_64");
        using DocumentShell shell = new();
        Disks.Sparse(shell["web.img"], 4_000_256, (0, 1_000_000));
        string script =
            "fastbackup repo init repo\nfastbackup backup web.img --repo repo --disk web\n"
            + CommandBlock
                .Read(Page, "as a disk")
                .Script.Replace("&\n", "&\nready web.sock\n", System.StringComparison.Ordinal)
            + "kill $(cat qemu.pid)\n";
        string machine = "-m 64 -display none -daemonize -pidfile qemu.pid";
        Assert.Contains("hole,zero", shell.Run(script.Replace("...", machine, System.StringComparison.Ordinal)));
    }

    [Fact]
    public void ALiveGuest_GoesIntoPoints_OneFromTheOther()
    {
        Requires.Command("qemu-io");
        using DocumentShell shell = new();
        Disks.Sparse(shell["disk.img"], 5_000_192, (0, 2_000_000));
        string said = shell.Run(
            "SIZE=5000192\nfastbackup repo init repo\nfastbackup track add disk.img\n"
                + "fastbackup serve vda=disk.img --track --socket s --monitor vm7.sock &\nready vm7.sock\n"
                + CommandBlock.Read(Page, "live").Script
                + "qemu-io -f raw -c 'write -P 7 3M 100k' 'nbd+unix:///vda?socket=s'\n"
                + CommandBlock.Read(Page, "live, again").Script
                + "kill %1; wait %1 || true\nfastbackup repo verify repo --against disk.img\n"
                + "fastbackup backup disk.img --repo repo --disk vda --tracker disk.img.track --json\n"
        );
        Assert.Contains("\"x-point\":", said);
        Assert.Contains("to the byte", said);
        // The command goes on from what the monitor's client has made.
        Assert.Contains("\"mode\":\"incremental\"", said);
    }

    [GeneratedRegex("<!-- sh: run -->\n```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex BlockPattern();
}
