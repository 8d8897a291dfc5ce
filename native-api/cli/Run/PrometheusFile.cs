// How a run went, as the node exporter of Prometheus reads it from its textfile folder. When the last run succeeded is
// taken over from the file that was there.
// Source: Prometheus' exposition formats, node_exporter's textfile collector.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

namespace FastBackup.Cli;

static class PrometheusFile
{
    const string SuccessName = "fastbackup_last_success_timestamp_seconds";
    const UnixFileMode Readable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <param name="path">Replaced.</param>
    /// <param name="done">How the run ended.</param>
    /// <param name="now">When.</param>
    /// <returns>Null, or why it could not be written, a sentence.</returns>
    public static string? TryWrite(string path, RunDoneEvent done, DateTimeOffset now) =>
        ReplacedFile.TryWrite("report", path, () => Text(done, now, LastSuccess(path)), Readable);

    public static string Text(RunDoneEvent done, DateTimeOffset now, double? lastSuccess)
    {
        StringBuilder text = new();
        string config = $"config=\"{Escape(done.Config)}\"";
        double seconds = now.ToUnixTimeMilliseconds() / 1000.0;
        Add(text, "fastbackup_last_run_timestamp_seconds", "When the last run ended.", config, seconds);
        if ((done.ExitCode == ExitCode.Done ? seconds : lastSuccess) is { } success)
            Add(text, SuccessName, "When the last run without a failure ended.", config, success);
        Add(text, "fastbackup_last_run_exit_code", "Of the last run; 0 is success.", config, done.ExitCode);
        Add(text, "fastbackup_last_run_duration_seconds", "Of the last run.", config, done.Seconds);
        if (done.StoredBytes is { } stored)
            Add(text, "fastbackup_last_run_stored_bytes", "New in the repository.", config, stored);
        if (done.FrozenSeconds is { } frozen)
            Add(text, "fastbackup_last_run_frozen_seconds", "How long guests were frozen at most.", config, frozen);
        (string Name, string Help, Func<DiskDoneEntry, double?> Of)[] ofDisks =
        [
            ("success", "1: the disk is in the last point.", disk => disk.Status == RunStatus.Done.Word() ? 1 : 0),
            ("size_bytes", "Of the disk.", disk => disk.Bytes),
            ("read_bytes", "Read in the last run.", disk => disk.ReadBytes),
            ("incremental", "1: only changes were read.", disk => disk.Mode == null ? null : IsIncremental(disk)),
        ];
        foreach ((string name, string help, Func<DiskDoneEntry, double?> of) in ofDisks)
        {
            Head(text, "fastbackup_disk_" + name, help);
            foreach (DiskDoneEntry disk in done.Disks ?? [])
                if (of(disk) is { } value)
                    Line(
                        text,
                        "fastbackup_disk_" + name,
                        $"{config},host=\"{Escape(done.Host ?? "")}\",disk=\"{Escape(disk.Disk)}\"",
                        value
                    );
        }
        return text.ToString();
    }

    static double IsIncremental(DiskDoneEntry disk) => disk.Mode == "incremental" ? 1 : 0;

    static double? LastSuccess(string path)
    {
        if (!File.Exists(path) || new FileInfo(path).Length > 1 << 20)
            return null;
        string? line = File.ReadLines(path)
            .FirstOrDefault(one => one.StartsWith(SuccessName + "{", StringComparison.Ordinal));
        return
            line != null
            && double.TryParse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture, out double value)
            ? value
            : null;
    }

    static void Add(StringBuilder text, string name, string help, string labels, double value)
    {
        Head(text, name, help);
        Line(text, name, labels, value);
    }

    static void Head(StringBuilder text, string name, string help) =>
        _ = text.Append("# HELP ")
            .Append(name)
            .Append(' ')
            .Append(help)
            .Append('\n')
            .Append("# TYPE ")
            .Append(name)
            .Append(" gauge\n");

    static void Line(StringBuilder text, string name, string labels, double value) =>
        _ = text.Append(name)
            .Append('{')
            .Append(labels)
            .Append("} ")
            .Append(value.ToString("0.###", CultureInfo.InvariantCulture))
            .Append('\n');

    static string Escape(string label) =>
        label
            .Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
}
