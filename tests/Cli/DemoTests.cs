// The demo's live half for people and for programs, and how it ends early.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class DemoTests : IDisposable
{
    const ulong Mebi = 1 << 20;

    /// <summary>Guests write faster than the target takes it, and memory is small.</summary>
    static readonly string[] Slow = ["--size", "6MiB", "--memory", "1MiB", "--target-speed", "4MiB", "--dir", "."];

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Json_StartsLivesAndIsDone()
    {
        JsonElement[] events = Run("--size", "8MiB", "--dir", ".", "--guest-priority", "strict");
        Assert.Equal("start", events[0].Name());
        Assert.Equal(8 * Mebi, events[0].Number("total_bytes"));
        Assert.Equal("strict", events[0].GetProperty("guest_priority").GetString());
        JsonElement[] live = events[1..^1];
        Assert.All(live, item => Assert.Equal("live", item.Name()));
        Assert.InRange(live.Count(item => item.Text("job_status") == "created"), 2, 5); // one second without a backup
        JsonElement last = live[^1];
        Assert.Equal("concluded", last.Text("job_status"));
        Assert.Equal(8 * Mebi, last.Number("bytes"));
        Assert.True(last.GetProperty("quiet_guests").Number("count") > 100);
        Assert.Equal(64 * Mebi, last.GetProperty("gauges").Number("capture_limit_bytes"));
        ulong[] bytes = [.. live.Select(item => item.Number("bytes"))];
        Assert.Equal(bytes.Order(), bytes);

        JsonElement done = events[^1];
        Assert.Equal("done", done.Text("status"));
        Assert.Equal(0UL, done.Number("exit_code"));
        Assert.Equal(8 * Mebi, done.GetProperty("backup").Number("bytes"));
        Assert.True(done.GetProperty("copy_is_identical").GetBoolean());
        Assert.True(done.GetProperty("image_equals_t0").GetBoolean());
        JsonElement figures = done.GetProperty("live");
        AssertLatencies(figures.GetProperty("without_backup"));
        AssertLatencies(figures.GetProperty("with_backup"));
        // Each guest may have one write that began on one side of the point in time and ended on the other.
        ulong withoutCount = figures.GetProperty("without_backup").Number("count");
        Assert.InRange(figures.Number("guest_writes_before"), withoutCount - 50, withoutCount + 50);
        Assert.Equal("strict", figures.GetProperty("gauges").Text("guest_priority"));
        Assert.Equal("", FolderPicture.Take(_folder.Path));
    }

    [Fact]
    public void People_GetARowASecondAndATable_Within80Columns()
    {
        string[] lines = Programs.Fastbackup(_folder.Path, ["demo", .. Slow, "--scratch", "."]).Expect(0).OutputLines;
        const string row = @"^ +\d+ % +\S+ \S*B/s +\d+\.\d\d +\d+\.\d\d +.+ 1\.0 MiB +\S+ \S*B$";
        Assert.InRange(lines.Count(line => Matches(line, row)), 1, 9);
        Assert.Single(lines, line => line.StartsWith("  done ", StringComparison.Ordinal));
        Assert.Single(lines, line => Matches(line, @"^  waited for a copy( +\d+)( +\d+\.\d\d){3}$"));
        Assert.Single(lines, line => Matches(line, @"^  captured +at most .+ of 1\.0 MiB of memory$"));
        Assert.Single(lines, line => Matches(line, @"^  scratch +\d.* went through it, limit 6\.0 MiB$"));
        Assert.All(lines, line => Assert.DoesNotContain('\u001b', line));
        IEnumerable<string> figures = lines.Where(line => line.StartsWith(' '));
        Assert.All(figures, line => Assert.InRange(line.Length, 1, 79));
        Assert.Equal("", FolderPicture.Take(_folder.Path));
    }

    [Fact]
    public void Interrupt_OfASlowTarget_EndsSoonAndSaysSo()
    {
        string[] much = ["--size", "64MiB", "--memory", "32MiB", "--guest-priority", "off"];
        string[] arguments = ["demo", .. much, "--target-speed", "4MiB", "--dir", ".", "--scratch", ".", "--json"];
        using RunningProgram demo = Programs.StartFastbackup(_folder.Path, arguments);
        Eventually.True(() => LiveTargets().Any(path => Disks.AllocatedBytes(path) > 0)); // the copy is under way
        long start = Stopwatch.GetTimestamp();
        demo.Signal("INT");
        ProgramResult result = demo.Wait().Expect(130).ExpectSentence("interrupted; everything was removed");
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 4); // the rest of the copy takes six seconds
        JsonElement done = result.Events()[^1];
        Assert.Equal("interrupted", done.Text("status"));
        Assert.True(done.GetProperty("copy_is_identical").GetBoolean());
        Assert.False(done.TryGetProperty("image_equals_t0", out _));
        Assert.Equal("", FolderPicture.Take(_folder.Path));
    }

    static void AssertLatencies(JsonElement times)
    {
        Assert.True(times.Number("count") > 0);
        string[] rising = ["p50_ns", "p99_ns", "max_ns", "sum_ns"];
        ulong[] numbers = [1, .. rising.Select(name => times.Number(name))];
        Assert.Equal(numbers.Order(), numbers);
    }

    JsonElement[] Run(params string[] arguments) =>
        Programs.Fastbackup(_folder.Path, ["demo", .. arguments, "--json"]).Expect(0).Events();

    /// <summary>The image that the live half writes, while it is there.</summary>
    string[] LiveTargets() => Directory.GetFiles(_folder.Path, "live.img", SearchOption.AllDirectories);

    static bool Matches(string line, string pattern) => Regex.IsMatch(line, pattern);
}
