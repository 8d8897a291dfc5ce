// How a comparison ended, with the figures.
using FastBackup.Base;

namespace FastBackup.Cli;

/// <param name="Status">Done also when the disks differ.</param>
/// <param name="Sentence">Why it was not done, or null.</param>
/// <param name="Fault">The fault behind the sentence, where there was one.</param>
/// <param name="SourceBytes">Size of the first disk.</param>
/// <param name="TargetBytes">Size of the second.</param>
/// <param name="FirstDifference">First byte that differs or that only one has; null when identical.</param>
/// <param name="Progress">The last picture.</param>
/// <param name="Seconds">From the first read to the last.</param>
/// <param name="CpuSeconds">Of this process over the same time.</param>
sealed record CompareResult(
    RunStatus Status,
    string? Sentence,
    Fault Fault,
    ulong SourceBytes,
    ulong TargetBytes,
    ulong? FirstDifference,
    WorkProgress Progress,
    double Seconds,
    double CpuSeconds
)
{
    public bool IsIdentical => Status == RunStatus.Done && FirstDifference == null;

    public double BytesPerSecond => Seconds > 0 ? Progress.DoneBytes / Seconds : 0;

    public string Word =>
        Status != RunStatus.Done ? Status.Word()
        : FirstDifference == null ? "identical"
        : "different";

    public int ExitCode =>
        Status switch
        {
            RunStatus.Done when FirstDifference == null => Cli.ExitCode.Done,
            RunStatus.Done => Cli.ExitCode.Different,
            RunStatus.Interrupted => Cli.ExitCode.Interrupted,
            _ => Cli.ExitCode.NotCompared,
        };

    public static CompareResult Refused(string sentence, Fault fault) =>
        new(RunStatus.Refused, sentence, fault, 0, 0, null, default, 0, 0);
}
