// What nbdkit and its clients are told of the exports, and what is refused.
using System;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

public sealed class ExportTests : IDisposable
{
    const int DiskBytes = 16 << 20;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    readonly DiskFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Disk_TellsItsSizeAndWhatItCan()
    {
        using PluginServer server = new(_folder.Path, _folder.Random("disk.raw", DiskBytes + 512));
        foreach (string name in (string[])["", "disk"])
        {
            JsonNode export = Exports(server.Uri(name))[0]!;
            Assert.Equal("disk", (string)export["export-name"]!);
            Assert.Equal(DiskBytes + 512, (long)export["export-size"]!);
            Assert.False((bool)export["is_read_only"]!);
            string[] abilities = ["can_flush", "can_fua", "can_trim", "can_zero", "can_fast_zero", "can_multi_conn"];
            Assert.All(abilities, ability => Assert.True((bool)export[ability]!, ability));
            Assert.Equal(1, (long)export["block_size_minimum"]!);
        }
        server.End();
    }

    [Fact]
    public void Snapshot_IsListedWhileAJobRuns_AndIsReadOnly()
    {
        string disk = _folder.Random("disk.raw", DiskBytes);
        using PluginServer server = new(_folder.Path, disk, "fleece=" + _folder.Path);
        Assert.Equal(["disk", "snapshot"], Names(Exports(server.Uri(""), "--list")));
        JsonNode export = Exports(server.Uri("snapshot"))[0]!;
        Assert.True((bool)export["is_read_only"]!);
        Assert.False((bool)export["can_multi_conn"]!); // each connection is of the job that it found
        Assert.Equal(DiskBytes, (long)export["export-size"]!);
        server.End();
    }

    [Fact]
    public void Snapshot_WithoutAJob_IsNotListedAndRefusedWithASentence()
    {
        using PluginServer server = new(_folder.Path, _folder.Random("disk.raw", DiskBytes));
        Assert.Equal(["disk"], Names(Exports(server.Uri(""), "--list")));
        Assert.NotEqual(0, ToolRun.Of("nbdinfo", [server.Uri("snapshot")]).ExitCode);
        Assert.NotEqual(0, ToolRun.Of("nbdinfo", [server.Uri("other")]).ExitCode);
        server.Wait(
            () => server.Said.Contains("no job runs whose snapshot could be read", StringComparison.Ordinal),
            Limit
        );
        server.Wait(() => server.Said.Contains("export other: there are", StringComparison.Ordinal), Limit);
        server.End();
    }

    [Fact]
    public void Map_TellsHolesAndData_AsTheyAreNow()
    {
        string disk = _folder.Sparse("disk.raw", DiskBytes);
        using PluginServer server = new(_folder.Path, disk);
        string uri = server.Uri("disk");
        DiskFolder.QemuIo(uri, "write -P 1 4M 1M", "write -P 2 8M 64k");
        string[] expected =
        [
            "0+4194304:3",
            "4194304+1048576:0",
            "5242880+3145728:3",
            "8388608+65536:0",
            "8454144+8323072:3",
        ];
        Assert.Equal(expected, Map(uri));
        DiskFolder.QemuIo(uri, "discard 4M 1M");
        Assert.Equal(["0+8388608:3", "8388608+65536:0", "8454144+8323072:3"], Map(uri));
        server.End();
    }

    [Fact]
    public void MapOfTheSnapshot_TellsTheHolesOfItsMoment()
    {
        string disk = _folder.Sparse("disk.raw", DiskBytes);
        DiskFolder.Run("dd", "if=/dev/urandom", "of=" + disk, "bs=1M", "count=1", "seek=4", "conv=notrunc");
        using PluginServer server = new(_folder.Path, disk, "fleece=" + _folder.Path);
        string[] expected = ["0+4194304:3", "4194304+1048576:0", "5242880+11534336:3"];
        Assert.Equal(expected, Map(server.Uri("snapshot")));
        DiskFolder.QemuIo(server.Uri("disk"), "discard 4M 1M", "write -P 1 8M 1M");
        Assert.Equal(["0+8388608:3", "8388608+1048576:0", "9437184+7340032:3"], Map(server.Uri("disk")));
        // What was overwritten may be in memory for a moment, and is data then; holes of now are never told.
        string[] holes = [.. Map(server.Uri("snapshot")).Where(extent => extent.EndsWith(":3"))];
        Assert.Equal(expected[0], holes[0]);
        Assert.DoesNotContain(holes, hole => hole.StartsWith("4194304+", StringComparison.Ordinal));
        server.End();
    }

    [Fact]
    public void DumpPlugin_StartsNoEngine()
    {
        Requires.Command("strace");
        string[] arguments =
        [
            "-f",
            "-e",
            "trace=io_uring_setup,clone,clone3",
            "nbdkit",
            BuiltPlugin.File,
            "--dump-plugin",
        ];
        string said = DiskFolder.Run("strace", arguments);
        Assert.Contains("fastbackup_abi=1", said);
        Assert.DoesNotContain("io_uring_setup", said);
        Assert.DoesNotContain("clone", said);
    }

    [Theory]
    [InlineData("source=FILE is required")]
    [InlineData("No such file or directory", "missing.raw")]
    [InlineData("neither a file nor a block device", ".")]
    [InlineData("exclude each other", "disk.raw", "backup=b.raw", "fleece=.")]
    [InlineData("disk.raw' is the source itself", "disk.raw", "backup=disk.raw")]
    [InlineData("scratch= and speed= belong to", "disk.raw", "speed=1M")]
    [InlineData("sync=some: not one of the values", "disk.raw", "backup=b.raw", "sync=some")]
    [InlineData("unknown parameter what=", "disk.raw", "what=ever")]
    [InlineData("is the source itself", "disk.raw", "backup=link.raw", "overwrite=true")]
    public void WrongParameters_AreRefusedWithASentence_AndLeaveNothing(string sentence, params string[] arguments)
    {
        _folder.Random("disk.raw", DiskBytes);
        File.CreateSymbolicLink(_folder["link.raw"], _folder["disk.raw"]);
        string[] before = _folder.Names();
        string start =
            $"cd '{_folder.Path}' && exec nbdkit -f -U nbd.sock '{BuiltPlugin.File}' {string.Join(' ', arguments)}";
        ToolRun run = ToolRun.Of("timeout", ["20", "sh", "-c", start]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(sentence, run.Output);
        Assert.Equal(before.Order(), _folder.Names().Except(["nbd.sock"]).Order());
    }

    static JsonArray Exports(string uri, params string[] options)
    {
        string printed = DiskFolder.Run("nbdinfo", ["--json", .. options, uri]);
        return JsonNode.Parse(printed[printed.IndexOf('{')..])!["exports"]!.AsArray();
    }

    static string[] Names(JsonArray exports) => [.. exports.Select(export => (string)export!["export-name"]!)];

    /// <summary>offset+length:type; 0 is data, 3 a hole that reads as zeroes.</summary>
    static string[] Map(string uri)
    {
        string printed = DiskFolder.Run("nbdinfo", "--json", "--map", uri);
        JsonArray extents = JsonNode.Parse(printed[printed.IndexOf('[')..])!.AsArray();
        return [.. extents.Select(extent => $"{extent!["offset"]}+{extent["length"]}:{extent["type"]}")];
    }
}
