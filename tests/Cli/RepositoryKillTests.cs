// Backups and restores that are killed at random moments. Whatever was there stays valid, by our own check each time
// and by stock restic's at the end; what a kill leaves is no point; and the next run is right.
using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using FastBackup.Repositories;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RepositoryKillTests : IDisposable
{
    const int Mebi = 1 << 20;

    /// <summary>Of all tests here. More of them by hand: FASTBACKUP_KILLS=1000.</summary>
    static int Kills => int.Parse(Environment.GetEnvironmentVariable("FASTBACKUP_KILLS") ?? "100", null);

    const int CheckInterval = 20;

    readonly RepositoryFolder _repo = new();

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void BackupThatIsKilled_LeavesAValidRepository()
    {
        int kills = Kills * 6 / 10;
        Random random = new((int)TestSeed.Next());
        _repo.Init();
        Disks.Random(_repo["disk.img"], 6 * Mebi);
        TimeSpan whole = Run("backup", "disk.img", "--repo", "REPO", "--quiet");
        int killed = 0;
        for (int i = 0; i < kills; i++)
        {
            Scribble(random);
            using RunningProgram program = _repo.Start("backup", "disk.img", "--repo", "REPO", "--chunk", "128KiB");
            Thread.Sleep(whole * random.NextDouble());
            bool isInTime = !program.HasExited;
            killed += isInTime ? 1 : 0;
            whole *= Next(isInTime);
            Kill(program);
            Verify();
            if (i % CheckInterval == CheckInterval - 1)
                CheckByRestic();
        }
        Assert.True(killed > kills / 4, $"only {killed} of {kills} were killed in time");
        _ = Run("backup", "disk.img", "--repo", "REPO", "--quiet");
        _repo.AssertRestores("latest", "disk.img");
        Assert.Empty(Directory.GetFiles(_repo["repo/tmp"]));
        CheckByRestic();
    }

    /// <summary>A process that was killed has left its lock.</summary>
    void CheckByRestic()
    {
        _repo.Restic("unlock").Expect(0);
        _repo.Check();
    }

    [Fact]
    public void RestoreThatIsKilled_IsGoneOnWith()
    {
        Random random = new((int)TestSeed.Next());
        _repo.Init();
        Disks.Random(_repo["disk.img"], 24 * Mebi);
        _ = Run("backup", "disk.img", "--repo", "REPO", "--quiet");
        TimeSpan whole = Run("repo", "restore", "REPO", "first.img", "--quiet");
        int kills = Kills * 4 / 10;
        int killed = 0;
        for (int i = 0; i < kills; i++)
        {
            using RunningProgram program = _repo.Start("repo", "restore", "REPO", "out.img", "--resume");
            Thread.Sleep(whole * random.NextDouble());
            bool isInTime = !program.HasExited;
            killed += isInTime ? 1 : 0;
            whole *= Next(isInTime);
            Kill(program);
            if (File.Exists(_repo["out.img"]))
            {
                Disks.AssertEqual(_repo["disk.img"], _repo["out.img"]); // whole, or not there
                File.Delete(_repo["out.img"]);
            }
        }
        Assert.True(killed > kills / 4, $"only {killed} of {kills} were killed in time");
        _repo.Fastbackup("repo restore REPO out.img --resume").Expect(0);
        Disks.AssertEqual(_repo["disk.img"], _repo["out.img"]);
        Verify();
    }

    /// <summary>By which the time within which the next one is killed becomes longer or shorter: about half of them are
    /// to be killed in time, however busy the machine is.</summary>
    static double Next(bool isInTime) => isInTime ? 1.3 : 1 / 1.3;

    /// <summary>Every point and all content, in this process: starting a program each time would take longer.</summary>
    void Verify()
    {
        using OpenedRepository opened = OpenedRepository.Open(new LocalStore(_repo["repo"]), RepositoryFolder.Password);
        var points = opened.LoadSnapshots();
        opened.LoadIndex();
        Verification verification = new(opened, CancellationToken.None);
        verification.CheckStructure(points);
        verification.ReadPacks(1, 1, (_, _) => { });
        Assert.Empty(verification.Problems);
    }

    static void Kill(RunningProgram program)
    {
        try
        {
            program.Signal("KILL");
        }
        catch (PeerException)
        {
            return; // it has ended
        }
        finally
        {
            _ = program.Wait();
        }
    }

    void Scribble(Random random)
    {
        byte[] piece = new byte[300_000];
        random.NextBytes(piece);
        using FileStream file = File.OpenWrite(_repo["disk.img"]);
        file.Position = random.Next(5 * Mebi);
        file.Write(piece);
    }

    TimeSpan Run(params string[] arguments)
    {
        long start = Stopwatch.GetTimestamp();
        _repo.Fastbackup(arguments).Expect(0);
        return Stopwatch.GetElapsedTime(start);
    }
}
