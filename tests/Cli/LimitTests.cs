// Limits of the process: what is the default fits or is said in one sentence, what was asked for is refused where it
// cannot be had, and no limit ends the program by a signal.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class LimitTests : IDisposable
{
    const int DiskBytes = 20 << 20;

    readonly TempFolder _folder = new();

    public LimitTests() => Disks.Random(_folder["disk.img"], DiskBytes);

    public void Dispose() => _folder.Dispose();

    /// <summary>RLIMIT_FSIZE, in KiB: below the target, so that it cannot be given its size.</summary>
    [Fact]
    public void FileSize_BelowTheTarget_IsAnErrorAndNoSignal()
    {
        Shell("ulimit -f 8192; exec \"$@\" backup disk.img copy.img").Expect(1).ExpectSentence("EFBIG");
        Assert.False(File.Exists(_folder["copy.img"]));
    }

    [Fact]
    public void FileSize_InTheMiddleOfADemo_IsAnErrorAndNoSignal() =>
        Shell("ulimit -f 8192; exec \"$@\" demo --size 16MiB --dir .").Expect(1);

    /// <summary>For a user whose pages are counted. Root without the right to lock any is one.</summary>
    [Theory]
    [InlineData("0", false)]
    [InlineData("64", true)]
    [InlineData("1024", true)]
    [InlineData("8192", true)]
    [InlineData("unlimited", true)]
    public void MemoryLock_GivesNoWarningWhereNothingWasAsked_AndDoctorAgrees(string limit, bool hasRing)
    {
        Requires.Root();
        Requires.Command("setpriv");
        string user = "exec setpriv --bounding-set=-ipc_lock --inh-caps=-all \"$@\" ";
        string set = $"ulimit -l {limit}; ";
        ProgramResult backup = Shell(set + user + "backup disk.img copy.img --json").Expect(0);
        string[] warnings = backup.OutputLines.Where(line => line.Contains("\"warning\"")).ToArray();
        string doctor = Shell(set + user + "doctor").Expect(0).Output;
        bool isRing = backup.Output.Contains("\"engine\":\"io_uring\"", StringComparison.Ordinal);
        Assert.Equal(isRing, doctor.Contains("io_uring      works", StringComparison.Ordinal));
        Assert.Equal(isRing ? 0 : 1, warnings.Length);
        if (hasRing) // where the kernel has one at all
            Assert.Equal(IsRingHere(), isRing);
    }

    [Fact]
    public void MemoryLock_BelowWhatWasAskedFor_IsAWarning()
    {
        Requires.Root();
        Requires.Command("setpriv");
        Requires.That(IsRingHere(), "needs io_uring");
        const string user = "exec setpriv --bounding-set=-ipc_lock --inh-caps=-all \"$@\" ";
        ProgramResult backup = Shell("ulimit -l 1024; " + user + "backup disk.img copy.img --memory 16MiB").Expect(0);
        Assert.Contains("could not be registered", Assert.Single(backup.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("--memory 64MiB", 2)]
    public void MemoryCgroup_Of64MiB_FitsTheDefault_AndRefusesMore(string option, int exitCode)
    {
        Requires.Root();
        const string root = "/sys/fs/cgroup";
        bool isFirstKind = Directory.Exists(root + "/memory");
        string group = $"{root}/{(isFirstKind ? "memory/" : "")}fastbackup-cli-{Environment.ProcessId}-{exitCode}";
        Requires.That(TryMakeGroup(group, isFirstKind), "needs leave to make a memory cgroup");
        try
        {
            string join = $"echo $$ > {group}/cgroup.procs; ";
            ProgramResult result = Shell(join + "exec \"$@\" backup disk.img copy.img " + option);
            result.Expect(exitCode);
            if (exitCode == 0)
                Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
            else
                result.ExpectSentence("of memory free here");
        }
        finally
        {
            Eventually.True(() => TryRemove(group));
        }
    }

    /// <summary>
    /// What the runtime takes of it differs from machine to machine, so the limit rises until there is room: before,
    /// each try ends with a sentence, whatever ran out; the first that is enough cuts the default.
    /// </summary>
    [Fact]
    public void AddressSpace_ThatIsShort_IsRefusedOrCutsTheDefaultWithOneWord()
    {
        for (int limitKiB = BuiltCommand.Compiled != null ? 40_000 : 1_900_000; ; limitKiB += 8 << 10)
        {
            Assert.InRange(limitKiB, 0, 4_000_000);
            string line = $"ulimit -v {limitKiB}; exec \"$@\" backup disk.img copy.img";
            ProgramResult result = Shell(line);
            if (result.ExitCode == 0)
            {
                Assert.Contains("of I/O memory instead of", Assert.Single(result.Warnings), StringComparison.Ordinal);
                return;
            }
            Assert.DoesNotContain("internal error", result.Error, StringComparison.Ordinal);
            if (result.ExitCode == 1)
                result.ExpectSentence();
            else // the runtime itself did not start, or ended the process in the middle: then something is left
                File.Delete(_folder["copy.img.partial"]);
            Assert.Equal(["disk.img"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
        }
    }

    ProgramResult Shell(string script) =>
        Programs.Run(_folder.Path, "bash", ["-c", script, "fastbackup", .. BuiltCommand.Words]);

    bool IsRingHere() =>
        Programs.Fastbackup(_folder.Path, "doctor").Output.Contains("io_uring      works", StringComparison.Ordinal);

    static bool TryMakeGroup(string group, bool isFirstKind)
    {
        try
        {
            Directory.CreateDirectory(group);
            File.WriteAllText(group + (isFirstKind ? "/memory.limit_in_bytes" : "/memory.max"), "67108864");
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            _ = TryRemove(group);
            return false;
        }
    }

    static bool TryRemove(string group)
    {
        try
        {
            Directory.Delete(group);
            return true;
        }
        catch (IOException)
        {
            return !Directory.Exists(group);
        }
    }
}
