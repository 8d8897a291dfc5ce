// Command and library for arm64, compiled here and run by QEMU's emulation of one process: the engine's code for that
// processor, on worker threads, since the emulation has no io_uring. Compiling takes two minutes: where CI=true, which
// is the whole check, and elsewhere with FASTBACKUP_ARM64=1.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ArmTests : IDisposable
{
    const string Variable = "FASTBACKUP_ARM64";
    const string Libraries = "/usr/aarch64-linux-gnu";

    static readonly TimeSpan s_compileLimit = TimeSpan.FromMinutes(15);

    static readonly TimeSpan s_runLimit = TimeSpan.FromMinutes(5);

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Command_CopiesAndChecks()
    {
        AskWhetherMeant();
        Publish("native-api/cli", "-p:AheadOfTime=true");
        Assert.Matches(@"^\d+\.\d+\.\d+\n$", Run("--version"));
        Assert.Contains("image equals T0", Run("demo", "--size", "64MiB", "--dir", "."));
        Assert.Contains("there are no others for this processor", Run("doctor"));
        Disks.Sparse(_folder["disk.img"], 20_000_256, (0, 5_000), (6_291_456, 3_000_000), (19_999_000, 700));
        _ = Run("backup", "disk.img", "copy.img", "--target-format", "qcow2");
        Programs.Run(_folder.Path, "qemu-img", "compare", "-f", "raw", "-F", "qcow2", "disk.img", "copy.img").Expect(0);
        _ = Run("check", "copy.img");
    }

    [Fact]
    public void Library_BacksUpForAProgram()
    {
        AskWhetherMeant();
        Publish("native-api/lib");
        File.Move(_folder["arm/libfastbackup.so"], _folder["arm/libfastbackup.so.1"]);
        File.CreateSymbolicLink(_folder["arm/libfastbackup.so"], "libfastbackup.so.1");
        string source = Repository.PathOf("native-api/samples/full_backup.c");
        string[] paths = ["-I" + Repository.PathOf("native-api/include"), "-L" + _folder["arm"], "-lfastbackup"];
        Programs
            .Run(_folder.Path, "aarch64-linux-gnu-gcc", ["-std=c99", source, "-o", "arm/fastbackup", .. paths])
            .Expect(0);
        Disks.Random(_folder["disk.img"], 9_000_001);
        Assert.StartsWith("FB_OK", Run("disk.img", "copy.img"), StringComparison.Ordinal);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    static void AskWhetherMeant()
    {
        bool isMeant =
            Environment.GetEnvironmentVariable(Variable) == "1" || Environment.GetEnvironmentVariable("CI") == "true";
        if (!isMeant)
            Assert.Skip($"two minutes of compiling: {Variable}=1 asks for it");
        foreach (string needed in new[] { "qemu-aarch64", "clang", "aarch64-linux-gnu-gcc" })
            Requires.Command(needed);
        Requires.SystemPath(Libraries);
    }

    void Publish(params string[] what)
    {
        string[] line = ["publish", .. what, "-c", "Release", "-r", "linux-arm64", "-p:RunAnalyzers=false"];
        string[] places = ["--artifacts-path", _folder["build"], "-o", _folder["arm"]];
        using RunningProgram made = new(Repository.Root, "dotnet", [.. line, "-nodeReuse:false", .. places]);
        _ = made.Wait(s_compileLimit).Expect(0);
    }

    string Run(params string[] arguments)
    {
        string[] emulator = ["-L", Libraries, "-E", "LD_LIBRARY_PATH=" + _folder["arm"], _folder["arm/fastbackup"]];
        using RunningProgram emulated = new(_folder.Path, "qemu-aarch64", [.. emulator, .. arguments]);
        return emulated.Wait(s_runLimit).Expect(0).Output;
    }
}
