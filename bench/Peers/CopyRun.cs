// What one copy took, the same figures for whoever made it.
using System.Text.Json.Serialization;
using FastBackup.Base;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Peers;

/// <param name="Name">Who copied.</param>
/// <param name="SizeBytes">Bytes copied.</param>
/// <param name="WallSeconds">From the command to the end of the flush.</param>
/// <param name="Job">Used in that time.</param>
/// <param name="Process">Used by the whole process, start and end included.</param>
/// <param name="PeakResidentBytes">Peak memory of the process; 0 where it was not measured.</param>
public sealed record CopyRun(
    string Name,
    ulong SizeBytes,
    double WallSeconds,
    ProcessUse Job,
    ProcessUse Process,
    ulong PeakResidentBytes
)
{
    [JsonIgnore]
    public double MiBPerSecond => SizeBytes / WallSeconds / Units.MiB;

    [JsonIgnore]
    public double JobCpuPerGiB => Job.CpuSeconds / SizeBytes * Units.GiB;

    [JsonIgnore]
    public double ProcessCpuPerGiB => Process.CpuSeconds / SizeBytes * Units.GiB;
}
