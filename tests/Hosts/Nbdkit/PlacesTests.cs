// Where the plugin's backup, scratch and monitor lie: what is refused before nbdkit goes to the background, what a
// guest gets its disk in spite of, and whose files the names are in the end.
using System;
using System.IO;
using System.Threading;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

public sealed class PlacesTests : IDisposable
{
    const int DiskBytes = 8 << 20;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    readonly DiskFolder _folder = new();

    public PlacesTests() => _folder.Random("disk.raw", DiskBytes);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("there.raw' exists; give another name, or overwrite=true to replace it", "backup=there.raw")]
    [InlineData("is left from an unfinished backup", "backup=foreign.raw")]
    [InlineData("which is no regular file", "backup=odd.raw", "overwrite=true")]
    [InlineData("nowhere/copy.raw", "backup=nowhere/copy.raw")]
    [InlineData("nowhere/scratch", "backup=copy.raw", "scratch=nowhere/scratch")]
    [InlineData("scratch", "fleece=foreign.raw.partial")]
    [InlineData("nowhere/m.sock", "monitor=nowhere/m.sock")]
    [InlineData("exists and is not a socket", "monitor=foreign.raw.partial")]
    public void WhatCanBeKnownAtOnce_EndsTheStart_BeforeItGoesToTheBackground(string said, params string[] arguments)
    {
        File.WriteAllText(_folder["foreign.raw.partial"], "a note");
        File.WriteAllText(_folder["there.raw"], "");
        Directory.CreateDirectory(_folder["odd.raw.partial"]);
        string[] before = _folder.Names();
        string start = $"cd '{_folder.Path}' && exec nbdkit -U nbd.sock '{BuiltPlugin.File}' disk.raw ";
        ToolRun run = ToolRun.Of("timeout", ["20", "sh", "-c", start + string.Join(' ', arguments)]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(said, run.Output);
        Assert.Equal(before, _folder.Names());
    }

    [Fact]
    public void PartialOfAServerThatWasKilled_KeepsNoGuestFromItsDisk()
    {
        using (PluginServer killed = Start("backup=" + _folder["copy.raw"], "speed=1M"))
            killed.Wait(() => File.Exists(_folder["copy.raw.partial"]), Limit);
        using PluginServer server = Start("backup=" + _folder["copy.raw"]);
        server.WaitSaid("is left from an unfinished backup", Limit);
        server.WaitSaid("the job could not begin, the disk is served without it", Limit);
        DiskFolder.QemuIo(server.Uri("disk"), "write -P 6 1M 1M", "read -P 6 1M 1M");
        server.End();
        Assert.False(File.Exists(_folder["copy.raw"]));
        using PluginServer third = Start("backup=" + _folder["copy.raw"], "overwrite=true");
        third.Wait(() => File.Exists(_folder["copy.raw"]), Limit);
        third.End();
        DiskFolder.AssertEqual(_folder.Bytes("disk.raw"), _folder.Bytes("copy.raw"));
    }

    [Fact]
    public void TargetThatCannotBeOpened_RefusesNoGuest_AndLeaksNothing()
    {
        using PluginServer server = Start(
            "backup=" + _folder["nowhere/copy.raw"],
            "scratch=" + _folder.Path,
            "at=connect"
        );
        server.WaitSaid("the disk is served, the job may be refused", Limit);
        DiskFolder.QemuIo(server.Uri("disk"), "read 0 4k");
        int before = OpenFiles(server);
        for (int i = 0; i < 10; i++)
            DiskFolder.QemuIo(server.Uri("disk"), "write -P 6 0 4k");
        Assert.InRange(OpenFiles(server), 0, before + 2); // a connection may still be on its way out
        Assert.Contains("the job could not begin", server.Said);
        server.End();
        Assert.Equal(["disk.raw"], Files());
    }

    [Fact]
    public void FileThatAppearsUnderTheTargetsName_IsKept()
    {
        using PluginServer server = Start("backup=" + _folder["copy.raw"], "speed=8M");
        server.Wait(() => File.Exists(_folder["copy.raw.partial"]), Limit);
        File.WriteAllText(_folder["copy.raw"], "precious");
        server.WaitSaid("has appeared meanwhile", Limit);
        server.End();
        Assert.Equal("precious", File.ReadAllText(_folder["copy.raw"]));
        DiskFolder.AssertEqual(_folder.Bytes("disk.raw"), _folder.Bytes("copy.raw.partial"));
    }

    [Fact]
    public void SymbolicLink_IsFollowed_AndStays()
    {
        Directory.CreateDirectory(_folder["other"]);
        File.WriteAllText(_folder["other/real.raw"], "old");
        File.CreateSymbolicLink(_folder["link.raw"], "other/real.raw");
        using PluginServer server = Start("backup=" + _folder["link.raw"], "overwrite=true");
        server.Wait(() => new FileInfo(_folder["other/real.raw"]).Length == DiskBytes, Limit);
        server.End();
        Assert.Equal("other/real.raw", new FileInfo(_folder["link.raw"]).LinkTarget);
        DiskFolder.AssertEqual(_folder.Bytes("disk.raw"), _folder.Bytes("other/real.raw"));
    }

    [Fact]
    public void MonitorsSocket_OfAServerThatWasKilled_IsReplaced_AndOneInUseIsNot()
    {
        string monitor = "monitor=" + _folder["m.sock"];
        using (PluginServer killed = Start(monitor))
            killed.Wait(() => File.Exists(_folder["m.sock"]), Limit);
        Assert.True(File.Exists(_folder["m.sock"]));
        using PluginServer server = Start(monitor);
        _folder.Random("second.raw", DiskBytes);
        string start =
            $"exec nbdkit -U '{_folder["n.sock"]}' '{BuiltPlugin.File}' '{_folder["second.raw"]}' '{monitor}'";
        ToolRun run = ToolRun.Of("timeout", ["20", "sh", "-c", start]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("somebody listens on", run.Output);
        server.End();
    }

    PluginServer Start(params string[] arguments) => new(_folder.Path, [_folder["disk.raw"], .. arguments]);

    string[] Files() => [.. Array.FindAll(_folder.Names(), name => !name.EndsWith(".sock", StringComparison.Ordinal))];

    static int OpenFiles(PluginServer server)
    {
        Thread.Sleep(200); // the last connection goes
        return Directory.GetFileSystemEntries($"/proc/{server.Id}/fd").Length;
    }
}
