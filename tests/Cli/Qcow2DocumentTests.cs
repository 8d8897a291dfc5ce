// The commands on the page about qcow2 do what it says, as they stand: the list at its head, and an image that the
// monitor writes.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class Qcow2DocumentTests
{
    const string Page = "native-api/docs/qcow2.md";

    /// <summary>Each in a folder of its own with what it names, without the file that it makes.</summary>
    [Fact]
    public void EachCommandOfTheList_Works()
    {
        Requires.Command("qemu-img");
        string[] lines = Lines(Page, "list");
        Assert.Equal(11, lines.Length);
        foreach (string line in lines)
        {
            using DocumentShell shell = new();
            Disks.Sparse(shell["vm.raw"], 5 << 20, (0, 2 << 20));
            Disks.Hole(shell["volume"], 5 << 20);
            string[] words = line.Replace("/dev/vg0/vm", "volume", StringComparison.Ordinal).Split(' ');
            string[] before =
            [
                "qemu-img convert -f raw -O qcow2 vm.raw vm.qcow2",
                .. words.Contains("--tracker") ? Tracked : [],
                .. words[1] == "backup" && words[^1] != "--force" ? [$"rm -f {words[3]}"] : (string[])[],
            ];
            string how = words[1] == "serve" ? "started " : "";
            _ = shell.Run(string.Join('\n', [.. before, how + string.Join(' ', words)]));
        }
    }

    static readonly string[] Tracked =
    [
        "fastbackup track add vm.raw --tracker t",
        "fastbackup backup vm.raw a.qcow2 --tracker t",
    ];

    [Fact]
    public void AnImage_IsWrittenByTheMonitor()
    {
        Requires.Command("qemu-io");
        using DocumentShell shell = new();
        Disks.Sparse(shell["disk.img"], 5 << 20, (0, 2 << 20));
        string script = $"""
            fastbackup backup disk.img monday.qcow2
            fastbackup serve disk=disk.img --socket disk.sock --monitor backup.sock &
            ready backup.sock
            fastbackup ctl backup.sock block-dirty-bitmap-add node=disk name=inc
            qemu-io -f raw -c 'write -P 5 1M 200k' 'nbd+unix:///disk?socket=disk.sock'
            {string.Join('\n', Lines(Page, "by the monitor").SkipLast(1))} job-id=b --wait b
            {Lines(Page, "by the monitor")[^1]}
            qemu-img compare -f raw -F qcow2 -U disk.img tuesday.qcow2
            """;
        _ = shell.Run(script);
    }

    static string[] Lines(string page, string kind) =>
        CommandBlock.Read(page, kind).Script.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
