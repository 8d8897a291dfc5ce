// How a backup ended, with the figures.
using FastBackup.Base;
using FastBackup.Jobs;

namespace FastBackup.Cli;

/// <param name="Status">How it ended.</param>
/// <param name="Sentence">Why, when it is not done; null when it is.</param>
/// <param name="Fault">The fault behind the sentence, where there was one.</param>
/// <param name="PartialPath">The file that was left unfinished, or null.</param>
/// <param name="Progress">The job's last picture; all zero when it was refused.</param>
/// <param name="Seconds">From the job's start to the end of the final flush and rename.</param>
/// <param name="CpuSeconds">Of this process, kernel time included, over the same time.</param>
sealed record BackupResult(
    RunStatus Status,
    string? Sentence,
    Fault Fault,
    string? PartialPath,
    JobProgress Progress,
    double Seconds,
    double CpuSeconds
)
{
    public double BytesPerSecond => Seconds > 0 ? Progress.DoneBytes / Seconds : 0;

    public ulong SkippedBytes => Progress.SkippedZeroBytes + Progress.WrittenZeroBytes;

    public static BackupResult Refused(string sentence, Fault fault = default) =>
        new(RunStatus.Refused, sentence, fault, null, default, 0, 0);
}
