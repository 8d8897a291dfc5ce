// The commands on the page about the monitor do what it says, as they stand, but for the folders of sockets and copies.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class MonitorDocumentTests : IDisposable
{
    const string Page = "native-api/docs/monitor.md";
    const string Served = """
        mkdir -p backup/vm7
        fastbackup serve vda=disk.img --socket disk.sock --monitor vm7.sock &
        ready vm7.sock

        """;

    readonly DocumentShell _shell = new();

    public MonitorDocumentTests() => Disks.Random(_shell["disk.img"], 3_000_000);

    public void Dispose() => _shell.Dispose();

    [Fact]
    public void ACopy_IsMadeByHand()
    {
        string said = Run(Served + "truncate -r disk.img backup/vm7.img\n", "by hand");
        Assert.Contains("\"vda\"", said);
        Disks.AssertEqual(_shell["disk.img"], _shell["backup/vm7.img"]);
    }

    /// <summary>In place of virsh stands a program that says how it was called.</summary>
    [Fact]
    public void AllDisks_AreCopiedAtOneInstant()
    {
        _shell.Put("virsh", $"echo \"$@\" >> '{_shell["virsh.log"]}'");
        _ = Run(Served, "all disks");
        Disks.AssertEqual(_shell["disk.img"], _shell["backup/vm7/vda.img"]);
        Disks.AssertEqual(_shell["disk.img"], _shell["backup/system.img"]);
        Assert.Equal("domfsfreeze vm7\ndomfsthaw vm7\n", File.ReadAllText(_shell["virsh.log"]));
    }

    string Run(string before, string kind) =>
        _shell.Run(
            before
                + CommandBlock
                    .Read(Page, kind)
                    .Script.Replace("/run/vm7.sock", "vm7.sock", StringComparison.Ordinal)
                    .Replace("/backup/", _shell["backup"] + "/", StringComparison.Ordinal)
        );
}
