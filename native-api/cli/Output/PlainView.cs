// One line a second, for logs and pipes. Work that takes less than a second shows none.
using System;
using System.IO;

namespace FastBackup.Cli;

sealed class PlainView(TextWriter writer) : IProgressView
{
    public int IntervalMs => 1000;

    public void Run(string title, ulong totalBytes, Action<Action<WorkProgress>> work)
    {
        RateMeter meter = new();
        work(progress =>
        {
            meter.Add(progress.DoneBytes);
            writer.WriteLine(
                Phrases.Text(
                    $"{title} {progress.Percent:0.0} %: {ByteSize.Format(progress.DoneBytes)} of {
                        ByteSize.Format(progress.TotalBytes)}, {Phrases.Rate(meter.BytesPerSecond)}, {
                        Phrases.Left(meter.SecondsLeft(progress))} left"
                ) + (progress.SkippedBytes is { } skipped ? $", {ByteSize.Format(skipped)} skipped as zero" : "")
            );
        });
    }
}
