// The command on Windows: what it copies is the disk, and what it refuses it refuses in one sentence, and changes
// nothing.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Windows;

public sealed class CommandTests : IDisposable
{
    const long DiskBytes = 5_000_123;
    const string Strange = "ünï cödé диск";

    static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    readonly TempFolder _folder = new();

    public CommandTests() => Disks.Random(_folder["disk.img"], DiskBytes);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Backup_CopiesTheDisk_AndCompareSaysSo()
    {
        Expect(0, "backup", "disk.img", "copy.img");
        Assert.Equal(File.ReadAllBytes(_folder["disk.img"]), File.ReadAllBytes(_folder["copy.img"]));
        Assert.False(File.Exists(_folder["copy.img.partial"]));
        Assert.Contains("identical", Expect(0, "compare", "disk.img", "copy.img"));
        using (FileStream copy = File.OpenWrite(_folder["copy.img"]))
        {
            copy.Position = 4_999_999;
            copy.WriteByte((byte)~File.ReadAllBytes(_folder["disk.img"])[4_999_999]);
        }
        Assert.NotEqual(0, Run("compare", "disk.img", "copy.img").ExitCode);
    }

    [Fact]
    public void WhatIsThere_IsReplacedOnlyByForce()
    {
        File.WriteAllText(_folder["copy.img"], "precious");
        Assert.Contains("'copy.img' exists", Expect(1, "backup", "disk.img", "copy.img"));
        Assert.Equal("precious", File.ReadAllText(_folder["copy.img"]));
        Expect(0, "backup", "disk.img", "copy.img", "--force", "--format", "raw");
        Assert.Equal(File.ReadAllBytes(_folder["disk.img"]), File.ReadAllBytes(_folder["copy.img"]));
    }

    [Fact]
    public void NamesOfAnyAlphabet_AndWithSpaces_AreNames()
    {
        Directory.CreateDirectory(_folder[Strange]);
        string target = Strange + "/copy of it.img";
        Assert.Contains(target, Expect(0, "backup", "disk.img", target));
        Assert.Equal(File.ReadAllBytes(_folder["disk.img"]), File.ReadAllBytes(_folder[target]));
    }

    [Fact]
    public void HolesStayHoles()
    {
        using (FileStream disk = File.OpenWrite(_folder["disk.img"]))
            disk.SetLength(256 << 20);
        Expect(0, "backup", "disk.img", "copy.img");
        Assert.True(
            File.ReadAllBytes(_folder["disk.img"]).AsSpan().SequenceEqual(File.ReadAllBytes(_folder["copy.img"]))
        );
        Assert.InRange(long.Parse(Tool.Run("stat", "-c", "%b", _folder["copy.img"]).Trim()) * 512, 0, 2 * DiskBytes);
    }

    [Fact]
    public void Demo_FindsItsImageEqualToT0()
    {
        string output = Expect(0, "demo", "--size", "1GiB", "--dir", ".");
        Assert.Contains("image equals T0", output);
        Assert.Contains("identical", output);
    }

    [Fact]
    public void Doctor_SaysWhatItFound() => Assert.Contains("completion port", Expect(0, "doctor", "."));

    [Theory]
    [InlineData(1, "'nothing.img'", "backup", "nothing.img", "copy.img")]
    [InlineData(1, "is the source itself", "backup", "disk.img", "disk.img", "--force")]
    [InlineData(1, "is a directory", "backup", ".", "copy.img")]
    [InlineData(1, "is a directory", "backup", "disk.img", ".")]
    [InlineData(1, "folder must exist", "backup", "disk.img", "nowhere\\copy.img")]
    [InlineData(1, "neither a regular file", "backup", "\\\\.\\NUL", "copy.img")]
    [InlineData(2, "'--forse'", "backup", "disk.img", "copy.img", "--forse")]
    [InlineData(2, "'7x'", "backup", "disk.img", "copy.img", "--speed", "7x")]
    [InlineData(2, "compare", "compare", "disk.img")]
    [InlineData(3, "'nothing.img'", "compare", "disk.img", "nothing.img")]
    public void BadInput_IsOneSentence_AndChangesNothing(int exitCode, string part, params string[] arguments)
    {
        string before = FolderPicture.Take(_folder.Path);
        string output = Expect(exitCode, arguments);
        Assert.Contains(part, output);
        Assert.StartsWith("fastbackup: ", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', output);
        Assert.Equal(before, FolderPicture.Take(_folder.Path));
    }

    string Expect(int exitCode, params string[] arguments)
    {
        ToolRun run = Run(arguments);
        Assert.True(run.ExitCode == exitCode, $"exit code {run.ExitCode}: {run.Output}");
        return run.Output;
    }

    ToolRun Run(params string[] arguments) => Wine.Run(Limit, _folder.Path, "native-api/cli", "fastbackup", arguments);
}
