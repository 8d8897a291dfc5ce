// How far a piece of work has come, for whoever shows it.
namespace FastBackup.Cli;

/// <param name="DoneBytes">0..TotalBytes.</param>
/// <param name="TotalBytes">May shrink when parts turn out not to belong to the work.</param>
/// <param name="SkippedBytes">Of the done ones, zeroes and holes, which were not moved; null when unknown.</param>
readonly record struct WorkProgress(ulong DoneBytes, ulong TotalBytes, ulong? SkippedBytes)
{
    public double Percent => TotalBytes == 0 ? 100 : 100.0 * DoneBytes / TotalBytes;
}
