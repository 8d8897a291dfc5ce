// The commands on the page about trackers do what it says, as they stand: at rest, from host to host, on a running
// machine's disk, and after an interruption.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class TrackingDocumentTests : IDisposable
{
    const string Page = "native-api/docs/tracking.md";
    const string Write = "qemu-io -f raw -c 'write -P 5 1M 200k' 'nbd+unix:///disk?socket=disk.sock' > /dev/null\n";
    const string Served = """
        fastbackup track add disk.img
        fastbackup serve disk=disk.img --track --socket disk.sock --monitor backup.sock &
        ready backup.sock

        """;

    readonly DocumentShell _shell = new();

    public TrackingDocumentTests() => Disks.Sparse(_shell["disk.img"], 16 << 20, (0, 4 << 20));

    public void Dispose() => _shell.Dispose();

    [Fact]
    public void AtRest_OnlyWhatHasChangedIsCopied()
    {
        _ = _shell.Run(CommandBlock.Read(Page, "at rest").Script);
        Disks.AssertEqual(_shell["disk.img"], _shell["copy.img"]);
        Disks.AssertEqual(_shell["disk.img"], _shell["tuesday.img"]);
    }

    /// <summary>Two folders are the hosts; the word that one says is typed at the other.</summary>
    [Fact]
    public void ADisk_MovesToAnotherHost()
    {
        _ = _shell.Run("mkdir here there && mv disk.img here && truncate -r here/disk.img there/disk.img");
        _shell.Put("scp", "for file; do case $file in there:) ;; *) cp \"$file\" ../there/ ;; esac; done");
        _ = _shell.Run("cd here && fastbackup track add disk.img");
        string word = "";
        foreach (
            string line in CommandBlock
                .Read(Page, "two hosts")
                .Script.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        )
        {
            string[] parts = line.Split("$ ", 2);
            string command = parts[1].Trim().Replace("fbmove-1c2d...", word, StringComparison.Ordinal);
            string said = _shell.Run($"PATH=$PWD/bin:$PATH; cd {parts[0].Trim()} && {command}");
            word = word.Length > 0 ? word : said.Split(default(char[])).First(one => one.StartsWith("fbmove-"));
        }
        Disks.AssertEqual(_shell["here/disk.img"], _shell["there/disk.img"]);
        _ = _shell.Run("cd there && fastbackup backup disk.img copy.img --tracker disk.img.track");
    }

    [Fact]
    public void ARunningDisk_HasACheckpointAtTheInstantOfItsCopy()
    {
        Requires.Command("qemu-io");
        string script = $"""
            {Served}
            fastbackup ctl backup.sock x-checkpoint-add node=disk name=monday
            {Command("fastbackup ctl backup.sock block-dirty-bitmap-add")}
            truncate -r disk.img t.img
            cp disk.img before.img
            fastbackup ctl backup.sock blockdev-add driver=file node-name=t filename=$PWD/t.img
            {Write}
            {CommandBlock.Read(Page, "at an instant").Script}
            until fastbackup ctl backup.sock query-jobs | grep -q '^\[\]'; do sleep 0.1; done
            fastbackup ctl backup.sock x-checkpoint-list node=disk
            """;
        string said = _shell.Run(script);
        Assert.Contains("tuesday", said);
        byte[] copied = File.ReadAllBytes(_shell["t.img"]);
        Assert.Equal(5, copied[1 << 20]);
        Assert.Equal(0, copied[0]); // not of what had changed, so not copied
    }

    [Fact]
    public void AnInterruptedCopy_GoesOn()
    {
        string[] lines = CommandBlock
            .Read(Page, "interrupted")
            .Script.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string script = $"""
            fastbackup track add disk.img
            {lines[0]} --speed 64KiB & copy=$!
            ready copy.img.partial
            sleep 1
            kill $copy
            if wait $copy; then exit 1; fi
            {lines[1]}
            cmp disk.img copy.img
            """;
        _ = _shell.Run(script);
    }

    [Fact]
    public void AnInterruptedCopyOfARunningDisk_GoesOn()
    {
        Requires.Command("qemu-io");
        string backup = _shell["backup"] + "/";
        string first = CommandBlock.Read(Page, "of a running disk").Script;
        string rest = CommandBlock.Read(Page, "the rest").Script;
        string script = $"""
            mkdir backup
            {Served}
            truncate -r disk.img backup/t.img
            fastbackup ctl backup.sock blockdev-add driver=file node-name=t filename=$PWD/backup/t.img
            {first.TrimEnd()} job-id=b speed=262144
            for i in $(seq 600); do if grep -qs FBresume backup/t.resume; then break; fi; sleep 0.1; done
            kill -9 $(jobs -p)
            wait || true
            rm -f disk.sock backup.sock
            {Served.Replace("fastbackup track add disk.img\n", "", StringComparison.Ordinal)}
            {Write}
            {rest.TrimEnd()} job-id=b --wait b
            cmp disk.img backup/t.img
            [ ! -e backup/t.resume ]
            """;
        _ = _shell.Run(
            script
                .Replace("/backup/", backup, StringComparison.Ordinal)
                .Replace("$PWD" + backup, backup, StringComparison.Ordinal)
        );
    }

    /// <summary>A command that the page names inside of a paragraph, over the ends of its lines.</summary>
    static string Command(string begin)
    {
        string page = string.Join(' ', File.ReadAllLines(Repository.PathOf(Page)));
        int at = page.IndexOf('`' + begin, StringComparison.Ordinal) + 1;
        return page[at..page.IndexOf('`', at)];
    }
}
