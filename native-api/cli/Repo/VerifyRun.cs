// Whether a repository, or a disk against one of its points, is right.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class VerifyRun(VerifyRequest request, RepositoryWork work)
{
    readonly Output _output = work.Output;
    ulong _readBytes;
    ulong _totalBytes;

    public int Execute() =>
        work.Run(
            new RepositoryDoneEvent("done", "repo", "verify"),
            done => request.Against == null ? CheckAll(done) : Compare(done, request.Against)
        );

    RepositoryDoneEvent CheckAll(RepositoryDoneEvent done)
    {
        OpenedRepository repository = work.Open();
        if (request.IsRepaired)
            _ = work.TakeLock(isExclusive: true);
        else
            work.TryTakeLock();
        List<StoredPoint> points = repository.LoadSnapshots();
        repository.LoadIndex();
        Verification verification = new(repository, work.Cancel);
        work.Show(
            "verify",
            (ulong)repository.Store.List(StoreKind.Pack).Sum(pack => pack.SizeBytes),
            () => new WorkProgress(Math.Min(_readBytes, _totalBytes), _totalBytes, null),
            () =>
            {
                verification.CheckStructure(points);
                if (request.Part > 0)
                    verification.ReadPacks(
                        request.Part,
                        request.Parts,
                        (read, all) => (_readBytes, _totalBytes) = (read, all)
                    );
            }
        );
        string[] problems = [.. verification.Problems];
        foreach (string problem in problems)
            _output.Line(problem);
        if (request.IsRepaired && verification.DamagedCount > 0)
        {
            verification.Repair();
            _output.Line(
                Phrases.Text($"{verification.DamagedCount} damaged blobs are in no index any more: ")
                    + "back up the disks again, which stores them anew where they are still the same"
            );
        }
        done = done with { Problems = problems, ReadBytes = verification.ReadBytes };
        if (problems.Length == 0)
        {
            string read = request.Part > 0 ? $", {ByteSize.Format(verification.ReadBytes)} read" : "";
            _output.Line(
                $"verified: {Phrases.Number(verification.PointCount, "point")}, {
                    Phrases.Number(verification.BlobCount, "blob")}{read}, no errors"
            );
            return done;
        }
        _output.Error(
            Phrases.Text($"{problems.Length} things are wrong with repository '{repository.Store.Name}': {problems[0]}")
                + (
                    request.IsRepaired
                        ? ""
                        : "; 'repo verify --read-data --repair' takes what is damaged out of the index"
                )
        );
        return done with { Error = "damaged", Status = RunStatus.Failed.Word() };
    }

    RepositoryDoneEvent Compare(RepositoryDoneEvent done, string path)
    {
        OpenedRepository repository = work.Open();
        work.TryTakeLock();
        StoredPoint point = PointChoice.Find(repository, request.At, request.Disk);
        repository.LoadIndex();
        work.Warn();
        PointDisk disk = PointDisk.Find(repository, point, request.Disk);
        using RestoreEngine engine = new(DiskRestore.LongestBytes(repository, disk));
        OpenRefusal refusal = SourceDisk.TryOpen(
            engine.Engine.Reactor,
            path,
            "disk",
            request.IsLockIgnored,
            FormatRule.Raw,
            out IBlockDevice? device
        );
        engine.Device = device;
        if (!refusal.IsNone)
            throw new RepositoryException(RepositoryError.Refused, refusal.Sentence);
        ulong sizeBytes = device!.Limits.CapacityBytes;
        if (sizeBytes < disk.SizeBytes)
            throw new RepositoryException(
                RepositoryError.Refused,
                Phrases.Text($"disk '{path}' has {sizeBytes} bytes and point {point.Id.Short} {disk.SizeBytes}: ")
                    + "it is not that disk"
            );
        using DiskRestore compare = new(repository, engine.Engine, disk, device, RestoreMode.Compare, work.Cancel);
        DiskProgress progress = compare.Progress;
        work.Show(
            "verify",
            progress.TotalBytes,
            () => new WorkProgress(progress.DoneBytes, progress.TotalBytes, null),
            compare.Execute
        );
        ulong? difference =
            compare.FirstDifference != DiskRestore.NoDifference ? compare.FirstDifference
            : sizeBytes > disk.SizeBytes ? disk.SizeBytes
            : null;
        done = done with { Point = point.Id.ToString(), Target = path, SameBytes = progress.SameBytes };
        if (difference is { } offset)
        {
            _output.Error(
                Phrases.Text($"disk '{path}' is not point {point.Id.Short}: they differ first in the chunk at offset ")
                    + Phrases.Text($"{offset}, and in {progress.TotalBytes - progress.SameBytes} bytes of chunks")
            );
            return done with { Error = "different", FirstDifference = offset, Status = RunStatus.Failed.Word() };
        }
        _output.Line($"'{path}' is point {point.Id.Short} of '{disk.Path}', to the byte: {ByteSize.Format(sizeBytes)}");
        return done;
    }
}
