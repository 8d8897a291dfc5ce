// One small C program per clause of the header, in Programs: compiled against the header, linked to the library, run. A
// program that ends with 0 has proven its clause; the list of files is the list of clauses.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed class ClauseTests
{
    const string Folder = "tests/Abi/Programs";

    public static TheoryData<string> Programs =>
        [
            .. Directory
                .EnumerateFiles(Repository.PathOf(Folder), "*.c")
                .Select(path => Path.GetFileNameWithoutExtension(path))
                .Order(System.StringComparer.Ordinal),
        ];

    [Theory]
    [MemberData(nameof(Programs))]
    public void Clause_Holds(string program) => BuiltLibrary.CompileAndRun($"{Folder}/{program}.c");

    [Fact]
    public void RandomCalls_FiftyMillionOfThem_CrashNothing()
    {
        string output = BuiltLibrary.CompileAndRun(Folder + "/random_calls.c", "50", "2");
        Assert.True(long.Parse(output.Split(' ')[0], CultureInfo.InvariantCulture) >= 50_000_000, output);
    }

    /// <summary>FASTBACKUP_SEED replays a round's choices; the program prints it before each.</summary>
    [Fact]
    public void RandomBackups_ForThreeQuartersOfAMinute_AreOneMomentEach()
    {
        string output = BuiltLibrary.CompileAndRun(Folder + "/random_backups.c", "45");
        Assert.Contains("each of one moment", output, System.StringComparison.Ordinal);
    }

    [Fact]
    public void NbdServer_OfAHost_ServesTheClientsThatPeopleHave()
    {
        Requires.Command("nbdinfo");
        Requires.Command("qemu-io");
        BuiltLibrary.CompileAndRun("tests/Abi/Peers/nbd_server.c");
    }

    /// <summary>A minute on a machine that does nothing else. More of them by hand: FASTBACKUP_KILLS=10000.</summary>
    [Fact]
    public void TrackerOfManyKills_MissesNothing_AndNamesNothingTooMany()
    {
        int kills = int.Parse(
            System.Environment.GetEnvironmentVariable("FASTBACKUP_KILLS") ?? "500",
            CultureInfo.InvariantCulture
        );
        System.TimeSpan limit = System.TimeSpan.FromSeconds(System.Math.Max(1200, 4 * kills));
        string program = BuiltLibrary.CompileAs("tracker_kills", Folder + "/tracker.c");
        (string, string) library = ("LD_LIBRARY_PATH", BuiltLibrary.LibraryFolder);
        string[] numbers = [Text(kills), Text((int)limit.TotalSeconds)];
        ToolRun run = ToolRun.Of(limit + System.TimeSpan.FromMinutes(5), program, numbers, library);
        Assert.True(run.ExitCode == 0, run.Output);
        Assert.StartsWith($"{Text(kills)} kills", run.Output, System.StringComparison.Ordinal);
        Assert.Contains(" granules named, 0 missed, 0 for nothing", run.Output, System.StringComparison.Ordinal);
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>What a live guest's jobs have made is, to stock restic, the disk of both moments.</summary>
    [Fact]
    public void RepositoryTarget_IsWhatResticReads()
    {
        Requires.Command("restic");
        using TempFolder folder = new();
        string[] points = BuiltLibrary.CompileAndRun(Folder + "/repository_target.c", folder.Path).Trim().Split(' ');
        Assert.Equal(2, points.Length);
        for (int i = 0; i < points.Length; i++)
        {
            string[] options = ["-r", folder["repo"], "--password-file", folder["password"], "--no-cache"];
            _ = Tool.Run("restic", [.. options, "restore", points[i], "--target", folder[$"out-{i}"]]);
            Assert.True(
                File.ReadAllBytes(folder[$"moment-{i + 1}"])
                    .AsSpan()
                    .SequenceEqual(File.ReadAllBytes(folder[$"out-{i}/vm7/system/disk.img"]))
            );
        }
    }

    [Fact]
    public void HooksFromThreads_OfAnEngineWithoutOne_SeeOneInstant() =>
        BuiltLibrary.CompileAndRun(Folder + "/hooks_from_threads.c", "driven");

    [Fact]
    public void SecondRuntime_InOneProcess_Works()
    {
        string copy = Path.Combine(Path.GetTempPath(), $"second-{System.Environment.ProcessId}.so");
        File.Copy(BuiltLibrary.File, copy, overwrite: true);
        BuiltLibrary.CompileAndRun(Folder + "/process_second_runtime.c", copy);
        File.Delete(copy);
    }

    /// <summary>Root, and a machine on which it may make memory cgroups, of the first or the second kind.</summary>
    [Fact]
    public void MemoryCgroup_Of64MiB_IsEnough()
    {
        Requires.Root();
        const string root = "/sys/fs/cgroup";
        bool isFirstKind = Directory.Exists(root + "/memory");
        string parent = isFirstKind ? root + "/memory" : root;
        string limit = isFirstKind ? "memory.limit_in_bytes" : "memory.max";
        string group = $"{parent}/fastbackup-{System.Environment.ProcessId}";
        Requires.That(TryMakeGroup(group, limit), $"needs leave to make a memory cgroup in {parent}");
        try
        {
            BuiltLibrary.CompileAndRun(Folder + "/process_cgroup.c", group + "/cgroup.procs");
        }
        finally
        {
            Directory.Delete(group);
        }
    }

    static bool TryMakeGroup(string group, string limit)
    {
        try
        {
            Directory.CreateDirectory(group);
            File.WriteAllText($"{group}/{limit}", "67108864");
            return true;
        }
        catch (System.Exception fault) when (fault is IOException or System.UnauthorizedAccessException)
        {
            if (Directory.Exists(group))
                Directory.Delete(group);
            return false;
        }
    }

    [Fact]
    public void CallsOfTheIoPath_AllocateNothing() =>
        BuiltLibrary.CompileAndRun("bench/Abi/cost_per_call.c", "1000000");

    [Fact]
    public void HostsFaultHandler_InstalledAfterTheFirstCall_GetsItsFaults() =>
        BuiltLibrary.CompileAndRun(Folder + "/process_signals.c", "after");
}
