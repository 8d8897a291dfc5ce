// The demo's last part: a repository in its folder, two points in time of its disk in it, verified and restored: the
// second into a new file, then the first over it, which writes only what differs. By the same code as the commands; the
// password is random and ends with the folder.
using System;
using System.IO;
using System.Security.Cryptography;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class DemoPoints(DemoFolder folder, string disk, Output output, Interruption interruption)
{
    const int PieceBytes = 64 << 10;
    const int PieceCount = 16;
    const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <returns>Done: both points came back to the byte; else how it ended, which was said.</returns>
    public RunStatus Execute()
    {
        string password = folder.File("password");
        File.WriteAllText(password, RandomNumberGenerator.GetHexString(32));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(password, Private);
        RepositoryPlace place = new(folder.File("repository"), password);
        using RepositoryWork work = new(place, new Output(isJson: false, isQuiet: true), interruption);
        output.Line("");
        output.Line("Keeping two points in time of it in a repository ...");
        string restored = folder.File("restored.img");
        string? first = null;
        Func<int>[] steps =
        [
            () => new KeyRun(work).Init(),
            () => BackUp(place, work, out first),
            () => Compare(work, disk, first!),
            Change,
            () => BackUp(place, work, out _),
            () => new VerifyRun(new VerifyRequest(1, 1, false, null, PointChoice.Latest, null, false), work).Execute(),
            () => Restore(work, restored, PointChoice.Latest, isOnto: false),
            () => Compare(work, restored, PointChoice.Latest),
            () => Compare(work, disk, PointChoice.Latest),
            () => Restore(work, restored, first!, isOnto: true),
            () => Compare(work, restored, first!),
        ];
        foreach (Func<int> step in steps)
            if (step() is not ExitCode.Done and int exitCode)
                return exitCode == ExitCode.Interrupted ? RunStatus.Interrupted : RunStatus.Failed;
        return RunStatus.Done;
    }

    int BackUp(RepositoryPlace place, RepositoryWork work, out string? point)
    {
        PointBackupRequest request = new()
        {
            Place = place,
            Sources = [new PointSourceRequest(disk, "disk", null, default)],
            Host = "demo",
            PackBytes = Repositories.PointHead.PackBytesMin,
            Tags = [],
            MemoryBytes = Engine.BufferBytesDefault(),
        };
        PointBackupRun run = new(request, work);
        int exitCode = run.Execute();
        point = run.Point;
        return exitCode;
    }

    static int Restore(RepositoryWork work, string target, string at, bool isOnto) =>
        new RestoreRun(new RestoreRequest(at, null, target, isOnto, false, false, false), work).Execute();

    static int Compare(RepositoryWork work, string path, string at) =>
        new VerifyRun(new VerifyRequest(0, 1, false, path, at, null, false), work).Execute();

    /// <summary>What a guest could have written since.</summary>
    int Change()
    {
        using FileStream file = new(disk, FileMode.Open, FileAccess.Write);
        byte[] piece = new byte[PieceBytes];
        for (int i = 0; i < PieceCount; i++)
        {
            RandomNumberGenerator.Fill(piece);
            file.Position = file.Length / PieceCount * i;
            file.Write(piece, 0, (int)Math.Min(PieceBytes, file.Length - file.Position));
        }
        return ExitCode.Done;
    }
}
