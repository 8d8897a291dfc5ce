// --json: every line of stdout is an object, the first one a start, the last one always a done.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class JsonTests : IDisposable
{
    const int DiskBytes = 12_000_001;

    readonly TempFolder _folder = new();

    public JsonTests() =>
        Disks.Sparse(_folder["disk.img"], DiskBytes, (0, 4_000_000), (8_000_000, DiskBytes - 8_000_000));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Backup_StartsAndIsDone()
    {
        JsonElement[] events = Run(0, "backup", "disk.img", "copy.img");
        Assert.Equal(["start", "done"], events.Select(JsonLines.Name));
        Assert.Equal(DiskBytes, events[0].GetProperty("total_bytes").GetInt64());
        Assert.True(events[0].GetProperty("engine").GetString() is "io_uring" or "threads");
        JsonElement done = events[^1];
        Assert.Equal("done", done.GetProperty("status").GetString());
        Assert.Equal(0, done.GetProperty("exit_code").GetInt32());
        Assert.Equal(DiskBytes, done.GetProperty("bytes").GetInt64());
        long written = done.GetProperty("written_bytes").GetInt64();
        long skipped = done.GetProperty("skipped_zero_bytes").GetInt64();
        Assert.Equal(DiskBytes, written + skipped + done.GetProperty("written_zero_bytes").GetInt64());
        Assert.InRange(written, 8_000_001, 8_100_000);
        Assert.True(done.GetProperty("seconds").GetDouble() > 0);
        Assert.True(done.GetProperty("cpu_seconds").GetDouble() > 0);
        Assert.False(done.TryGetProperty("partial", out _));
    }

    [Fact]
    public void LongBackup_ReportsProgressThatNeverGoesBack()
    {
        JsonElement[] events = Run(0, "backup", "disk.img", "copy.img", "--speed", "3MiB");
        JsonElement[] progress = [.. events.Where(item => item.Name() == "progress")];
        Assert.NotEmpty(progress);
        long[] bytes = [.. progress.Select(item => item.GetProperty("bytes").GetInt64())];
        Assert.Equal(bytes.Order(), bytes);
        Assert.All(progress, item => Assert.Equal(DiskBytes, item.GetProperty("total_bytes").GetInt64()));
        Assert.All(progress, item => Assert.True(item.GetProperty("seconds_left").GetDouble() >= 0));
    }

    [Fact]
    public void Refusal_IsAnErrorAndDone()
    {
        JsonElement[] events = Run(1, "backup", "nothing.img", "copy.img");
        Assert.Equal(["error", "done"], events.Select(JsonLines.Name));
        Assert.Contains("'nothing.img'", events[0].GetProperty("message").GetString());
        Assert.Equal(2, events[0].GetProperty("errno").GetInt32());
        Assert.Equal("refused", events[1].GetProperty("status").GetString());
    }

    [Fact]
    public void Interrupt_NamesThePartial()
    {
        string[] line = ["backup", "disk.img", "copy.img", "--json", "--speed", "1MiB"];
        using RunningProgram backup = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        backup.Signal("INT");
        JsonElement done = backup.Wait().Expect(130).Events()[^1];
        Assert.Equal("interrupted", done.GetProperty("status").GetString());
        Assert.Equal("copy.img.partial", done.GetProperty("partial").GetString());
        Assert.InRange(done.GetProperty("bytes").GetInt64(), 0, DiskBytes - 1);
    }

    [Fact]
    public void FullDisk_HasErrnoAndOffset()
    {
        using MountPoint mount = MountPoint.Tmpfs(_folder["mount"], "size=3m");
        JsonElement[] events = Run(1, "backup", "disk.img", "mount/copy.img");
        JsonElement error = Assert.Single(events, item => item.Name() == "error");
        Assert.Equal(28, error.GetProperty("errno").GetInt32());
        Assert.InRange(error.GetProperty("offset_bytes").GetInt64(), 1 << 20, DiskBytes);
        Assert.Equal("failed", events[^1].GetProperty("status").GetString());
        Assert.Equal("mount/copy.img.partial", events[^1].GetProperty("partial").GetString());
    }

    [Fact]
    public void Compare_SaysIdenticalOrWhereItDiffers()
    {
        File.Copy(_folder["disk.img"], _folder["copy.img"]);
        JsonElement same = Run(0, "compare", "disk.img", "copy.img")[^1];
        Assert.Equal("identical", same.GetProperty("status").GetString());
        Assert.False(same.TryGetProperty("first_difference", out _));
        using (FileStream file = File.OpenWrite(_folder["copy.img"]))
        {
            file.Position = 5_000_000;
            file.WriteByte(1);
        }
        JsonElement different = Run(1, "compare", "disk.img", "copy.img")[^1];
        Assert.Equal("different", different.GetProperty("status").GetString());
        Assert.Equal(5_000_000, different.GetProperty("first_difference").GetInt64());
        Assert.Equal("refused", Run(3, "compare", "disk.img", "no")[^1].GetProperty("status").GetString());
    }

    [Fact]
    public void Doctor_ListsItsFindings()
    {
        JsonElement findings = Assert.Single(Run(0, "doctor", "disk.img")).GetProperty("findings");
        Assert.All(findings.EnumerateArray(), item => Assert.NotEmpty(item.GetProperty("found").GetString()!));
        Assert.Equal("disk.img", findings.EnumerateArray().Last().GetProperty("subject").GetString());
    }

    JsonElement[] Run(int exitCode, params string[] arguments) =>
        Programs.Fastbackup(_folder.Path, [.. arguments, "--json"]).Expect(exitCode).Events();
}
