// The command compiled ahead of time, as the README says: it works without a runtime, with the kernels of its level,
// and starts at once.
using System;
using System.Diagnostics;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class AheadOfTimeTests : IDisposable
{
    static readonly TimeSpan PublishLimit = TimeSpan.FromMinutes(8);

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void CommandAheadOfTime_DoesAllThatTheOtherDoes()
    {
        Requires.Command("gcc");
        string[] publish = ["publish", "native-api/cli", "-c", "Release", "-p:AheadOfTime=true", "-nodeReuse:false"];
        using (RunningProgram made = new(Repository.Root, "dotnet", [.. publish, "-o", _folder["aot"]]))
            made.Wait(PublishLimit).Expect(0);
        string program = _folder["aot/fastbackup"];
        Assert.False(File.Exists(program + ".dll"));

        Stopwatch watch = Stopwatch.StartNew();
        Programs.Run(_folder.Path, program, "--version").Expect(0);
        TestContext.Current.TestOutputHelper?.WriteLine($"--version: {watch.ElapsedMilliseconds} ms");

        ProgramResult demo = Programs.Run(_folder.Path, program, "demo", "--size", "64MiB", "--dir", ".");
        Assert.Contains("image equals T0", demo.Expect(0).Output);
        ProgramResult json = Programs.Run(_folder.Path, program, "demo", "--size", "16MiB", "--dir", ".", "--json");
        Assert.Contains("\"image_equals_t0\":true", json.Expect(0).Output);
        Programs.Run(_folder.Path, program, "ctl", "socket", "a", "b=1").Expect(1).ExpectSentence("there is no socket");
        Programs.Run(_folder.Path, program, "backup", "a", "--forse").Expect(2).ExpectSentence("'--force'");
        string seen = Programs.Run(_folder.Path, program, "doctor").Expect(0).Output;
        if (System.Runtime.Intrinsics.X86.Avx2.IsSupported)
            Assert.Contains("256 bits wide", seen);
    }
}
