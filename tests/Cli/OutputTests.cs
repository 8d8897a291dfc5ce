// Whoever listens, or does not: closed streams, a full disk behind a log, readers that go. The work and its exit code
// are the same, and nothing is ever written where it does not belong.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class OutputTests : IDisposable
{
    readonly TempFolder _folder = new();

    public OutputTests() => Disks.Random(_folder["disk.img"], 4 << 20);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(">&-")]
    [InlineData("2>&-")]
    [InlineData("<&- >&- 2>&-")]
    [InlineData("2>/dev/full")]
    public void StreamThatTakesNothing_LeavesTheResultAlone(string streams)
    {
        Shell($"$fastbackup backup disk.img copy.img {streams}").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Shell($"$fastbackup compare disk.img copy.img --json {streams}").Expect(0);
        File.WriteAllText(_folder["other.img"], "other");
        Shell($"$fastbackup compare disk.img other.img {streams}").Expect(1);
        Shell($"$fastbackup compare disk.img nothing.img {streams}").Expect(3);
        Shell($"$fastbackup backup nothing.img none.img {streams}").Expect(1);
        Shell($"$fastbackup backup disk.img {streams}").Expect(2);
        Shell($"$fastbackup doctor . {streams}").Expect(0);
        Shell($"$fastbackup --help {streams}").Expect(0);
    }

    [Theory]
    [InlineData("backup disk.img copy.img", 1)]
    [InlineData("compare disk.img disk.img", 3)] // not 1, which would say that they differ
    [InlineData("doctor", 1)]
    [InlineData("--help", 1)]
    public void ResultThatCannotBeWritten_IsAFailure(string line, int exitCode) =>
        Shell($"$fastbackup {line} >/dev/full")
            .Expect(exitCode)
            .ExpectSentence("the work ended with exit code 0, but stdout failed", "ENOSPC");

    [Theory]
    [InlineData("backup disk.img copy.img --json", 0)]
    [InlineData("compare disk.img disk.img", 0)]
    [InlineData("doctor --json", 0)]
    [InlineData("--help", 0)]
    [InlineData("backup disk.img disk.img", 1)]
    public void ReaderThatHasGone_EndsNothingEarly(string line, int exitCode)
    {
        Shell($"{{ $fastbackup {line} 2>error; echo $? >code; }} | true").Expect(0);
        Assert.Equal($"{exitCode}\n", File.ReadAllText(_folder["code"]));
        Assert.DoesNotContain("stdout failed", File.ReadAllText(_folder["error"]));
    }

    [Fact]
    public void StreamThatDoesNotBlock_GetsEverything()
    {
        Requires.Command("python3");
        const string script = """
            import os, subprocess, sys, time
            read, write = os.pipe()
            os.set_blocking(write, False)
            os.write(write, b'x' * 65530)
            child = subprocess.Popen(sys.argv[1:], stdout=write)
            os.close(write)
            time.sleep(1)
            text = b''
            while piece := os.read(read, 4096): text += piece
            print(child.wait(), text[65530:].decode().count('Exit codes:'))
            """;
        string[] help = [.. BuiltCommand.Words, "--help"];
        Assert.Equal("0 1\n", Programs.Run(_folder.Path, "python3", ["-c", script, .. help]).Expect(0).Output);
    }

    [Theory]
    [InlineData(64, 1)]
    [InlineData(127, 1)]
    [InlineData(128, 0)]
    public void FewDescriptors_AreEnoughOrRefused(int count, int exitCode)
    {
        ProgramResult result = Shell($"ulimit -n {count}; $fastbackup backup disk.img copy.img").Expect(exitCode);
        Assert.Equal(exitCode == 0, File.Exists(_folder["copy.img"]));
        if (exitCode != 0)
            result.ExpectSentence($"may open {count} files", "128", "ulimit");
        Assert.False(File.Exists(_folder["copy.img.partial"]));
        Shell($"ulimit -n {count}; $fastbackup compare disk.img disk.img").Expect(exitCode == 0 ? 0 : 3);
    }

    [Fact]
    public void FewestDescriptors_AreEnoughForAllCommands()
    {
        Shell("ulimit -n 128; $fastbackup demo --size 64MiB --dir . --scratch . --memory 16MiB").Expect(0);
        Shell("ulimit -n 128; $fastbackup doctor .").Expect(0);
    }

    ProgramResult Shell(string script) =>
        Programs.Run(_folder.Path, "sh", "-c", $"fastbackup='{BuiltCommand.Line}'; {script}");
}
