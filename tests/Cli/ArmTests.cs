// The command for arm64, compiled here and run by QEMU's emulation of one process: the engine's code for that
// processor, on worker threads, since the emulation has no io_uring. Compiling takes a minute: with FASTBACKUP_ARM64=1.
using System;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ArmTests : IDisposable
{
    const string Variable = "FASTBACKUP_ARM64";
    const string Libraries = "/usr/aarch64-linux-gnu";

    static readonly TimeSpan s_compileLimit = TimeSpan.FromMinutes(8);

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void CommandForArm_CopiesAndServes()
    {
        if (Environment.GetEnvironmentVariable(Variable) != "1")
            Assert.Skip($"a minute of compiling: {Variable}=1 asks for it");
        foreach (string needed in new[] { "qemu-aarch64", "clang", "aarch64-linux-gnu-objcopy" })
            Requires.Command(needed);
        Requires.SystemPath(Libraries);
        string[] publish = ["publish", "native-api/cli", "-c", "Release", "-r", "linux-arm64", "-p:AheadOfTime=true"];
        using (RunningProgram made = new(Repository.Root, "dotnet", [.. publish, "-o", _folder["arm"]]))
            made.Wait(s_compileLimit).Expect(0);

        Assert.Matches(@"^\d+\.\d+\.\d+\n$", Run("--version"));
        Assert.Contains("image equals T0", Run("demo", "--size", "64MiB", "--dir", "."));
        Assert.Contains("there are no others for this processor", Run("doctor"));
        Disks.Sparse(_folder["disk.img"], 20_000_256, (0, 5_000), (6_291_456, 3_000_000), (19_999_000, 700));
        _ = Run("backup", "disk.img", "copy.img", "--target-format", "qcow2");
        Programs.Run(_folder.Path, "qemu-img", "compare", "-f", "raw", "-F", "qcow2", "disk.img", "copy.img").Expect(0);
        _ = Run("check", "copy.img");
    }

    string Run(params string[] arguments) =>
        Programs
            .Run(_folder.Path, "qemu-aarch64", ["-L", Libraries, _folder["arm/fastbackup"], .. arguments])
            .Expect(0)
            .Output;
}
