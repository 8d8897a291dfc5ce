// Random rounds on one repository: full and incremental backups of several disks, at once, some killed, points
// forgotten, and stock restic's own backups and prunes in between. After each round every point is the disk that it
// was taken of; stock restic checks all of it now and then, and restores one. FASTBACKUP_ROUNDS=50 for the long run.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RepositoryRoundsTests : IDisposable
{
    const int Mebi = 1 << 20;
    const int DiskCount = 3;
    const int DiskBytes = 4 * Mebi + 700;

    readonly RepositoryFolder _repo = new();
    readonly Dictionary<string, string> _copies = []; // of a point, what the disk was
    readonly Dictionary<string, string> _disks = []; // of a point, its path in it
    Random _random = new(1);
    int _copyCount;

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void RandomRounds_AgreeWithStockRestic()
    {
        int rounds = int.Parse(Environment.GetEnvironmentVariable("FASTBACKUP_ROUNDS") ?? "6", null);
        _random = new Random((int)TestSeed.Next());
        _repo.Init();
        for (int disk = 0; disk < DiskCount; disk++)
        {
            Directory.CreateDirectory(_repo[$"{disk}"]);
            Disks.Sparse(_repo[$"{disk}/disk.img"], DiskBytes, (disk * 4096, 2 * Mebi), (3 * Mebi, Mebi));
            Programs.Fastbackup(_repo[$"{disk}"], "track", "add", "disk.img").Expect(0);
        }
        for (int round = 0; round < rounds; round++)
        {
            for (int disk = 0; disk < DiskCount; disk++)
                if (_random.Next(3) > 0)
                    TrackedImage.Change(_repo[$"{disk}"], _random.Next(64), (byte)_random.Next(256));
            if (_random.Next(4) == 0)
                KillOne();
            BackUpAll();
            switch (_random.Next(4))
            {
                case 0:
                    BackUpByRestic(_random.Next(DiskCount));
                    break;
                case 1:
                    _repo.Restic("unlock").Expect(0);
                    _repo.Fastbackup("repo forget REPO --keep-last 3").Expect(0);
                    _repo.Restic("prune --max-unused 0").Expect(0);
                    break;
                default:
                    break;
            }
            Check(isLast: round == rounds - 1);
        }
    }

    /// <summary>Several hosts, at the same time.</summary>
    void BackUpAll()
    {
        RunningProgram[] programs = [.. Enumerable.Range(0, DiskCount).Select(disk => Start(disk))];
        for (int disk = 0; disk < DiskCount; disk++)
            using (programs[disk])
            {
                string point = programs[disk].Wait().Expect(0).Events()[^1].Text("point")!;
                Keep(point, disk, $"host-{disk}/disk.img/disk.img");
            }
    }

    /// <summary>Its own point of an image, which we restore as well.</summary>
    void BackUpByRestic(int disk)
    {
        string[] before = _repo.Points();
        _repo.Restic($"backup {disk}/disk.img --host other").Expect(0);
        Keep(_repo.Points().Except(before).Single(), disk, $"{disk}/disk.img");
    }

    void Keep(string point, int disk, string path)
    {
        string copy = $"copy-{_copyCount++}";
        File.Copy(_repo[$"{disk}/disk.img"], _repo[copy]);
        (_copies[point], _disks[point]) = (copy, path);
    }

    /// <summary>Stock restic writes the disk of a point to its output.</summary>
    void AssertDumps(string point)
    {
        string line = $"restic -r repo --no-cache dump {point} /{_disks[point]} > dumped";
        using RunningProgram dump = new(_repo.Path, "sh", ["-c", line], ("RESTIC_PASSWORD", RepositoryFolder.Password));
        dump.Wait().Expect(0);
        Disks.AssertEqual(_repo[_copies[point]], _repo["dumped"]);
    }

    /// <summary>Into another repository, by a key of its own; there they are the same to us.</summary>
    void CopyAll(int count)
    {
        File.WriteAllText(_repo["second"], "another password");
        _repo.Restic("key add --new-password-file second").Expect(0);
        using RepositoryFolder other = new() { Variables = [("RESTIC_FROM_PASSWORD_FILE", _repo["second"])] };
        other.Init();
        other.Restic($"copy --from-repo {_repo["repo"]}").Expect(0);
        string[] copied = other.Points();
        Assert.Equal(count, copied.Length);
        other.Fastbackup("repo verify REPO --read-data").Expect(0);
        other.Check();
    }

    RunningProgram Start(int disk)
    {
        string[] tracked = _random.Next(4) > 0 ? ["--tracker", $"{disk}/disk.img.track"] : [];
        return _repo.Start(
            [
                "backup",
                $"{disk}/disk.img",
                "--repo",
                "REPO",
                "--host",
                $"host-{disk}",
                "--chunk",
                "256KiB",
                "--json",
                .. tracked,
            ]
        );
    }

    void KillOne()
    {
        using RunningProgram program = Start(_random.Next(DiskCount));
        Thread.Sleep(_random.Next(40));
        try
        {
            program.Signal("KILL");
        }
        catch (PeerException)
        {
            Thread.Yield(); // it was faster
        }
        _ = program.Wait();
        // One that was just not killed in time has made a point that no copy is of.
        foreach (string point in _repo.Points().Except(_copies.Keys))
            _repo.Fastbackup("repo", "forget", "REPO", point).Expect(0);
    }

    void Check(bool isLast)
    {
        string[] points = [.. _repo.Points().Where(_copies.ContainsKey)];
        string one = points[_random.Next(points.Length)];
        foreach (string point in isLast ? points : [one])
            _repo.AssertRestores(point, _copies[point]);
        if (!isLast)
            return;
        foreach (string point in points)
            AssertDumps(point);
        CopyAll(points.Length);
        _repo.Restic("unlock").Expect(0);
        _repo.Check();
        _repo.Restic($"restore {one} --target by-restic").Expect(0);
        string restored = Directory.GetFiles(_repo["by-restic"], "disk.img", SearchOption.AllDirectories).Single();
        Disks.AssertEqual(_repo[_copies[one]], restored);
        Directory.Delete(_repo["by-restic"], recursive: true);
    }
}
