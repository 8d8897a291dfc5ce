// The command on Windows: what it copies is the disk, and what it refuses it refuses in one sentence, and changes
// nothing.
using System;
using System.Collections.Concurrent;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
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
    public void Doctor_SaysWhatItFound() => Assert.Contains("completion port", Expect(0, "doctor", "."));

    [Fact]
    public void Doctor_OfNothing_SaysSo() => Assert.Contains("'nowhere'", Expect(1, "doctor", "nowhere"));

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
    [InlineData(3, "first disk", "compare", "nothing.img", "disk.img")]
    [InlineData(3, "is a directory", "compare", "disk.img", ".")]
    [InlineData(1, "is empty", "backup", "empty.img", "copy.img")]
    [InlineData(1, "names no file", "backup", "disk.img", "folder\\", "--force")]
    [InlineData(1, "no folder", "backup", "disk.img", "disk.img\\copy.img")]
    [InlineData(1, "is the source itself", "backup", "disk.img", "hard.img", "--force")]
    [InlineData(
        1,
        "is a volume or drive, which is no target",
        "backup",
        "disk.img",
        "\\\\.\\PhysicalDrive1",
        "--force"
    )]
    [InlineData(1, "is a volume or drive, which is no target", "backup", "disk.img", "\\\\.\\X:", "--force")]
    [InlineData(1, "which is the source", "backup", "old.img.partial", "old.img", "--force")]
    [InlineData(1, "'old.img.partial' is left from", "backup", "disk.img", "old.img")]
    [InlineData(1, "which is no regular file", "backup", "disk.img", "odd.img", "--force")]
    [InlineData(1, "'nowhere' is not a folder", "demo", "--dir", "nowhere")]
    [InlineData(1, "the demo needs 41.6 TiB", "demo", "--size", "16TiB", "--dir", ".")]
    [InlineData(1, "use nbd://HOST:PORT/EXPORT", "backup", "nbd+unix:///x?socket=s", "copy.img")]
    [InlineData(1, "in use", "serve", "disk.img", "--listen", "127.0.0.1:TAKEN")]
    [InlineData(2, "--socket is not there on Windows yet", "serve", "disk.img", "--socket", "s")]
    [InlineData(2, "--tracker is not there", "backup", "disk.img", "copy.img", "--tracker", "t")]
    [InlineData(2, "'ctl' is not there", "ctl", "s", "query-jobs")]
    [InlineData(2, "'top' is not there", "top", "s")]
    [InlineData(2, "'live-backup' is not there", "live-backup", "s", "a=b")]
    [InlineData(2, "'track' is not there", "track", "add", "disk.img")]
    public void BadInput_IsOneSentence_AndChangesNothing(int exitCode, string part, params string[] arguments)
    {
        Disks.Random(_folder["old.img.partial"], DiskBytes, seed: 3);
        File.WriteAllText(_folder["empty.img"], "");
        Tool.Run("ln", _folder["disk.img"], _folder["hard.img"]);
        _ = Directory.CreateDirectory(_folder["folder"]);
        _ = Directory.CreateDirectory(_folder["odd.img.partial"]);
        using TcpListener taken = new(IPAddress.Loopback, 0);
        taken.Start();
        string port = $"{((IPEndPoint)taken.LocalEndpoint).Port}";
        string before = FolderPicture.Take(_folder.Path);
        string output = Expect(exitCode, Array.ConvertAll(arguments, word => word.Replace("TAKEN", port)));
        Assert.Contains(part, output);
        Assert.StartsWith("fastbackup: ", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', output);
        Assert.Equal(before, FolderPicture.Take(_folder.Path));
    }

    [Fact]
    public void WrongCommandLines_AreOneSentence_AndExitCode2()
    {
        string before = FolderPicture.Take(_folder.Path);
        ConcurrentBag<string> wrong = [];
        WrongCommandLines
            .All.Where((_, place) => place % 3 == 0) // a start costs a second here; every one of them runs on Linux
            .AsParallel()
            .ForAll(row =>
            {
                ToolRun run = Run(row.Line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
                bool isRight =
                    run.ExitCode == 2
                    && run.Output.StartsWith("fastbackup: ", StringComparison.Ordinal)
                    && !run.Output.Contains('\n')
                    && run.Output.Contains(row.Wrong, StringComparison.Ordinal)
                    && run.Output.Contains(row.Next, StringComparison.Ordinal);
                if (!isRight)
                    wrong.Add($"{row.Line}: exit code {run.ExitCode}: {run.Output}");
            });
        Assert.Empty(wrong);
        Assert.Equal(before, FolderPicture.Take(_folder.Path));
    }

    string Expect(int exitCode, params string[] arguments)
    {
        ToolRun run = Run(arguments);
        Assert.True(run.ExitCode == exitCode, $"exit code {run.ExitCode}: {run.Output}");
        return run.Output;
    }

    ToolRun Run(params string[] arguments) => Wine.Run(Limit, _folder.Path, WindowsPrograms.Command, arguments);
}
