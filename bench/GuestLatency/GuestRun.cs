// One row of one round.
using System.Text.Json.Serialization;

namespace FastBackup.Bench.GuestLatency;

/// <param name="Row">What was measured on whom.</param>
/// <param name="Round">From 1.</param>
/// <param name="Guest">What the guest felt; null without one.</param>
/// <param name="Pace">How fast the backup went; null without one.</param>
/// <param name="Cancel">How long it took to be rid of it; null where that was not measured.</param>
sealed record GuestRun(RowKey Row, int Round, GuestFigures? Guest, BackupPace? Pace, CancelTimes? Cancel = null)
{
    [JsonIgnore]
    public double P99Us => Guest?.P99Us ?? 0;

    [JsonIgnore]
    public double Iops => Guest?.Iops ?? 0;

    [JsonIgnore]
    public double MiBPerSecond => Pace?.MiBPerSecond ?? 0;
}
