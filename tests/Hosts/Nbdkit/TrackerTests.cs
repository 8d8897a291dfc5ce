// A disk that nbdkit serves with a tracker: what clients wrote is known afterwards, however nbdkit has ended.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

public sealed class TrackerTests : IDisposable
{
    readonly DiskFolder _folder = new();

    public TrackerTests()
    {
        _folder.Random("disk.raw", 16 << 20);
        Fastbackup(0, "track", "add", _folder["disk.raw"]);
        Fastbackup(0, "backup", _folder["disk.raw"], _folder["copy.raw"], "--tracker", Tracker);
    }

    string Tracker => _folder["disk.raw.track"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatClientsWrote_IsInTheNextBackup(bool isKilled)
    {
        using (PluginServer server = new(_folder.Path, _folder["disk.raw"], "tracker=" + Tracker))
        {
            DiskFolder.QemuIo(server.Uri("disk"), "write -P 7 3M 100k", "write -P 8 9000000 512", "flush");
            string busy = Fastbackup(1, "backup", _folder["disk.raw"], _folder["copy.raw"], "--tracker", Tracker);
            Assert.Contains("with --tracker it must be at rest", busy, StringComparison.Ordinal);
            if (isKilled)
                DiskFolder.Run("kill", "-9", server.Id);
            else
                server.End();
        }
        Assert.StartsWith("192.0 KiB of 16.0 MiB", Fastbackup(0, "track", "info", _folder["disk.raw"]));
        string said = Fastbackup(0, "backup", _folder["disk.raw"], _folder["copy.raw"], "--tracker", Tracker);
        Assert.StartsWith("incremental: 192.0 KiB changed since the last backup", said, StringComparison.Ordinal);
        DiskFolder.AssertEqual(_folder.Bytes("disk.raw"), _folder.Bytes("copy.raw"));
    }

    /// <summary>The commands of the page, with a kill in between.</summary>
    [Fact]
    public void TuesdayOfThePage_WorksAfterNbdkitWasKilled()
    {
        const string page = "native-api/docs/qemu.md";
        string tuesday = CommandBlock.Read(page).Single(one => one.FirstLine.EndsWith(" tuesday.raw")).Script;
        File.Move(_folder["disk.raw"], _folder["vm.raw"]);
        Fastbackup(0, "track", "add", _folder["vm.raw"]);
        string[] options =
        [
            _folder["vm.raw"],
            $"tracker={_folder["vm.raw.track"]}",
            $"monitor={_folder["backup.sock"]}",
        ];
        using (PluginServer server = new(_folder.Path, options))
        {
            server.Wait(() => File.Exists(_folder["backup.sock"]), PluginServer.EndLimit);
            Shell(
                "truncate -r vm.raw monday.raw\n"
                    + "fastbackup ctl backup.sock blockdev-add driver=file node-name=monday filename=$PWD/monday.raw\n"
                    + CommandBlock.Read(page, "monday, with a tracker").Script
            );
            DiskFolder.QemuIo(server.Uri("disk"), "write -P 7 3M 100k", "flush");
            DiskFolder.Run("kill", "-9", server.Id);
        }
        using (PluginServer server = new(_folder.Path, options))
        {
            server.Wait(() => File.Exists(_folder["backup.sock"]), PluginServer.EndLimit);
            DiskFolder.QemuIo(server.Uri("disk"), "write -P 8 9000000 512", "flush");
            Shell(CommandBlock.Read(page, "served again").Script + tuesday);
            server.End();
        }
        DiskFolder.AssertEqual(_folder.Bytes("vm.raw"), _folder.Bytes("tuesday.raw"));
    }

    /// <summary>In the folder of the disk, with our command in the path.</summary>
    void Shell(string commands)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "fastbackup.dll");
        string begin = $"set -euo pipefail\ncd '{_folder.Path}'\nfastbackup() {{ dotnet '{program}' \"$@\"; }}\n";
        ToolRun run = ToolRun.Of("bash", ["-c", begin + commands]);
        Assert.True(run.ExitCode == 0, run.Output);
    }

    [Fact]
    public void TrackerOfAnotherDisk_IsTold_AndTheDiskServed()
    {
        _folder.Random("other.raw", 16 << 20, seed: 2);
        using PluginServer server = new(_folder.Path, _folder["other.raw"], "tracker=" + Tracker);
        DiskFolder.QemuIo(server.Uri("disk"), "write -P 7 3M 100k");
        Assert.Contains("belongs to another disk (foreign-disk)", server.Said, StringComparison.Ordinal);
        Assert.Contains("the disk is served without it", server.Said, StringComparison.Ordinal);
        server.End();
    }

    static string Fastbackup(int exitCode, params string[] words)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "fastbackup.dll");
        ToolRun run = ToolRun.Of("dotnet", [program, .. words]);
        Assert.True(run.ExitCode == exitCode, run.Output);
        return run.Output;
    }
}
