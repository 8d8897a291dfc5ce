// What full backups of several disks at once cost.
namespace FastBackup.Bench.Growth;

/// <param name="Kind">Of disks: "null" have no content, "file" are files.</param>
/// <param name="DiskCount">At once.</param>
/// <param name="EngineCount">That they are spread over.</param>
/// <param name="MiBPerSecond">All together.</param>
/// <param name="CpuPerGiB">Processor seconds.</param>
sealed record CountRow(string Kind, int DiskCount, int EngineCount, double MiBPerSecond, double CpuPerGiB);
