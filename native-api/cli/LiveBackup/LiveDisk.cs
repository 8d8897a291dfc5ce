// One disk of a live backup: what the host calls it, where its copy goes, and the job that makes it.
using System.Linq;
using FastBackup.Devices.Targets;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class LiveDisk(string name, ulong sizeBytes)
{
    const int NameMax = 31; // of a node
    const string Prefix = "live-";

    /// <summary>Of the disk in the host's monitor.</summary>
    public string Name => name;

    public ulong SizeBytes => sizeBytes;

    /// <summary>Name of its target's node and of its job: always the same one, so that what a killed run has left is
    /// found again.</summary>
    public string JobId { get; } = MakeId(name);

    /// <summary>As the person gave it.</summary>
    public string Target { get; set; } = "";

    public TargetPlace? Place { get; set; }

    /// <summary>The monitor has the target as a node.</summary>
    public bool IsNode { get; set; }

    /// <summary>The monitor has made its job.</summary>
    public bool IsStarted { get; set; }

    public bool IsConcluded { get; set; }

    /// <summary>Why its job failed, or null.</summary>
    public string? Error { get; set; }

    public ulong DoneBytes { get; set; }

    public ulong SkippedBytes { get; set; }

    /// <summary>The copy has its name.</summary>
    public bool IsPublished { get; set; }

    /// <summary>Where an unfinished copy is kept, or null.</summary>
    public string? PartialPath => Place is { HasPartial: true } place ? place.PartialPath : null;

    /// <summary>For --json.</summary>
    public LiveBackupDisk Picture() =>
        new(
            Name,
            Target,
            SizeBytes,
            DoneBytes,
            IsPublished ? "published"
                : PartialPath != null ? "partial"
                : "none",
            PartialPath,
            Error
        );

    static string MakeId(string name)
    {
        string plain = string.Concat(
            name.Select(one => char.IsAsciiLetterOrDigit(one) || one is '-' or '_' ? one : '.')
        );
        if (plain == name && Prefix.Length + name.Length <= NameMax)
            return Prefix + name;
        ulong mixed = name.Aggregate(14695981039346656037ul, (hash, one) => (hash ^ one) * 1099511628211ul); // FNV-1a
        string end = mixed.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
        return Prefix + plain[..System.Math.Min(plain.Length, NameMax - Prefix.Length - end.Length - 1)] + "." + end;
    }
}
