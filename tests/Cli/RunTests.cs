// fastbackup run: what a configuration asks for, once and again, and everything that may go wrong around it.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed partial class RunTests : IDisposable
{
    const int Mebi = 1 << 20;
    const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    readonly RepositoryFolder _repo = new();

    public RunTests()
    {
        Disks.Sparse(_repo["system.img"], 4 * Mebi, (0, 2 * Mebi));
        Disks.Random(_repo["data.img"], Mebi + 5, seed: 2);
        _repo.Init();
        File.WriteAllText(_repo["secret"], RepositoryFolder.Password);
        File.SetUnixFileMode(_repo["secret"], Owner);
    }

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void ExampleOfThePage_Runs_EveryNightAnew()
    {
        string page = File.ReadAllText(Repository.PathOf("native-api/docs/run.md"));
        string example = Assert.Single(BlockPattern().Matches(page)).Groups[1].Value;
        // Of the page's rules only the newest point stays, so that a test needs few nights.
        Write(
            example.Replace("last = 3\ndaily = 7\nweekly = 5\nmonthly = 12\n", "last = 1\n", StringComparison.Ordinal)
        );
        _repo.Fastbackup("track add system.img").Expect(0);
        _repo.Fastbackup("run night.toml --check").Expect(0);
        Assert.Empty(_repo.Points());
        JsonElement done = Run(0);
        Assert.Equal(["before", "after"], done.GetProperty("hooks").EnumerateArray().Select(one => one.Text("name")));
        Assert.Equal(0ul, done.Number("forgotten"));
        string first = Assert.Single(_repo.Points());
        Assert.Equal(first, done.Text("point"));
        Assert.True(File.Exists(_repo["began"]));
        Assert.Equal("done\n", File.ReadAllText(_repo["ended"]));
        done = Run(0);
        Assert.Equal(1ul, done.Number("forgotten"));
        JsonElement[] disks = [.. done.GetProperty("disks").EnumerateArray()];
        Assert.Equal(["system", "data.img"], disks.Select(disk => disk.Text("disk")));
        Assert.Equal(["incremental", "full"], disks.Select(disk => disk.Text("mode")));
        Assert.NotEqual(first, Assert.Single(_repo.Points()));
        _repo.AssertRestores("latest", "data.img", "vm7/data.img");
        string report = File.ReadAllText(_repo["fastbackup.prom"]);
        Assert.Contains("fastbackup_last_run_exit_code{config=\"night.toml\"} 0\n", report);
        Assert.Contains("fastbackup_disk_incremental{config=\"night.toml\",host=\"vm7\",disk=\"system\"} 1\n", report);
        Assert.Empty(Directory.GetFiles(_repo.Path, "*.tmp"));
        // A disk that fails: the others, the old success in the report, and nothing forgotten.
        File.Delete(_repo["data.img"]);
        done = Run(1);
        Assert.Equal("disk", done.Text("error"));
        Assert.Equal(["done", "failed"], done.GetProperty("disks").EnumerateArray().Select(one => one.Text("status")));
        Assert.Equal(2, _repo.Points().Length);
        Assert.Equal("failed\n", File.ReadAllText(_repo["ended"]));
        string after = File.ReadAllText(_repo["fastbackup.prom"]);
        Assert.Contains("fastbackup_last_run_exit_code{config=\"night.toml\"} 1\n", after);
        Assert.Contains("fastbackup_disk_success{config=\"night.toml\",host=\"vm7\",disk=\"data.img\"} 0\n", after);
        Assert.Equal(SuccessOf(report), SuccessOf(after));
    }

    [Fact]
    public void EveryMistake_IsASentenceWithItsLine()
    {
        (string Line, string Wrong)[] lines =
        [
            ("repository = 5", "'repository' is no text"),
            ("pasword-file = \"x\"", "'pasword-file' is not known (did you mean 'password-file'?)"),
            ("host = \"a/b\"", "'host' 'a/b' has a letter that is none of"),
            ("chunk = \"3MiB\"", "'chunk' '3MiB' is not a power of two"),
            ("tags = \"x\"", "'tags' is no list of texts"),
            ("[keep]", ""),
            ("last = 0", "'last' is no number of 1 to 100000"),
            ("hourly = 3", "'hourly' is not known in [keep]"),
            ("[hooks]", ""),
            ("before = []", "'before' names no program"),
            ("freeze = [\"true\"]", "'freeze' and 'thaw' belong together"),
            ("timeout = 1.5", "'timeout' is no number"),
            ("[repot]", "table 'repot' is not known"),
            ("[[disk]]", "'path' is missing in [[disk]]"),
            ("name = \"a\"", ""),
            ("[[disk]]", ""),
            ("path = \"b\"", ""),
            ("name = \"a\"", "two disks are called 'a'"),
        ];
        Write(string.Join('\n', lines.Select(one => one.Line)));
        ProgramResult result = _repo.Fastbackup("run night.toml --check").Expect(2);
        for (int i = 0; i < lines.Length; i++)
            if (lines[i].Wrong.Length > 0)
                Assert.Contains($"night.toml:{i + 1}: {lines[i].Wrong}", result.Error);
        // One more than lines: the freeze has neither a thaw nor a snapshot.
        int told = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length;
        Assert.Equal(lines.Count(one => one.Wrong.Length > 0) + 1, told);
        Write("repository = \"repo\"\n[[disk]\npath=\"a\"");
        Assert.Contains("night.toml:2: ", _repo.Fastbackup("run night.toml").Expect(2).Error);
        _repo.Fastbackup("run none.toml").Expect(1).ExpectSentence("cannot read configuration 'none.toml'");
        Assert.Empty(_repo.Points());
    }

    [Fact]
    public void Hooks_FailOrHang_AndAfterIsRunAllTheSame()
    {
        string after = "after = [\"sh\", \"-c\", \"env > after-env\"]\n";
        Write(Config("[hooks]\nbefore = [\"sh\", \"-c\", \"exit 7\"]\n" + after));
        Assert.Equal("hook", Run(1, "hook 'before' (sh) failed with exit code 7").Text("error"));
        string environment = File.ReadAllText(_repo["after-env"]);
        Assert.Contains("FASTBACKUP_STATUS=failed", environment);
        Assert.DoesNotContain(RepositoryFolder.Password, environment);
        Write(Config("[hooks]\ntimeout = 1\nbefore = [\"sleep\", \"60\"]\n" + after));
        _ = Run(1, "did not end within 1 s and was killed");
        Assert.Empty(_repo.Points());
        Write(Config("[hooks]\nafter = [\"false\"]\n"));
        Assert.Equal("hook", Run(1, "hook 'after' (false) failed").Text("error"));
        Assert.Single(_repo.Points());
    }

    [Fact]
    public void Freeze_IsThawed_WhoeverIsKilled()
    {
        Write(Config(Frozen("true")));
        JsonElement done = Run(0);
        Assert.InRange(done.GetProperty("frozen_seconds").GetDouble(), 0.001, 9);
        Assert.Equal("frozen\nthawed\n", File.ReadAllText(_repo["log"]));
        // The watchdog: then we thaw.
        const string Up =
            "p=$$; while ! tr '\\\\0' ' ' </proc/$p/cmdline | grep -q 'trap : IN[T]'; do "
            + "p=$(awk '/^PPid/{print $2}' /proc/$p/status); [ $p -gt 1 ] || exit 9; done; echo $p > watchdog";
        Write(Config(Frozen("kill -9 $(cat watchdog)", Up)));
        _ = Run(0);
        Assert.Equal("frozen\nthawed\nfrozen\nthawed\n", File.ReadAllText(_repo["log"]));
        // A freeze that fails may have frozen some: thawed as well, and for how long is told.
        Write(Config(Frozen("true", "false") + "\n").Replace("; echo frozen >> log", "", StringComparison.Ordinal));
        done = Run(1, "the freeze command failed with exit code 1; nothing was copied, guests are thawed");
        Assert.InRange(done.GetProperty("frozen_seconds").GetDouble(), 0.001, 9);
        Assert.EndsWith("frozen\nthawed\nthawed\n", File.ReadAllText(_repo["log"]), StringComparison.Ordinal);
        File.WriteAllText(_repo["log"], "");
        // Us: then the watchdog does.
        Write(Config(Frozen("touch caught; sleep 60")));
        using (RunningProgram run = _repo.Start("run", "night.toml"))
        {
            Eventually.True(() => File.Exists(_repo["caught"]));
            run.Signal("KILL");
            run.Wait().Expect(137);
        }
        Eventually.True(() => File.ReadAllText(_repo["log"]).EndsWith("frozen\nthawed\n", StringComparison.Ordinal));
        Assert.Equal(2, _repo.Points().Length);
    }

    [Fact]
    public void RunThatIsUnderWay_KeepsTheNextOneOut()
    {
        Write(Config("[hooks]\nbefore = [\"sh\", \"-c\", \"touch begun; sleep 60\"]\n"));
        using RunningProgram run = _repo.Start("run", "night.toml");
        Eventually.True(() => File.Exists(_repo["begun"]));
        Assert.Equal("overlap", Run(1, "another run of 'night.toml' is under way; nothing was done").Text("error"));
        run.Signal("INT");
        run.Wait().Expect(130);
        Write(Config(""));
        _ = Run(0);
    }

    static string Config(string more) =>
        "repository = \"repo\"\npassword-command = [\"cat\", \"secret\"]\n" + more + "[[disk]]\npath = \"data.img\"\n";

    static string Frozen(string snapshot, string freeze = "true") =>
        $"""
            [hooks]
            freeze = ["sh", "-c", "{freeze}; echo frozen >> log"]
            snapshot = ["sh", "-c", "{snapshot}"]
            thaw = ["sh", "-c", "echo thawed >> log"]

            """;

    static double SuccessOf(string report) =>
        double.Parse(SuccessPattern().Match(report).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);

    void Write(string config) => File.WriteAllText(_repo["night.toml"], config);

    JsonElement Run(int exitCode, string? sentence = null)
    {
        ProgramResult result = _repo.Fastbackup("run night.toml --json").Expect(exitCode);
        if (sentence != null)
            Assert.Contains(sentence, result.Error);
        JsonElement done = result.Events()[^1];
        Assert.Equal("run", done.Text("command"));
        Assert.Equal(1, result.Events().Count(one => one.Text("event") == "done"));
        return done;
    }

    [GeneratedRegex("<!-- toml: run -->\n```toml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex BlockPattern();

    [GeneratedRegex("fastbackup_last_success_timestamp_seconds\\{.*\\} ([0-9.]+)\n")]
    private static partial Regex SuccessPattern();
}
