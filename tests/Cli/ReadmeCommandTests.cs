// What the README shows beside its examples with their output: the backup of a running machine, the repository, and the
// block device, as they stand, but for folders and devices.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ReadmeCommandTests : IDisposable
{
    readonly DocumentShell _shell = new();

    public void Dispose() => _shell.Dispose();

    [Fact]
    public void ARunningMachine_IsBackedUp()
    {
        Requires.Command("qemu-system-x86_64");
        Disks.Random(_shell["vm.raw"], 8 << 20);
        string[] lines = Lines("fastbackup serve disk=vm.raw");
        Assert.Equal(3, lines.Length);
        string machine = "-m 64 -display none -daemonize -pidfile qemu.pid";
        string script = $"""
            {lines[0]}
            ready backup.sock
            {lines[1].Replace("...", machine, StringComparison.Ordinal)}
            mkdir backup
            {lines[2].Replace("/backup", "backup", StringComparison.Ordinal)}
            kill $(cat qemu.pid)
            """;
        _ = _shell.Run(script);
        Disks.AssertEqual(_shell["vm.raw"], _shell["backup/vm.raw"]);
    }

    [Fact]
    public void ARepository_IsMadeFilledAndRestored()
    {
        Disks.Random(_shell["disk.img"], 3_000_000);
        string script = $"""
            mkdir backup
            (umask 077; echo word > secret)
            fastbackup track add disk.img
            {string.Join('\n', Lines("fastbackup repo init"))}
            """;
        _ = _shell.Run(script.Replace("/backup/repo", "backup/repo", StringComparison.Ordinal));
        Disks.AssertEqual(_shell["disk.img"], _shell["new.img"]);
    }

    [Fact]
    public void ABlockDevice_IsBackedUpAndRestored()
    {
        using LoopDevice device = new(Disks.Random(_shell["web.raw"], 2 << 20));
        string[] lines = Lines("fastbackup backup /dev/vg0/web");
        Assert.Equal(2, lines.Length);
        string zeroes = $"head -c 2M /dev/zero > {device.Path}\n";
        _ = _shell.Run(
            $"{lines[0]}\n{zeroes}{lines[1]}".Replace("/dev/vg0/web", device.Path, StringComparison.Ordinal)
        );
        Assert.True(device.ReadAll().AsSpan().SequenceEqual(File.ReadAllBytes(_shell["web.img"])));
        Assert.NotEqual(0, device.ReadAll().Max());
    }

    static string[] Lines(string begin) =>
        CommandBlock
            .Read("README.md")
            .Single(block => block.Text.StartsWith(begin, StringComparison.Ordinal))
            .Script.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
