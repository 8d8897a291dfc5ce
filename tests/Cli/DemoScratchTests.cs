// Scratch space in the demo: really used when memory is small and the target slow, gone whatever happens, and refused
// before anything is made.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class DemoScratchTests : IDisposable
{
    const ulong Mebi = 1 << 20;

    /// <summary>Guests write faster than the target takes it, and memory is small.</summary>
    static readonly string[] Slow = ["--size", "6MiB", "--memory", "1MiB", "--target-speed", "4MiB", "--dir", "."];

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void SlowTargetAndLittleMemory_UseTheScratchFile()
    {
        JsonElement[] events = Run([.. Slow, "--scratch", "scratch,4MiB"]);
        JsonElement done = events[^1];
        JsonElement figures = done.GetProperty("live");
        JsonElement gauges = figures.GetProperty("gauges");
        Assert.True(gauges.Number("spilled_bytes") >= Mebi, gauges.ToString());
        Assert.Equal(4 * Mebi, gauges.Number("scratch_limit_bytes"));
        Assert.Equal(Mebi, gauges.Number("capture_limit_bytes"));
        Assert.InRange(gauges.Number("capture_peak_bytes"), Mebi / 2, Mebi);
        Assert.False(gauges.TryGetProperty("scratch_fault", out _));
        Assert.Contains(events[1..^1], item => item.GetProperty("gauges").Number("scratch_bytes") > 0);
        Assert.True(figures.GetProperty("guest_waits").Number("count") > 0);
        ulong writtenBytes = figures.Number("written_bytes");
        Assert.True(writtenBytes > 2 * Mebi);
        Assert.InRange(figures.GetProperty("seconds").GetDouble(), writtenBytes / (4.2 * Mebi), 20);
        Assert.True(done.GetProperty("image_equals_t0").GetBoolean());
        Assert.Equal("", FolderPicture.Take(_folder.Path));
    }

    [Fact]
    public void Kill_LeavesNoScratchFile()
    {
        Directory.CreateDirectory(_folder["scratch"]);
        string[] arguments = ["demo", .. Slow, "--scratch", "scratch/file", "--quiet"];
        using RunningProgram demo = Programs.StartFastbackup(_folder.Path, arguments);
        string link = _folder["scratch/file"] + " (deleted)"; // Source: proc_pid_fd(5)
        Eventually.True(() => LiveTargets().Length > 0 && demo.OpenFiles().Contains(link));
        Assert.Equal("", FolderPicture.Take(_folder["scratch"]));
        demo.Signal("KILL");
        demo.Wait().Expect(137);
        Assert.Equal("", FolderPicture.Take(_folder["scratch"]));
    }

    [Fact]
    public void BlockDevice_TakesForce()
    {
        Disks.Random(_folder["device.img"], 32 << 20);
        using LoopDevice device = new(_folder["device.img"]);
        string[] arguments = ["--size", "2MiB", "--dir", ".", "--scratch", device.Path];
        string picture = FolderPicture.Take(_folder.Path);
        Programs
            .Fastbackup(_folder.Path, ["demo", .. arguments])
            .Expect(1)
            .ExpectSentence(device.Path, "is a block device", "--force");
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
        JsonElement done = Run([.. arguments, "--force"])[^1];
        Assert.Equal(2 * Mebi, done.GetProperty("live").GetProperty("gauges").Number("scratch_limit_bytes"));
    }

    [Fact]
    public void AServersDisk_TakesForce_AndIsUsed()
    {
        Requires.Command("nbdkit");
        string[] line = ["-f", "-U", _folder["k"], "memory", "8M"];
        using RunningProgram server = new(_folder.Path, "nbdkit", line);
        Eventually.True(() => File.Exists(_folder["k"]));
        string uri = $"nbd+unix:///?socket={_folder["k"]}";
        Programs
            .Fastbackup(_folder.Path, ["demo", .. Slow, "--scratch", uri])
            .Expect(1)
            .ExpectSentence($"'{uri}' is a disk of a server", "--force");
        JsonElement done = Run([.. Slow, "--scratch", uri + ",4MiB", "--force"])[^1];
        JsonElement gauges = done.GetProperty("live").GetProperty("gauges");
        Assert.True(gauges.Number("spilled_bytes") >= Mebi, gauges.ToString());
        Assert.Equal(4 * Mebi, gauges.Number("scratch_limit_bytes"));
        Assert.True(done.GetProperty("image_equals_t0").GetBoolean());
        Programs
            .Fastbackup(_folder.Path, "demo", "--scratch", "nbd://host:0/x")
            .Expect(2)
            .ExpectSentence("has the port '0'");
    }

    [Theory]
    [InlineData("precious", "'precious' exists", "new file")]
    [InlineData("nowhere/file", "'nowhere/file'", "its folder must exist")]
    [InlineData("nowhere/", "'nowhere/' is no folder that exists", "make it")]
    [InlineData("precious/file", "'precious/file'", "no folder")]
    [InlineData("/dev/null", "'/dev/null' is neither a folder nor a new file", "block device")]
    public void WrongScratch_IsRefusedBeforeAnythingIsMade(string scratch, string what, string next)
    {
        File.WriteAllText(_folder["precious"], "precious");
        string picture = FolderPicture.Take(_folder.Path);
        string[] arguments = ["demo", "--size", "1MiB", "--dir", ".", "--json", "--scratch", scratch];
        ProgramResult result = Programs.Fastbackup(_folder.Path, arguments).Expect(1).ExpectSentence(what, next);
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
        JsonElement[] events = result.Events();
        Assert.Equal(["error", "done"], events.Select(JsonLines.Name));
        Assert.Equal("refused", events[^1].Text("status"));
    }

    JsonElement[] Run(params string[] arguments) =>
        Programs.Fastbackup(_folder.Path, ["demo", .. arguments, "--json"]).Expect(0).Events();

    /// <summary>The image that the live half writes, while it is there.</summary>
    string[] LiveTargets() => Directory.GetFiles(_folder.Path, "live.img", SearchOption.AllDirectories);
}
