// What the live half of the demo has measured.
using FastBackup.Base;
using FastBackup.Jobs;

namespace FastBackup.Cli;

/// <param name="Quiet">Guests' writes without a backup, by their own clocks.</param>
/// <param name="UnderBackup">And with one.</param>
/// <param name="Progress">The job's end.</param>
/// <param name="Statistics">Of the job and the disk at that end.</param>
/// <param name="Seconds">From the job's start to its end.</param>
/// <param name="WritesBefore">Guest writes up to the point in time.</param>
/// <param name="WritesAfter">And after it, while the backup ran.</param>
sealed record LiveResult(
    LatencySummary Quiet,
    LatencySummary UnderBackup,
    JobProgress Progress,
    JobStatistics Statistics,
    double Seconds,
    int WritesBefore,
    int WritesAfter
)
{
    public double BytesPerSecond => Seconds > 0 ? Progress.DoneBytes / Seconds : 0;
}
