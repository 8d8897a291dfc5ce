// The main job in one go on a disk of its own: make, back up, compare, show the figures, clean up.
using System.Diagnostics;
using System.IO;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class DemoRun(ulong sizeBytes, string parentFolder, Output output, Interruption interruption)
{
    /// <summary>The disk without its holes, the copy without its zeroes, and some for the file system.</summary>
    ulong NeededBytes => sizeBytes / 10 * 15 + 32 * Units.MiB;

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
        return compare.IsIdentical ? ExitCode.Done : Fail("demo: the copy differs from the disk", ExitCode.Failed);
    }

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
        output.Line("All files of the demo were removed.");
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
