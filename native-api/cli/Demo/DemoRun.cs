// The main job in one go on a disk of its own: make, back up, compare, show the figures, clean up.
using System.Diagnostics;
using System.IO;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Copy;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class DemoRun(
    ulong sizeBytes,
    string parentFolder,
    GuestPriority guestPriority,
    Output output,
    Interruption interruption
)
{
    /// <summary>
    /// The disk without its holes, two copies without their zeroes, and some for the guests and the file system.
    /// </summary>
    ulong NeededBytes => sizeBytes / 10 * 23 + 32 * Units.MiB;

    public int Execute()
    {
        string? sentence = DemoFolder.TryCreate(parentFolder, NeededBytes, out DemoFolder? folder);
        if (sentence != null)
            return Fail(sentence, ExitCode.Failed);
        using (folder)
        {
            try
            {
                return Execute(folder!);
            }
            catch (IOException exception)
            {
                return Fail($"the demo cannot write to '{folder!.Path}': {exception.Message}", ExitCode.Failed);
            }
        }
    }

    int Execute(DemoFolder folder)
    {
        string source = folder.File("disk.img");
        string target = folder.File("backup.img");
        output.Line($"Making a disk of {ByteSize.Format(sizeBytes)} in {folder.Path} ...");
        long start = Stopwatch.GetTimestamp();
        DemoDisk disk = DemoDisk.Write(source, sizeBytes, interruption);
        double makeSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (interruption.IsRequested)
            return Fail("interrupted while making the disk; everything was removed", ExitCode.Interrupted);

        output.Line("Backing it up ...");
        BackupRequest request = new() { Source = source, Target = target };
        using BackupRun run = new(request, output, interruption);
        BackupResult backup = run.Execute();
        if (backup.Status != RunStatus.Done)
            return Fail("demo: " + backup.Sentence + " (the demo removes all its files)", backup.Status.ExitCode());

        output.Line("Comparing the copy with the disk ...");
        CompareResult compare = new CompareRun(source, target, output, interruption).Execute();
        if (compare.Status != RunStatus.Done)
            return Fail("demo: " + compare.Sentence, compare.ExitCode);
        Show(disk, makeSeconds, backup, compare, target);
        return compare.IsIdentical
            ? ExecuteLive(folder, source, target)
            : Fail("demo: the copy differs from the disk", ExitCode.Failed);
    }

    int ExecuteLive(DemoFolder folder, string source, string target)
    {
        output.Line("");
        output.Line("Backing it up again while guests write to it ...");
        string liveTarget = folder.File("live.img");
        using LiveDemo live = new(source, target, liveTarget, guestPriority, interruption);
        string? sentence = live.Run(out LiveResult? result);
        if (interruption.IsRequested)
            return Fail("interrupted; everything was removed", ExitCode.Interrupted);
        if (sentence != null)
            return Fail("demo: " + sentence, ExitCode.Failed);
        live.ApplyWritesBefore();
        CompareResult compare = new CompareRun(target, liveTarget, output, interruption).Execute();
        if (compare.Status != RunStatus.Done)
            return Fail("demo: " + compare.Sentence, compare.ExitCode);
        ShowLive(result!);
        if (!compare.IsIdentical)
            return Fail("demo: the image does not equal the disk at the backup's start", ExitCode.Failed);
        output.Line("image equals T0: the backup is the disk as it was when the backup began, to the byte.");
        output.Line("All files of the demo were removed.");
        return ExitCode.Done;
    }

    void ShowLive(LiveResult result)
    {
        output.Line("");
        output.Line("  guest writes             count    p50 ms    p99 ms    max ms");
        LatencyRow("without a backup", result.Quiet);
        LatencyRow("while backed up", result.UnderBackup);
        output.Line("");
        double seconds = result.Seconds;
        output.Line(
            Phrases.Text(
                $"The backup took {seconds:0.00} s; {result.WritesBefore} writes came before its point in time, {
                    result.WritesAfter} after it; {
                    ByteSize.Format(result.Progress.CopyBeforeWriteBytes)} were saved just before a guest's write."
            )
        );
    }

    void LatencyRow(string what, in Percentiles times) =>
        output.Line(
            Phrases.Text($"  {what, -20}{times.Count, 10}{times.P50, 10:0.00}{times.P99, 10:0.00}{times.Max, 10:0.00}")
        );

    void Show(DemoDisk disk, double makeSeconds, BackupResult backup, CompareResult compare, string target)
    {
        output.Line("");
        Row("step", "bytes", "seconds", "rate", "CPU s", "result");
        Row("make the disk", ByteSize.Format(sizeBytes), Seconds(makeSeconds), "", "", "");
        Row(
            "backup",
            ByteSize.Format(backup.Progress.DoneBytes),
            Seconds(backup.Seconds),
            Phrases.Rate(backup.BytesPerSecond),
            Seconds(backup.CpuSeconds),
            "flushed"
        );
        Row(
            "compare",
            ByteSize.Format(compare.Progress.DoneBytes),
            Seconds(compare.Seconds),
            Phrases.Rate(compare.BytesPerSecond),
            Seconds(compare.CpuSeconds),
            compare.Word
        );
        output.Line("");
        output.Line(
            $"The disk: {ByteSize.Format(disk.RandomBytes)} random, {ByteSize.Format(disk.ZeroBytes)} zeroes, "
                + $"{ByteSize.Format(disk.HoleBytes)} holes."
        );
        output.Line(
            $"The copy: {ByteSize.Format(backup.Progress.WrittenBytes)} written, "
                + $"{ByteSize.Format(backup.SkippedBytes)} skipped as zero, "
                + $"{ByteSize.Format(AllocatedBytes(target))} on disk."
        );
    }

    void Row(string step, string bytes, string seconds, string rate, string cpuSeconds, string result) =>
        output.Line($"  {step, -14}{bytes, 10}{seconds, 10}{rate, 14}{cpuSeconds, 8}  {result}".TrimEnd());

    int Fail(string sentence, int exitCode)
    {
        output.Error(sentence);
        return exitCode;
    }

    static string Seconds(double seconds) => Phrases.Text($"{seconds:0.00}");

    static ulong AllocatedBytes(string path) =>
        PathLook.TryLook(path, out PathLook look).IsNone ? look.AllocatedBytes : 0;
}
