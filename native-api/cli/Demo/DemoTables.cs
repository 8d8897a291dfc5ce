// The demo's figures for people, at most 80 columns wide.
using FastBackup.Base;
using FastBackup.Jobs;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class DemoTables(Output output)
{
    /// <summary>The first half: a disk at rest.</summary>
    public void ShowRest(
        DemoDisk disk,
        ulong sizeBytes,
        double makeSeconds,
        BackupResult backup,
        CompareResult compare,
        ulong allocatedBytes
    )
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
                + $"{ByteSize.Format(allocatedBytes)} on disk."
        );
    }

    /// <summary>The second half: what the guests felt, and what it took.</summary>
    public void ShowLive(LiveResult result)
    {
        JobGauges gauges = result.Statistics.Gauges;
        LatencySummary waits = result.Statistics.GuestWaits;
        output.Line("");
        output.Line("  guest writes             count    p50 ms    p99 ms    max ms");
        LatencyRow("without a backup", result.Quiet);
        LatencyRow("while backed up", result.UnderBackup);
        LatencyRow("waited for a copy", waits);
        output.Line("");
        Figure("backup took", Phrases.Text($"{result.Seconds:0.00} s, {Phrases.Rate(result.BytesPerSecond)}"));
        Figure(
            "guest writes",
            Phrases.Text($"{result.WritesBefore} before its point in time, {result.WritesAfter} after it")
        );
        Figure("saved first", $"{ByteSize.Format(result.Progress.CopyBeforeWriteBytes)} just before a guest's write");
        Figure("guests waited", Phrases.Text($"{waits.SumNs / 1e9:0.00} s in all for these copies"));
        Figure(
            "captured",
            $"at most {ByteSize.Format(gauges.CapturePeakBytes)} of {
                ByteSize.Format(gauges.CaptureLimitBytes)} of memory"
        );
        Figure("scratch", Scratch(gauges));
        Figure("window", $"{ByteSize.Format(gauges.WindowBytes)} at the end: the background's share of the devices");
        output.Line("");
    }

    static string Scratch(in JobGauges gauges) =>
        gauges.ScratchLimitBytes == 0
            ? "none; see --scratch"
            : $"{ByteSize.Format(gauges.SpilledBytes)} went through it, limit {
                ByteSize.Format(gauges.ScratchLimitBytes)}"
                + (gauges.ScratchFault.IsFault ? $"; given up: {gauges.ScratchFault}" : "");

    void LatencyRow(string what, in LatencySummary times) =>
        output.Line(
            Phrases.Text(
                $"  {what, -20}{times.Count, 10}{times.P50Ns / 1e6, 10:0.00}{times.P99Ns / 1e6, 10:0.00}{
                    times.MaxNs / 1e6, 10:0.00}"
            )
        );

    void Figure(string what, string figure) => output.Line($"  {what, -16}{figure}");

    void Row(string step, string bytes, string seconds, string rate, string cpuSeconds, string result) =>
        output.Line($"  {step, -14}{bytes, 10}{seconds, 10}{rate, 14}{cpuSeconds, 8}  {result}".TrimEnd());

    static string Seconds(double seconds) => Phrases.Text($"{seconds:0.00}");
}
