// One "progress" object a second, for programs.
using System;

namespace FastBackup.Cli;

/// <param name="tell">Takes each object.</param>
sealed class JsonView(Action<ProgressEvent> tell) : IProgressView
{
    public int IntervalMs => 1000;

    public void Run(string title, ulong totalBytes, Action<Action<WorkProgress>> work)
    {
        RateMeter meter = new();
        work(progress =>
        {
            meter.Add(progress.DoneBytes);
            ProgressEvent item = new(
                "progress",
                progress.DoneBytes,
                progress.TotalBytes,
                progress.SkippedBytes,
                Math.Round(meter.Seconds, 3),
                Math.Round(meter.BytesPerSecond),
                meter.SecondsLeft(progress) is { } left ? Math.Round(left, 1) : null
            );
            tell(item);
        });
    }
}
