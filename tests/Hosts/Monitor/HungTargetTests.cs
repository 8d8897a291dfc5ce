// A target that does not answer holds neither guests nor other clients nor a cancel nor the host's end, whatever it is
// (a file system that is frozen, a FUSE server that stops, one that is slow) and whoever does the I/O (io_uring, worker
// threads, the host's own threads).
using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using FastBackup.Tests.Hosts.Nbdkit;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class HungTargetTests : IDisposable
{
    const int ClusterBytes = 65536;

    // What a request that hangs does not keep on a busy machine, and one behind a target that hangs for ever does not.
    static readonly TimeSpan WorstWait = TimeSpan.FromSeconds(20);

    readonly DiskFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("--threads")]
    [InlineData("--driven")]
    [InlineData(null)]
    public void FrozenFileSystem_HoldsNobody(string? option)
    {
        using FreezableFolder frozen = new(_folder);
        using (FileStream file = new(frozen["t.img"], FileMode.CreateNew))
            file.SetLength(MonitorScene.DiskBytes);
        using MonitorScene scene = option == null ? new() : new(option);
        AddTarget(scene, frozen["t.img"]);
        frozen.Freeze();
        Then(() => AssertNobodyIsHeld(scene), frozen.Thaw);
        End(scene);
    }

    [Theory]
    [InlineData("--threads")]
    [InlineData("--driven")]
    [InlineData(null)]
    public void FuseServerThatStops_HoldsNobody(string? option)
    {
        using FuseFolder fuse = new(_folder.Path, MonitorScene.DiskBytes);
        using MonitorScene scene = option == null ? new() : new(option);
        AddTarget(scene, fuse.FilePath);
        fuse.Freeze();
        Then(() => AssertNobodyIsHeld(scene), fuse.Thaw);
        End(scene);
    }

    [Fact]
    public void FuseServerThatStops_HoldsNotTheHostsEnd()
    {
        using FuseFolder fuse = new(_folder.Path, MonitorScene.DiskBytes);
        using MonitorScene scene = new();
        AddTarget(scene, fuse.FilePath);
        fuse.Freeze();
        Then(() => AssertItEnds(scene), fuse.Thaw);
    }

    [Fact]
    public void FuseServerThatIsSlow_LeavesGuestsFast()
    {
        using FuseFolder fuse = new(_folder.Path, MonitorScene.DiskBytes, "--write-rate=1M");
        using MonitorScene scene = new();
        AddTarget(scene, fuse.FilePath);
        scene.StartBackup("t", "j", 0);
        WriteFromTheBack(scene, 64);
        _ = scene.Client.Run("job-cancel", ("id", "j"));
        scene.Client.WaitForStatus("j", "null");
        End(scene);
    }

    static void AddTarget(MonitorScene scene, string path) =>
        _ = scene.Client.Run("blockdev-add", ("driver", "file"), ("node-name", "t"), ("filename", path));

    /// <summary>A process with a call that hangs does not end before that does.</summary>
    static void Then(Action test, Action thaw)
    {
        try
        {
            test();
        }
        finally
        {
            thaw();
        }
    }

    static void AssertItEnds(MonitorScene scene)
    {
        long start = Stopwatch.GetTimestamp();
        _ = scene.Client.Run("blockdev-del", ("node-name", "t")); // closing tells the server, and waits for it
        _ = scene.Client.Run("query-jobs");
        Assert.True(Stopwatch.GetElapsedTime(start) < WorstWait, "the client was held up");
        Assert.Equal("closed", scene.Host.Ask("quit"));
        Assert.True(Stopwatch.GetElapsedTime(start) < 2 * WorstWait, "the host's end was held up");
    }

    static void AssertNobodyIsHeld(MonitorScene scene)
    {
        scene.StartBackup("t", "j", 0);
        WriteFromTheBack(scene, 64);
        long start = Stopwatch.GetTimestamp();
        using (QmpConnection other = scene.NewClient())
            Assert.Single(other.Run("query-jobs").AsArray());
        _ = scene.Client.Run("job-cancel", ("id", "j"));
        scene.Client.WaitForStatus("j", "null");
        Assert.True(Stopwatch.GetElapsedTime(start) < WorstWait, "the cancel was held up");
        WriteFromTheBack(scene, 16);
    }

    /// <summary>
    /// Each in a cluster of its own, which is captured and written to the target: more than it has threads.
    /// </summary>
    static void WriteFromTheBack(MonitorScene scene, int count)
    {
        for (int i = 1; i <= count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            string offset = (MonitorScene.DiskBytes - i * ClusterBytes).ToString(CultureInfo.InvariantCulture);
            Assert.Equal(0, scene.Host.AskNumber($"write vda {offset} 4096 1"));
            Assert.True(Stopwatch.GetElapsedTime(start) < WorstWait, $"the guest's write {i} was held up");
        }
    }

    static void End(MonitorScene scene)
    {
        _ = scene.Client.Run("blockdev-del", ("node-name", "t"));
        scene.Quit();
    }
}
