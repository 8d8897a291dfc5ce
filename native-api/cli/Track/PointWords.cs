// How points are called, made and refused on the command line.
using System;
using System.Globalization;
using System.Text;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Cli;

static class PointWords
{
    /// <summary>Ns since 1970.</summary>
    public static ulong NowNs() => (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    /// <summary>As text that sorts; empty where nobody knows.</summary>
    public static string TimeOf(ulong createdNs) =>
        createdNs == 0
            ? ""
            : DateTime
                .UnixEpoch.AddTicks((long)(createdNs / 100))
                .ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Why a point cannot be called so, as the end of a sentence; null: it can.</summary>
    public static string? CheckName(string name) =>
        TrackedPoint.IsName(name) ? null
        : name.Length == 0 ? "is empty; a checkpoint's name has 1 to 1023 bytes"
        : $"has {Encoding.UTF8.GetByteCount(name)} bytes; a checkpoint's name has 1 to 1023";

    /// <summary>Why a point cannot be added, as a sentence; null: it can.</summary>
    public static string? CheckNew(TrackedChanges changes, string tracker, string name) =>
        changes.Has(name) ? $"tracker '{tracker}' has a checkpoint '{name}' already; delete it or give another name"
        : changes.Points.Count >= TrackedPoint.CountMax
            ? $"tracker '{tracker}' has {TrackedPoint.CountMax} checkpoints, which is the most; delete one first"
        : null;

    /// <summary>Why there is no such point, as a sentence.</summary>
    public static string Missing(string tracker, string name) =>
        $"tracker '{tracker}' has no checkpoint '{name}'; it was deleted, or the tracker began anew (epoch)";
}
