// The command both ways: compiled ahead of time, as the README says, where it works without a runtime, with the kernels
// of its level, and starts at once; and on the runtime. The other tests try one of the two.
using System;
using System.Diagnostics;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class AheadOfTimeTests : IDisposable
{
    static readonly TimeSpan s_publishLimit = TimeSpan.FromMinutes(8);

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void CommandAheadOfTime_DoesWhatACommandDoes()
    {
        string program = BuiltCommand.Compiled ?? Publish();
        Assert.False(File.Exists(program + ".dll"));
        Stopwatch watch = Stopwatch.StartNew();
        Programs.Run(_folder.Path, program, "--version").Expect(0);
        TestContext.Current.TestOutputHelper?.WriteLine($"--version: {watch.ElapsedMilliseconds} ms");
        Try(program);
    }

    [Fact]
    public void CommandOnTheRuntime_DoesWhatACommandDoes() => Try("dotnet", BuiltCommand.Library);

    string Publish()
    {
        Requires.Command("gcc");
        string[] publish = ["publish", "native-api/cli", "-c", "Release", "-p:AheadOfTime=true", "-nodeReuse:false"];
        using RunningProgram made = new(Repository.Root, "dotnet", [.. publish, "-o", _folder["aot"]]);
        made.Wait(s_publishLimit).Expect(0);
        return _folder["aot/fastbackup"];
    }

    void Try(string program, params string[] words)
    {
        ProgramResult Run(params string[] arguments) => Programs.Run(_folder.Path, program, [.. words, .. arguments]);

        ProgramResult demo = Run("demo", "--size", "64MiB", "--dir", ".");
        Assert.Contains("image equals T0", demo.Expect(0).Output);
        ProgramResult json = Run("demo", "--size", "16MiB", "--dir", ".", "--json");
        Assert.Contains("\"image_equals_t0\":true", json.Expect(0).Output);
        Run("ctl", "socket", "a", "b=1").Expect(1).ExpectSentence("there is no socket");
        Run("backup", "a", "--forse").Expect(2).ExpectSentence("'--force'");
        Run("backup", "nothing.img", "copy.img").Expect(1).ExpectSentence("'nothing.img'");
        string seen = Run("doctor").Expect(0).Output;
        if (System.Runtime.Intrinsics.X86.Avx2.IsSupported)
            Assert.Matches("(256|512) bits wide", seen); // on the runtime the widest that the processor has
    }
}
