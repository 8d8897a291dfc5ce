// What people see while it runs: lines in a pipe, a bar on a terminal, nothing with --quiet; and the two commands
// that only show something, demo and doctor.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ViewTests : IDisposable
{
    readonly TempFolder _folder = new();

    public ViewTests() => Disks.Random(_folder["disk.img"], 8 << 20);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Pipe_GetsALineASecondAndTheResult()
    {
        string[] line = ["backup", "disk.img", "copy.img", "--speed", "3MiB"];
        string[] lines = Programs.Fastbackup(_folder.Path, line).Expect(0).OutputLines;
        Assert.InRange(lines.Count(text => text.StartsWith("backup ", StringComparison.Ordinal)), 2, 5);
        Assert.Matches(@"^backup \d+\.\d %: \d\.\d MiB of 8\.0 MiB, .+/s, .+ left, 0 B skipped as zero$", lines[0]);
        Assert.StartsWith("backup done: 8.0 MiB in ", lines[^2], StringComparison.Ordinal);
        Assert.Contains("flushed to 'copy.img'", lines[^1]);
        Assert.All(lines, text => Assert.DoesNotContain('\u001b', text));
    }

    [Theory]
    [InlineData("/dev/full", 1)] // the copy is whole, but the caller must know that it heard nothing
    [InlineData("/dev/null", 0)]
    public void BrokenOutput_DoesNotBreakTheCopy(string sink, int exitCode)
    {
        string command = $"{BuiltCommand.Line} backup disk.img copy.img --json --speed 4MiB > {sink}";
        ProgramResult result = Programs.Run(_folder.Path, "sh", "-c", command).Expect(exitCode);
        Assert.Equal(exitCode == 1, result.Error.Contains("but stdout failed", StringComparison.Ordinal));
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void ClosedPipe_DoesNotBreakTheCopy()
    {
        string command = $"{BuiltCommand.Line} backup disk.img copy.img --speed 4MiB | head -n 1";
        Programs.Run(_folder.Path, "sh", "-c", command).Expect(0);
        Eventually.True(() => File.Exists(_folder["copy.img"]));
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void Quiet_SaysNothing()
    {
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img", "--quiet");
        Assert.Equal("", result.Expect(0).Output);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(30)]
    public void Terminal_GetsABarThatFits(int columns)
    {
        Requires.Command("script");
        string command =
            $"stty columns {columns} 2>&1; TERM=xterm {BuiltCommand.Line} " + "backup disk.img copy.img --speed 8MiB";
        string shown = Programs.Run(_folder.Path, "script", "-qec", command, "/dev/null").Expect(0).Output;
        string[] drawn = [.. shown.Split('\r').Where(text => text.StartsWith("backup ", StringComparison.Ordinal))];
        string[] bars = [.. drawn.Where(text => text.EndsWith("\u001b[K", StringComparison.Ordinal))];
        Assert.NotEmpty(bars);
        Assert.All(bars, text => Assert.InRange(text.Replace("\u001b[K", "").Length, 10, columns - 1));
        if (columns == 80)
            Assert.All(bars, text => Assert.Matches(@"^backup \[=* *\] \d+ %  .+ / 8\.0 MiB  .+/s  .+ left", text));
        Assert.Contains("\r\u001b[Kbackup done: 8.0 MiB", shown); // the bar is gone before the result comes
    }

    [Theory]
    [InlineData("TERM=dumb", false)]
    [InlineData("TERM=", false)]
    [InlineData("NO_COLOR=1 TERM=xterm", true)]
    [InlineData("LC_ALL=de_DE.ISO-8859-1 LANG=tr_TR TERM=xterm", true)]
    public void TerminalOfAnyKind_GetsWhatItCanShow(string variables, bool hasBar)
    {
        Requires.Command("script");
        string command = $"stty columns 80; {variables} {BuiltCommand.Line} backup disk.img copy.img --speed 4MiB";
        string shown = Programs.Run(_folder.Path, "script", "-qec", command, "/dev/null").Expect(0).Output;
        Assert.Equal(hasBar, shown.Contains("\u001b[K", StringComparison.Ordinal));
        Assert.DoesNotMatch("\u001b\\[[0-9;]+m", shown); // no colours, ever
        Assert.Matches(@"backup (done: 8\.0 MiB|\[=* *\] \d+ %|\d+\.\d %)", shown);
        Assert.Contains("8.0 MiB written", shown); // a point in every country
    }

    [Fact]
    public void Demo_ShowsFiguresAndRemovesAll()
    {
        string picture = FolderPicture.Take(_folder.Path);
        string shown = Programs.Fastbackup(_folder.Path, "demo", "--size", "64MiB", "--dir", ".").Expect(0).Output;
        Assert.Matches(@"backup +64\.0 MiB +\d+\.\d\d +.+/s +\d+\.\d\d  flushed", shown);
        Assert.Matches(@"compare +64\.0 MiB +\d+\.\d\d +.+/s +\d+\.\d\d  identical", shown);
        Assert.Contains("skipped as zero", shown);
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
    }

    [Theory]
    [InlineData("1MiB")]
    [InlineData("1234567")]
    public void Demo_TakesAnySize(string size) =>
        Programs.Fastbackup(_folder.Path, "demo", "--size", size, "--dir", ".", "--quiet").Expect(0);

    [Fact]
    public void Doctor_ShowsMachineAndPlace()
    {
        string picture = FolderPicture.Take(_folder.Path);
        string shown = Programs.Fastbackup(_folder.Path, "doctor", ".").Expect(0).Output;
        foreach (
            string subject in new[] { "kernel", "io_uring", "memory lock", "huge pages", "SIMD kernels", "processors" }
        )
            Assert.Contains("\n" + subject + " ", "\n" + shown);
        Assert.Contains("folder on ", shown);
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
    }

    [Fact]
    public void Doctor_ShowsTheAlignmentOfABlockDevice()
    {
        using LoopDevice loop = new(_folder["disk.img"], 4096);
        string shown = Programs.Fastbackup(_folder.Path, "doctor", loop.Path).Expect(0).Output;
        Assert.Contains("block device, 8.0 MiB, O_DIRECT with requests on 4096", shown);
    }

    [Fact]
    public void Doctor_SaysOfASparseFile_WhatToDoAboutIt()
    {
        using (FileStream file = File.Create(_folder["sparse.img"]))
            file.SetLength(64 << 20);
        string Doctor() => Programs.Fastbackup(_folder.Path, "doctor", "sparse.img").Expect(0).Output;
        Assert.Contains(", sparse (0 B have a place)", Doctor());
        Assert.Contains("(fallocate -l 67108864 FILE changes no byte)", Doctor());
        _ = Programs.Run(_folder.Path, "fallocate", "-l", "67108864", "sparse.img").Expect(0);
        Assert.DoesNotContain("sparse (", Doctor());
    }

    [Fact]
    public void Doctor_SeesTheWidthThatIsInUse()
    {
        string script = $"DOTNET_EnableHWIntrinsic=0 dotnet {BuiltCommand.Library} doctor";
        string shown = Programs.Run(_folder.Path, "sh", "-c", script).Expect(0).Output;
        Assert.Contains("scalar, 64 bits wide", shown);
        Assert.Contains("-> ", shown);
    }
}
