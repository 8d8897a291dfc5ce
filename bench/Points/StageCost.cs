// What one step of a backup costs.
namespace FastBackup.Bench.Points;

/// <param name="Name">Of the step.</param>
/// <param name="CpuSeconds">Of processors, a GiB of disk.</param>
/// <param name="Seconds">Of the clock, a GiB of disk.</param>
sealed record StageCost(string Name, double CpuSeconds, double Seconds);
