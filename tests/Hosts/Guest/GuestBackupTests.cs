// Backups of a real Linux guest that works on a real file system meanwhile. A full backup is taken of the guest stopped
// in the middle of a round, as at a power cut; then, after more rounds, an incremental one with its file system frozen,
// as an agent in the guest does it. Each image must be, to the byte, the copy of the disk that was made at its moment
// with nothing running; its file system must be right by the checker's word, and its files by another guest's, which
// mounts it and finds everything that the first one had said was on the disk.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Hosts.Guest;

public sealed class GuestBackupTests
{
    const string Bitmap = "since-full";

    // So slow that a round is over before the job is, also on a busy machine, and meets clusters not copied yet.
    const ulong SlowBytesPerSecond = 256 << 10;

    const int TimeLimitSeconds = 120;

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string engine in HostEngines.All)
            {
                cases.Add(engine, "ext4");
                cases.Add(engine, "xfs");
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void FullAndIncremental_OfAWorkingGuest_AreTheDiskAtTheirMoments(string engine, string fileSystemType)
    {
        using TimeLimit limit = new(TimeLimitSeconds);
        using TempFolder folder = new();
        FileSystem fileSystem = FileSystem.Named(fileSystemType);
        string source = Disks.Hole(folder["disk"], fileSystem.SizeBytes);
        fileSystem.Make(source);
        (GuestMoment paused, GuestMoment frozen) = BackUp(engine, fileSystem, folder, limit.Cancel);

        Disks.AssertEqual(folder["full-offline"], folder["full"]);
        Disks.AssertEqual(folder["incremental-offline"], folder["incremental"]);
        Disks.AssertDifferent(folder["full"], folder["incremental"]);
        Disks.AssertDifferent(folder["incremental"], source);
        CheckFiles(fileSystem, folder, paused, frozen, limit.Cancel);
    }

    static (GuestMoment Paused, GuestMoment Frozen) BackUp(
        string engine,
        FileSystem fileSystem,
        TempFolder folder,
        CancellationToken cancel
    )
    {
        using IServedDisk disk = HostEngines.Serve(engine, folder["disk"], folder, cancel);
        using LinuxGuest guest = new(folder, [LinuxGuest.NbdDisk(disk.SocketPath, NbdExports.Disk)], cancel);
        List<string> said = [.. guest.Run("begin " + fileSystem.Type)];
        foreach (int round in new[] { 1, 2, 3 })
            said.AddRange(guest.Run($"round {round}"));
        GuestMoment paused = BackUpPaused(disk, guest, said, folder);
        GuestMoment frozen = BackUpFrozen(disk, guest, said, folder);
        guest.Run("umount /mnt");
        guest.PowerOff();
        return (paused, frozen);
    }

    static GuestMoment BackUpPaused(IServedDisk disk, LinuxGuest guest, List<string> said, TempFolder folder)
    {
        string target = Disks.Hole(folder["full"], new FileInfo(disk.SourcePath).Length);
        guest.Start("round 4");
        guest.WaitForLine($"entry {EntriesAfter(rounds: 3) + 2}");
        GuestMoment moment = GuestMoment.After([.. said, .. guest.Pause()], 2, 3);
        BackupJob job = BackupJob.StartFull(disk, target, Bitmap, SlowBytesPerSecond);
        Disks.Copy(disk.SourcePath, folder["full-offline"]);
        guest.Resume();
        said.AddRange(guest.Finish());
        FinishBeside(guest, 5, job, said);
        return moment;
    }

    static GuestMoment BackUpFrozen(IServedDisk disk, LinuxGuest guest, List<string> said, TempFolder folder)
    {
        string target = Disks.Copy(folder["full"], folder["incremental"]);
        guest.Run("fsfreeze --freeze /mnt");
        GuestMoment moment = GuestMoment.After(said, 3, 4, 5);
        BackupJob job = BackupJob.StartIncremental(disk, target, Bitmap, SlowBytesPerSecond);
        Disks.Copy(disk.SourcePath, folder["incremental-offline"]);
        guest.Run("fsfreeze --unfreeze /mnt");
        said.AddRange(guest.Run("round 6"));
        FinishBeside(guest, 7, job, said);
        return moment;
    }

    /// <summary>After a round beside a job that hardly moves, one beside a job that copies as fast as it can.</summary>
    static void FinishBeside(LinuxGuest guest, int round, BackupJob job, List<string> said)
    {
        Assert.True(job.IsRunning, "the job was over before the guest had done anything beside it");
        job.Unleash();
        said.AddRange(guest.Run($"round {round}"));
        job.Finish();
    }

    /// <summary>The paused image needs its journal, as after a power cut; the frozen one is whole without it.</summary>
    static void CheckFiles(
        FileSystem fileSystem,
        TempFolder folder,
        GuestMoment paused,
        GuestMoment frozen,
        CancellationToken cancel
    )
    {
        string full = folder["full"];
        string incremental = folder["incremental"];
        if (fileSystem.TellsReplay)
        {
            Assert.True(FileSystem.NeedsReplay(full));
            Assert.False(FileSystem.NeedsReplay(incremental));
            fileSystem.AssertClean(incremental);
        }
        fileSystem.Replay(full);
        using (LinuxGuest checker = new(folder, [LinuxGuest.FileDisk(full), LinuxGuest.FileDisk(incremental)], cancel))
        {
            paused.AssertIsIn(checker.Run($"check /dev/vda {fileSystem.Type} rw"));
            frozen.AssertIsIn(checker.Run($"check /dev/vdb {fileSystem.Type} {fileSystem.WithoutReplay}"));
            frozen.AssertIsIn(checker.Run($"check /dev/vdb {fileSystem.Type} rw"));
            checker.PowerOff();
        }
        fileSystem.AssertClean(full);
        fileSystem.AssertClean(incremental);
    }

    /// <summary>One at the beginning, five a round; see rounds.sh.</summary>
    static int EntriesAfter(int rounds) => 1 + 5 * rounds;
}
