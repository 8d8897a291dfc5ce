// fastbackup live-backup against a running host, and against QEMU: all disks or none, names only for what is whole, and
// guests that are thawed whatever happens.
using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class LiveBackupTests : IDisposable
{
    const int SecondBytes = 3 << 20;
    static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    readonly TestFolder _folder = new();
    readonly MonitorHost _host;
    readonly QmpConnection _client;

    public LiveBackupTests()
    {
        _host = new MonitorHost(
            _folder["socket"],
            "vda=" + _folder.Random("vda.raw", MonitorScene.DiskBytes),
            "vdb=" + _folder.Random("vdb.data.raw", SecondBytes)
        );
        _client = QmpConnection.To(_host.Socket);
        _ = Directory.CreateDirectory(_folder["backup"]);
    }

    public void Dispose()
    {
        _client.Dispose();
        _host.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void AllDisks_IntoAFolder_AreWholeAndLeaveNothingInTheHost()
    {
        string[] lines = Expect(0, _folder["backup"], "--json").Split('\n');
        JsonNode done = JsonNode.Parse(lines[^1])!;
        Assert.Equal("done", (string?)done["status"]);
        Assert.Equal(["vda", "vdb"], done["disks"]!.AsArray().Select(disk => (string?)disk!["disk"]));
        Assert.All(done["disks"]!.AsArray(), disk => Assert.Equal("published", (string?)disk!["status"]));
        Assert.Equal("start", (string?)JsonNode.Parse(lines[0])!["event"]);
        AssertCopies();
        AssertNothingIsLeft();
        Assert.Contains("exists", Expect(1, _folder["backup"]));
        Assert.Contains("2 disks, 11.0 MiB", Expect(0, _folder["backup"], "--force"));
        AssertCopies();
        _host.Quit();
    }

    [Fact]
    public void Hooks_AreRunAroundTheInstant()
    {
        string text = Expect(0, [_folder["backup"], .. Hooks()]);
        Assert.Contains("guests frozen for ", text);
        Assert.Equal("freeze thaw ", Log());
        AssertCopies();
    }

    [Fact]
    public void FreezeThatFails_IsThawed_AndNothingIsMade()
    {
        string text = Expect(1, [_folder["backup"], .. Hooks(freezeEnd: "exit 3")]);
        Assert.Contains("the freeze command failed with exit code 3; nothing was copied, guests are thawed", text);
        Assert.Equal("freeze thaw ", Log());
        Assert.Empty(Directory.GetFiles(_folder["backup"]));
        AssertNothingIsLeft();
    }

    [Fact]
    public void FreezeThatHangs_IsCutShort()
    {
        string text = Expect(1, [_folder["backup"], .. Hooks(freezeEnd: "sleep 60")]);
        Assert.Contains("the freeze command did not end within 5 s", text);
        Assert.StartsWith("freeze thaw ", Log());
    }

    [Fact]
    public void Killed_WhileGuestsAreFrozen_TheyAreThawedAllTheSame()
    {
        Assert.Equal(0, _host.AskNumber("hold vda"));
        using RunningProgram program = Start([_folder["backup"], .. Hooks()]);
        Eventually.True(() => Log() == "freeze ");
        program.Signal("KILL");
        Assert.True(program.TryWait(s_limit, CancellationToken.None));
        Eventually.True(() => Log() == "freeze thaw ");
        Assert.Equal(0, _host.AskNumber("release vda"));
    }

    [Fact]
    public void InstantThatDoesNotCome_IsGivenUpAfterTheThaw()
    {
        Assert.Equal(0, _host.AskNumber("hold vda"));
        Stopwatch time = Stopwatch.StartNew();
        using RunningProgram program = Start([_folder["backup"], .. Hooks()]);
        Eventually.True(() => Log() == "freeze thaw ");
        Assert.InRange(time.Elapsed, TimeSpan.FromSeconds(5), s_limit);
        Assert.Equal(0, _host.AskNumber("release vda"));
        string text = program.Wait().Expect(1).Error;
        Assert.Contains("guests were thawed before it", text);
        Assert.Empty(Directory.GetFiles(_folder["backup"]));
        AssertNothingIsLeft();
    }

    [Fact]
    public void Signal_CancelsTheJobs_AndNamesWhatIsKept()
    {
        Requires.Command("kill");
        using RunningProgram program = Start(_folder["backup"], "--speed", "64KiB");
        _ = _client.WaitForEvent("JOB_STATUS_CHANGE", "live-vdb");
        _client.WaitForStatus("live-vda", "running");
        program.Signal("TERM");
        string text = program.Wait().Expect(130).Error;
        Assert.Contains($"interrupted; kept: '{_folder["backup/vda.img.partial"]}', ", text);
        Assert.Equal(
            ["vda.img.partial", "vdb.img.partial"],
            Directory.GetFiles(_folder["backup"]).Select(path => Path.GetFileName(path)).Order()
        );
        AssertNothingIsLeft();
        _ = Expect(0, _folder["backup"], "--force");
        AssertCopies();
    }

    [Fact]
    public void JobOfOneDiskThatFails_EndsTheOthers()
    {
        using RunningProgram program = Start(_folder["backup"], "--speed", "64KiB");
        _client.WaitForStatus("live-vda", "running");
        _ = _client.Run("job-cancel", ("id", "live-vdb"));
        string text = program.Wait().Expect(1).Error;
        Assert.Contains("failed: Operation canceled; kept: ", text);
        AssertNothingIsLeft();
        Assert.False(File.Exists(_folder["backup/vda.img"]));
    }

    [Fact]
    public void WhatAKilledRunHasLeft_IsTakenAwayByTheNext()
    {
        using RunningProgram program = Start(_folder["backup"], "--speed", "64KiB");
        _client.WaitForStatus("live-vda", "running");
        program.Signal("KILL");
        Assert.True(program.TryWait(s_limit, CancellationToken.None));
        Assert.Contains("another live-backup copies disk 'vda' now", Expect(1, _folder["backup"], "--force"));
        _ = _client.Run("job-cancel", ("id", "live-vda"));
        _client.WaitForEach("BLOCK_JOB_CANCELLED", "live-vda", "live-vdb");
        _client.WaitForStatus("live-vdb", "concluded");
        _ = Expect(0, _folder["backup"], "--force");
        AssertCopies();
        AssertNothingIsLeft();
    }

    [Fact]
    public void Bitmap_RecordsFromTheInstantOn()
    {
        _ = Expect(0, _folder["backup"], "--bitmap", "daily");
        Assert.Equal(0, _host.AskNumber("write vda 65536 4096 1"));
        JsonNode bitmap = _client.Run("query-block")[0]!["inserted"]!["dirty-bitmaps"]![0]!;
        Assert.Equal("daily", (string?)bitmap["name"]);
        Assert.Equal(65536, (long)bitmap["count"]!);
        Assert.Contains("Bitmap already exists", Expect(1, _folder["backup"], "--bitmap", "daily", "--force"));
        AssertCopies("vdb"); // and what was there is untouched
    }

    [Theory]
    [InlineData(1, "the host has no disk 'vdz'; its disks are vda, vdb", "vdz=@/z")]
    [InlineData(1, "does not say which disk", "@/z", "vda=@/y")]
    [InlineData(1, "disk 'vda' is given twice", "vda=@/z", "vda=@/y")]
    [InlineData(1, "the target's folder must exist", "vda=@/nowhere/z")]
    [InlineData(2, "--freeze and --thaw belong together", "@", "--freeze", "true")]
    [InlineData(2, "--warm '10001' is not a number of ms from 0 to 10000", "@", "--warm", "10001")]
    [InlineData(2, "--warm '-1' is not a number of ms from 0 to 10000", "@", "--warm", "-1")]
    [InlineData(2, "TARGET is missing")]
    public void WhatIsWrong_IsToldBeforeAnythingIsMade(int exitCode, string sentence, params string[] arguments)
    {
        string[] given = [.. arguments.Select(one => one.Replace("@", _folder["backup"]))];
        Assert.Contains(sentence, Expect(exitCode, given));
        Assert.Empty(Directory.GetFileSystemEntries(_folder["backup"]));
        AssertNothingIsLeft();
    }

    [Fact]
    public void Qemu_IsBackedUpByTheSameCommands()
    {
        using StorageDaemon daemon = new(_folder["qemu"]);
        string disk = _folder.Random("theirs.raw", MonitorScene.DiskBytes);
        string target = _folder["backup/theirs.img"];
        using (QmpConnection qemu = QmpConnection.To(_folder["qemu"])) // which serves one client at a time
            _ = qemu.Run("blockdev-add", ("driver", "file"), ("node-name", "theirs"), ("filename", disk));
        string text = CommandLineTests.Expect(0, ["live-backup", _folder["qemu"], "theirs=" + target, .. Hooks()]);
        Assert.Contains("1 disk, 8.0 MiB", text);
        MonitorScene.AssertSame(File.ReadAllBytes(disk), target);
        using QmpConnection again = QmpConnection.To(_folder["qemu"]);
        Assert.Single(again.Run("query-named-block-nodes").AsArray());
        Assert.Empty(again.Run("query-jobs").AsArray());
    }

    string[] Hooks(string freezeEnd = "true") =>
        ["--freeze", $"echo freeze >>'{_folder["log"]}'; {freezeEnd}", "--thaw", $"echo thaw >>'{_folder["log"]}'"];

    string Log() => File.Exists(_folder["log"]) ? File.ReadAllText(_folder["log"]).Replace('\n', ' ') : "";

    string Expect(int exitCode, params string[] arguments) =>
        CommandLineTests.Expect(exitCode, ["live-backup", _host.Socket, .. arguments]);

    RunningProgram Start(params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "fastbackup.dll");
        return Tool.Start("dotnet", [program, "live-backup", _host.Socket, .. arguments]);
    }

    void AssertCopies(params string[] disks)
    {
        foreach (string disk in disks.Length > 0 ? disks : ["vda", "vdb"])
            MonitorScene.AssertSame(
                TestFolder.Read(_folder[disk == "vda" ? "vda.raw" : "vdb.data.raw"]),
                _folder[$"backup/{disk}.img"]
            );
        Assert.Empty(Directory.GetFiles(_folder["backup"], "*.partial"));
    }

    void AssertNothingIsLeft()
    {
        Assert.Empty(_client.Run("query-jobs").AsArray());
        Assert.Equal(2, _client.Run("query-named-block-nodes").AsArray().Count);
    }
}
