// The commands on the pages about NBD and about backups that are pulled do what they say, as they stand, but for the
// names of devices, ports and hosts.
using System;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class NbdDocumentTests : IDisposable
{
    const string Page = "native-api/docs/nbd.md";
    const string PullPage = "native-api/docs/pull-mode.md";
    const string Write = "qemu-io -f raw -c 'write -P 5 1M 200k' 'nbd+unix:///disk?socket=vm.sock' > /dev/null\n";

    readonly DocumentShell _shell = new();
    readonly int _port = LocalPort.Free().Port;

    public void Dispose() => _shell.Dispose();

    [Fact]
    public void EachServer_Serves()
    {
        foreach (string name in new[] { "web.img", "vda.img", "data.img" })
            Disks.Random(_shell[name], 1 << 20);
        string[] lines = Lines(Page, "servers");
        Assert.Equal(4, lines.Length);
        string script = string.Concat(lines.Select(line => $"started {line}\n"))
            .Replace("/dev/vg0/data", "data.img", StringComparison.Ordinal)
            .Replace("10809", $"{_port}", StringComparison.Ordinal);
        string[] said = _shell.Run(script).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(5, said.Count(line => line.Contains("serving", StringComparison.Ordinal)));
    }

    /// <summary>The lines about 'snapshot' and a bitmap are the other page's last ones.</summary>
    [Fact]
    public void RemoteDisks_AreSourceTargetAndCompared()
    {
        Disks.Sparse(_shell["disk.img"], 3 << 20, (0, 1 << 20));
        Disks.Hole(_shell["there.img"], 3 << 20);
        string[] lines = Lines(Page, "remote");
        Assert.Equal(4, lines.Length);
        Assert.Contains("snapshot", lines[2]);
        string script = $"""
            fastbackup serve disk=disk.img --socket disk.sock &
            fastbackup serve web=there.img --listen 127.0.0.1:{_port} > there.log &
            ready disk.sock
            for i in $(seq 600); do ! grep -q serving there.log || break; sleep 0.1; done
            {lines[0]}
            {lines[1]}
            {lines[3]}
            """;
        _ = _shell.Run(script.Replace("backup-host", $"127.0.0.1:{_port}", StringComparison.Ordinal));
        Disks.AssertEqual(_shell["disk.img"], _shell["web.img"]);
        Disks.AssertEqual(_shell["disk.img"], _shell["there.img"]);
    }

    [Fact]
    public void ABackup_IsPulled()
    {
        Requires.Command("qemu-io");
        Requires.Command("nbdinfo");
        Disks.Sparse(_shell["web.img"], 4 << 20, (0, 1 << 20));
        Disks.Copy(_shell["web.img"], _shell["web-copy.img"]);
        string script = $"""
            {CommandBlock.Read(PullPage, "the server").Script.TrimEnd()} &
            ready vm.ctl
            fastbackup ctl vm.ctl block-dirty-bitmap-add node=disk name=old
            {Write}
            cp web.img then.img
            truncate -r web.img fleece.img
            fastbackup ctl vm.ctl blockdev-add driver=file node-name=fleece filename=$PWD/fleece.img
            {CommandBlock.Read(PullPage, "the instant").Script}
            {Write.Replace("-P 5 1M", "-P 6 2M", StringComparison.Ordinal)}
            {CommandBlock.Read(PullPage, "read").Script}
            cmp then.img web-copy.img
            if cmp -s web.img web-copy.img; then exit 1; fi
            """;
        Assert.Contains("dirty", _shell.Run(script));
    }

    static string[] Lines(string page, string kind) =>
        CommandBlock.Read(page, kind).Script.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
