// One job of x-query-statistics as words for a table.
using System.Text.Json.Nodes;
using FastBackup.Jobs;

namespace FastBackup.Cli;

/// <param name="job">As the monitor returns it.</param>
/// <param name="bytesPerSecond">Over the last seconds.</param>
sealed class TopJob(JsonNode job, double bytesPerSecond)
{
    const string Unknown = "-";

    public string Id => (string)job["id"]!;

    public string Disk => (string)job["disk"]!;

    public string Status => (string)job["status"]!;

    /// <summary>A job that copies nothing of its own is never a part of the way.</summary>
    public string Percent => HasEnd ? Phrases.Text($"{100.0 * Done / Total:0} %") : Unknown;

    public string Rate => Phrases.Rate(bytesPerSecond);

    public string Left => bytesPerSecond > 0 && HasEnd ? Phrases.Duration((Total - Done) / bytesPerSecond) : Unknown;

    public string LoadedP99 => P99("loaded-guests");

    public string QuietP99 => P99("quiet-guests");

    public string Captured => ByteSize.Format((ulong)job["gauges"]!["capture-bytes"]!);

    public string CaptureLimit => ByteSize.Format((ulong)job["gauges"]!["capture-limit-bytes"]!);

    bool HasEnd => (string?)job["sync"] != BackupWords.Sync.Of(BackupSync.None) && Total > 0;

    ulong Done => (ulong)job["progress"]!["done-bytes"]!;

    ulong Total => (ulong)job["progress"]!["total-bytes"]!;

    /// <summary>Nanoseconds as milliseconds.</summary>
    public static string Ms(JsonNode ns) => Phrases.Text($"{(ulong)ns / 1e6:0.00}");

    string P99(string whose) => (ulong)job[whose]!["count"]! == 0 ? Unknown : Ms(job[whose]!["p99-ns"]!);
}
