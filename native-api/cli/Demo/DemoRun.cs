// The main job in one go on a disk of its own: make, back up, compare, the same beside guests, show the figures, clean
// up. With --json the work inside is silent: its start, its live objects and its done are the demo's.
using System;
using System.Diagnostics;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Jobs;
using FastBackup.Pacing;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class DemoRun(DemoRequest request, Output output, Interruption interruption)
{
    readonly Output _inner = output.IsJson ? new Output(isJson: false, isQuiet: true) : output;
    readonly DemoTables _tables = new(output);
    BackupResult? _backup;
    CompareResult? _compare;
    LiveResult? _live;
    bool? _imageEqualsT0;
    bool? _pointsAreEqual;

    /// <summary>
    /// The disk without its holes, two copies without their zeroes (later the image, what is restored of it and the
    /// repository), and some for the guests and the file system.
    /// </summary>
    ulong NeededBytes => request.SizeBytes / 10 * 26 + 32 * Units.MiB;

    /// <returns>The exit code.</returns>
    public int Execute()
    {
        RunStatus status = ExecuteAll();
        WriteDone(status);
        return status.ExitCode();
    }

    RunStatus ExecuteAll()
    {
        if (request.ScratchPath != null)
        {
            OpenRefusal refusal = DemoScratch.TryRehearse(request);
            if (!refusal.IsNone)
                return End(RunStatus.Refused, refusal.Sentence, refusal.Fault);
        }
        string? sentence = DemoFolder.TryCreate(request.ParentFolder, NeededBytes, out DemoFolder? folder);
        if (sentence != null)
            return End(RunStatus.Refused, sentence);
        using (folder)
        {
            WriteStart(folder!);
            try
            {
                return ExecuteIn(folder!);
            }
            catch (IOException exception)
            {
                return End(
                    RunStatus.Failed,
                    $"the demo cannot write to '{folder!.Path}': {FileTrouble.Describe(exception)}; give another --dir"
                );
            }
        }
    }

    RunStatus ExecuteIn(DemoFolder folder)
    {
        string source = folder.File("disk.img");
        string target = folder.File("backup.img");
        output.Line($"Making a disk of {ByteSize.Format(request.SizeBytes)} in {folder.Path} ...");
        long start = Stopwatch.GetTimestamp();
        DemoDisk disk = DemoDisk.Write(source, request.SizeBytes, interruption);
        double makeSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (interruption.IsRequested)
            return End(RunStatus.Interrupted, "interrupted while making the disk; everything was removed");

        output.Line("Backing it up ...");
        BackupRequest first = new()
        {
            Source = source,
            Target = target,
            ClusterBytes = DemoRequest.ClusterBytes,
            MemoryBytes = request.MemoryBytes,
        };
        using BackupRun run = new(first, _inner, interruption);
        BackupResult backup = run.Execute();
        if (backup.Status != RunStatus.Done)
            return End(backup.Status, $"demo: {backup.Sentence} (the demo removes all its files)", backup.Fault);
        _backup = backup;

        output.Line("Comparing the copy with the disk ...");
        CompareResult compare = new CompareRun(
            source,
            target,
            false,
            FormatRule.Raw,
            new(),
            _inner,
            interruption
        ).Execute();
        if (compare.Status != RunStatus.Done)
            return End(compare.Status, "demo: " + compare.Sentence, compare.Fault);
        _compare = compare;
        _tables.ShowRest(disk, request.SizeBytes, makeSeconds, backup, compare, AllocatedBytes(target));
        return compare.IsIdentical
            ? ExecuteLive(folder, source, target)
            : End(RunStatus.Failed, "demo: the copy differs from the disk");
    }

    RunStatus ExecuteLive(DemoFolder folder, string source, string target)
    {
        output.Line("");
        output.Line("Backing it up again while guests write to it ...");
        string liveTarget = folder.File("live.img");
        using LiveDemo live = new(request, source, target, liveTarget, output, interruption);
        string? sentence = live.Run(out _live);
        if (interruption.IsRequested)
            return End(RunStatus.Interrupted, "interrupted; everything was removed");
        if (sentence != null)
            return End(RunStatus.Failed, "demo: " + sentence);
        live.ApplyWritesBefore();
        CompareResult compare = new CompareRun(
            target,
            liveTarget,
            false,
            FormatRule.Raw,
            new(),
            _inner,
            interruption
        ).Execute();
        if (compare.Status != RunStatus.Done)
            return End(compare.Status, "demo: " + compare.Sentence, compare.Fault);
        _imageEqualsT0 = compare.IsIdentical;
        _tables.ShowLive(_live!);
        if (!compare.IsIdentical)
            return End(RunStatus.Failed, "demo: the image does not equal the disk at the backup's start");
        output.Line("image equals T0: the backup is the disk as it was when the backup began, to the byte.");
        if (!OpenSsl.IsThere)
            output.Line("Points in time in a repository are left out: OpenSSL is not on this machine.");
        return OperatingSystem.IsWindows() || !OpenSsl.IsThere ? Conclude() : ExecutePoints(folder, target, liveTarget);
    }

    /// <summary>Of the image, which nobody writes to; the disk and its last copy make room.</summary>
    RunStatus ExecutePoints(DemoFolder folder, string image, string copy)
    {
        File.Delete(copy);
        File.Delete(folder.File("disk.img"));
        RunStatus status = new DemoPoints(folder, image, output, interruption).Execute();
        _pointsAreEqual = status == RunStatus.Done;
        if (status == RunStatus.Done)
            output.Line("points restored: both are the image as it was then, to the byte.");
        return status == RunStatus.Done ? Conclude()
            : status == RunStatus.Interrupted ? status
            : End(status, "demo: the points in time did not come back as they were");
    }

    RunStatus Conclude()
    {
        output.Line("All files of the demo were removed.");
        return RunStatus.Done;
    }

    void WriteStart(DemoFolder folder) =>
        output.Event(
            new DemoStartEvent(
                "start",
                "demo",
                folder.Path,
                request.SizeBytes,
                request.MemoryBytes,
                GuestPriorityWords.Table.Of(request.GuestPriority),
                request.ScratchPath,
                request.TargetBytesPerSecond == 0 ? null : request.TargetBytesPerSecond
            ),
            JsonEvents.Readable.DemoStartEvent
        );

    void WriteDone(RunStatus status) =>
        output.Event(
            new DemoDoneEvent(
                "done",
                "demo",
                status.Word(),
                status.ExitCode(),
                request.SizeBytes,
                _backup == null ? null : Figures(_backup),
                _compare?.IsIdentical,
                _live == null ? null : Figures(_live),
                _imageEqualsT0,
                _pointsAreEqual
            ),
            JsonEvents.Readable.DemoDoneEvent
        );

    static DemoBackupFigures Figures(BackupResult result) =>
        new(
            result.Progress.DoneBytes,
            result.Progress.WrittenBytes,
            result.Progress.SkippedZeroBytes,
            result.Progress.WrittenZeroBytes,
            Math.Round(result.Seconds, 6),
            Math.Round(result.CpuSeconds, 6),
            Math.Round(result.BytesPerSecond)
        );

    static DemoLiveFigures Figures(LiveResult result)
    {
        JobStatistics statistics = result.Statistics;
        return new DemoLiveFigures(
            result.Progress.DoneBytes,
            result.Progress.WrittenBytes,
            Math.Round(result.Seconds, 6),
            Math.Round(result.BytesPerSecond),
            result.WritesBefore,
            result.WritesAfter,
            result.Progress.CopyBeforeWriteBytes,
            result.Quiet,
            result.UnderBackup,
            statistics.GuestWaits,
            LiveView.Gauges(statistics.Gauges)
        );
    }

    RunStatus End(RunStatus status, string sentence, Fault fault = default)
    {
        output.Error(sentence, fault);
        return status;
    }

    static ulong AllocatedBytes(string path) =>
        PathLook.TryLook(path, out PathLook look).IsNone ? look.AllocatedBytes : 0;
}
