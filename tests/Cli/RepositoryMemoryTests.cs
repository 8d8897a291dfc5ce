// The largest disks that file systems take, next to empty: their points take little memory and little space.
using System;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RepositoryMemoryTests : IDisposable
{
    const long DiskBytes = 1L << 44;
    const ulong MemoryBytesMax = 512ul << 20;
    const int Mebi = 1 << 20;

    readonly RepositoryFolder _repo = new();

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void SparseDiskOf16TiB_TakesAtMost512MiBOfMemory()
    {
        // Data in the first segment, in the middle and in the last chunk.
        Disks.Sparse(_repo["disk.img"], DiskBytes, (5 * Mebi, 3 * Mebi));
        using (FileStream file = File.OpenWrite(_repo["disk.img"]))
            foreach (long offset in new[] { DiskBytes / 3, DiskBytes - 700 })
            {
                file.Position = offset;
                file.Write(Enumerable.Repeat((byte)7, 700).ToArray());
            }
        _repo.Init();
        using RunningProgram backup = _repo.Start("backup", "disk.img", "--repo", "REPO", "--quiet");
        ulong peakBytes = 0;
        while (!backup.HasExited)
        {
            peakBytes = Math.Max(peakBytes, backup.PeakResidentBytes());
            Thread.Sleep(10);
        }
        backup.Wait().Expect(0);
        Assert.InRange(peakBytes, 1ul, MemoryBytesMax);
        Assert.InRange(_repo.Files("data").Sum(path => new FileInfo(path).Length), 3 * Mebi, 32 * Mebi);
        _repo.Fastbackup("repo", "verify", "REPO", "--read-data").Expect(0);
    }
}
