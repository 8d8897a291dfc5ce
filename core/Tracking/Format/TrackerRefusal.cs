// Why a tracker file is not used: each of them means a full backup, and none of them ever means "nothing changed".
using FastBackup.Base;

namespace FastBackup.Tracking.Format;

public enum TrackerRefusal
{
    None,

    /// <summary>Neither copy of the header begins as one.</summary>
    NotATracker,

    /// <summary>It is to become one by an import, and is none yet.</summary>
    Waiting,

    /// <summary>No copy of the header is whole.</summary>
    TornHeader,

    /// <summary>Written by a version that this one cannot read.</summary>
    UnknownVersion,

    /// <summary>Uses something that this version does not know and must not pass over.</summary>
    UnknownFeature,

    /// <summary>Whole, and says what cannot be: a bug of whoever wrote it.</summary>
    Impossible,

    /// <summary>The file ends before its areas do.</summary>
    Truncated,
    ForeignDisk,

    /// <summary>The disk is smaller than it was, or too large by now.</summary>
    Resized,
    Inconsistent,

    /// <summary>It was exported: a tracker on another host goes on with what it had.</summary>
    Moved,

    /// <summary>The disk is not as it was left.</summary>
    ForeignWrites,
}

public static class TrackerRefusals
{
    /// <summary>The file is this disk's, and a full backup makes it right again.</summary>
    public static bool IsHealedByFull(this TrackerRefusal refusal) =>
        refusal is TrackerRefusal.Inconsistent or TrackerRefusal.ForeignWrites;

    /// <summary>A clause for people.</summary>
    public static string Explain(TrackerRefusal refusal) =>
        refusal switch
        {
            TrackerRefusal.NotATracker => "is not a tracker file",
            TrackerRefusal.Waiting => "waits for what 'track import' brings",
            TrackerRefusal.TornHeader => "has no whole header left",
            TrackerRefusal.UnknownVersion => "was written by a version that this one cannot read",
            TrackerRefusal.UnknownFeature => "uses something that this version does not know",
            TrackerRefusal.Impossible => "says what cannot be, and was not written by this program",
            TrackerRefusal.Truncated => "was cut short",
            TrackerRefusal.ForeignDisk => "belongs to another disk",
            TrackerRefusal.Resized => "belongs to this disk as it was when it was larger",
            TrackerRefusal.Inconsistent => "has missed changes",
            TrackerRefusal.Moved => "was moved to another host",
            TrackerRefusal.ForeignWrites => "was not there when the disk was written to",
            _ => "is whole",
        };

    /// <summary>Which tracker is not used, and why: the beginning of a sentence.</summary>
    public static string Describe(string path, TrackerRefusal refusal) =>
        $"tracker '{path}' {Explain(refusal)} ({Words.Of(refusal)})";

    /// <summary>What helps: the end of that sentence.</summary>
    public static string Advise(TrackerRefusal refusal) =>
        refusal.IsHealedByFull() ? "a full backup with it makes it right again"
        : refusal == TrackerRefusal.Waiting ? "import its token"
        : "add a new one for this disk";

    /// <summary>As events, JSON and texts have them.</summary>
    public static WordTable<TrackerRefusal> Words { get; } =
        new(
            ("none", TrackerRefusal.None),
            ("not-a-tracker", TrackerRefusal.NotATracker),
            ("waiting", TrackerRefusal.Waiting),
            ("torn-header", TrackerRefusal.TornHeader),
            ("unknown-version", TrackerRefusal.UnknownVersion),
            ("unknown-feature", TrackerRefusal.UnknownFeature),
            ("impossible", TrackerRefusal.Impossible),
            ("truncated", TrackerRefusal.Truncated),
            ("foreign-disk", TrackerRefusal.ForeignDisk),
            ("resized", TrackerRefusal.Resized),
            ("inconsistent", TrackerRefusal.Inconsistent),
            ("epoch", TrackerRefusal.Moved),
            ("foreign-writes", TrackerRefusal.ForeignWrites)
        );
}
