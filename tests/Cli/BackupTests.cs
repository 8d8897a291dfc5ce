// Backups of files: every size exactly, with every option, and what a new target looks like.
using System;
using System.Globalization;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class BackupTests : IDisposable
{
    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(513)]
    [InlineData(4097)]
    [InlineData(65_537)]
    [InlineData(1_048_575)]
    [InlineData(10_000_019)]
    public void AnySize_IsCopiedExactly(long sizeBytes)
    {
        Disks.Random(_folder["disk.img"], sizeBytes);
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Assert.False(File.Exists(_folder["copy.img.partial"]));
    }

    [Theory]
    [InlineData("--cluster 4KiB")]
    [InlineData("--cluster 4KiB --memory 8KiB")]
    [InlineData("--cluster 1MiB --memory 2MiB")]
    [InlineData("--cluster 4MiB --memory 8MiB")]
    [InlineData("--memory 3.5MiB")]
    [InlineData("--memory 128KiB")]
    [InlineData("--sync top")]
    [InlineData("--speed 1TiB")]
    public void AnyOption_CopiesTheSameBytes(string options)
    {
        Disks.Sparse(_folder["disk.img"], 9_000_001, (0, 5_000), (1_234_567, 2_000_003), (8_999_000, 1_001));
        string[] line = ["backup", "disk.img", "copy.img", .. options.Split(' ')];
        Programs.Fastbackup(_folder.Path, line).Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void SparseDisk_StaysSparse()
    {
        const long mebi = 1 << 20;
        var pieces = new (long, int)[50];
        for (int i = 0; i < pieces.Length; i++)
            pieces[i] = (i * 163 * mebi + i * 4096, (int)(2 * mebi));
        long dataBytes = Disks.Sparse(_folder["disk.img"], 8192 * mebi, pieces);
        Assert.Equal(100 * mebi, dataBytes);
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img").Expect(0);
        Programs.Fastbackup(_folder.Path, "compare", "disk.img", "copy.img").Expect(0);
        Assert.Equal(8192 * mebi, new FileInfo(_folder["copy.img"]).Length);
        Assert.InRange(Disks.AllocatedBytes(_folder["copy.img"]), dataBytes, dataBytes + dataBytes / 20);
    }

    [Fact]
    public void WrittenZeroes_BecomeHoles()
    {
        File.WriteAllBytes(_folder["disk.img"], new byte[16 << 20]);
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img").Expect(0);
        Assert.Contains("16.0 MiB skipped as zero", result.Output);
        Assert.InRange(Disks.AllocatedBytes(_folder["copy.img"]), 0, 65536);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void Force_ReplacesFileAndLeftover()
    {
        Disks.Random(_folder["disk.img"], 100_000);
        Disks.Random(_folder["copy.img"], 200_000, seed: 7);
        File.WriteAllText(_folder["copy.img.partial"], "left over");
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img", "--force").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
    }

    [Fact]
    public void SymbolicLink_StaysAndItsFileIsWritten()
    {
        Disks.Random(_folder["disk.img"], 100_000);
        Directory.CreateDirectory(_folder["far"]);
        File.CreateSymbolicLink(_folder["link.img"], "far/copy.img");
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "link.img").Expect(0);
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "link.img", "--force").Expect(0);
        Assert.Equal("far/copy.img", new FileInfo(_folder["link.img"]).LinkTarget);
        Disks.AssertEqual(_folder["disk.img"], _folder["far/copy.img"]);
        Assert.Single(Directory.GetFiles(_folder["far"]));
    }

    [Fact]
    public void Copy_IsReadableByNobodyMoreThanTheDisk()
    {
        Disks.Random(_folder["disk.img"], 10_000);
        const UnixFileMode mine = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.SetUnixFileMode(_folder["disk.img"], mine);
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img").Expect(0);
        Assert.Equal(mine, File.GetUnixFileMode(_folder["copy.img"]));
    }

    [Fact]
    public void Speed_Holds()
    {
        Disks.Random(_folder["disk.img"], 24 << 20);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img", "--speed", "10MiB").Expect(0);
        double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        // Only the upper bound of the rate: a busy machine may be slower, the limit may not be passed.
        Assert.True(seconds >= 24 / (10 * 1.25), seconds.ToString(CultureInfo.InvariantCulture));
    }

    [Fact]
    public void Memory_IsThePoolAndLittleMore()
    {
        const long mebi = 1 << 20;
        Disks.Random(_folder["disk.img"], 24 * mebi);
        string[] line = ["backup", "disk.img", "copy.img", "--memory", "100MiB", "--speed", "8MiB"];
        using RunningProgram backup = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        Eventually.True(() => backup.PeakResidentBytes() >= 100 * mebi);
        Eventually.True(() => Disks.AllocatedBytes(_folder["copy.img.partial"]) >= 12 * mebi);
        Assert.InRange((long)backup.PeakResidentBytes(), 100 * mebi, 160 * mebi);
        backup.Wait().Expect(0);
    }

    [Theory]
    [InlineData(20_000_000)] // on no block
    [InlineData(20 << 20)]
    [InlineData((40 << 20) - 100)] // within the last sector that is left
    public void ShrinkingSource_IsAnErrorAndNotGarbage(long shrunkBytes)
    {
        Disks.Random(_folder["disk.img"], 40 << 20);
        using RunningProgram backup = Programs.StartFastbackup(
            _folder.Path,
            "backup",
            "disk.img",
            "copy.img",
            "--speed",
            "15MiB"
        );
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        Disks.Resize(_folder["disk.img"], shrunkBytes);
        backup.Wait().Expect(1).ExpectSentence("cannot read source 'disk.img'", "truncated while in use", "--force");
        Assert.False(File.Exists(_folder["copy.img"]));
        Assert.True(File.Exists(_folder["copy.img.partial"]));
    }

    [Fact]
    public void ShrinkingSparseSource_IsNotTakenForHoles()
    {
        // More pieces than one look at the allocation map takes in: the second look comes after the file has shrunk,
        // and finds nothing but the new end of the file.
        const int strideBytes = 128 * 1024;
        var pieces = new (long, int)[700];
        for (int i = 0; i < pieces.Length; i++)
            pieces[i] = ((long)i * strideBytes, 4096);
        Disks.Sparse(_folder["disk.img"], 720 * strideBytes, pieces);
        string[] line = ["backup", "disk.img", "copy.img", "--cluster", "4KiB", "--speed", "1MiB"];
        using RunningProgram backup = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        Disks.Resize(_folder["disk.img"], 600 * strideBytes);
        backup.Wait().Expect(1).ExpectSentence("cannot read source 'disk.img'", "truncated while in use");
        Assert.False(File.Exists(_folder["copy.img"]));
    }

    [Fact]
    public void SecondBackupToTheSameTarget_IsRefusedEvenWithForce()
    {
        Disks.Random(_folder["disk.img"], 40 << 20);
        string[] line = ["backup", "disk.img", "copy.img", "--speed", "1MiB"];
        using RunningProgram first = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        ProgramResult second = Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img", "--force");
        second.Expect(1).ExpectSentence("another backup is writing 'copy.img.partial' now");
        first.Signal("INT");
        first.Wait().Expect(130);
    }
}
