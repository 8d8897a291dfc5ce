// --sync top: only what the source has allocated is written; the rest of the target is left alone.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class SyncTopTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly TempFolder _folder = new();

    public SyncTopTests() =>
        Disks.Sparse(_folder["disk.img"], 16 * Mebi, (2 * Mebi, Mebi), (7 * Mebi, 64 * 1024), (12 * Mebi, 2 * Mebi));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Holes_LeaveTheTargetsBytes()
    {
        Disks.Random(_folder["other.img"], 16 * Mebi, seed: 4);
        byte[] disk = File.ReadAllBytes(_folder["disk.img"]);
        byte[] before = File.ReadAllBytes(_folder["other.img"]);
        using LoopDevice target = new(_folder["other.img"]);
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", target.Path, "--force", "--sync", "top").Expect(0);
        byte[] after = target.ReadAll();
        foreach (Range range in new[] { (2 * Mebi)..(3 * Mebi), (12 * Mebi)..(14 * Mebi) })
            Assert.True(disk.AsSpan(range).SequenceEqual(after.AsSpan(range)), $"data {range} was not copied");
        foreach (
            Range range in new[] { 0..(2 * Mebi), (3 * Mebi)..(7 * Mebi), (8 * Mebi)..(12 * Mebi), (14 * Mebi)..^0 }
        )
            Assert.True(before.AsSpan(range).SequenceEqual(after.AsSpan(range)), $"hole {range} was written");
    }

    [Fact]
    public void Full_OverwritesThem()
    {
        Disks.Random(_folder["other.img"], 16 * Mebi, seed: 4);
        using LoopDevice target = new(_folder["other.img"]);
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", target.Path, "--force").Expect(0);
        Assert.Equal(File.ReadAllBytes(_folder["disk.img"]), target.ReadAll());
    }
}
