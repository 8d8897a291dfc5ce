// How a tracker's state is said to people.
using FastBackup.Base;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Cli;

static class TrackWords
{
    /// <summary>Why it does not tell what has changed, and what to do.</summary>
    public static string Refused(string path, TrackerRefusal refusal) =>
        TrackerRefusals.Describe(path, refusal) + "; " + TrackerRefusals.Advise(refusal);

    /// <summary>Why a backup is a full one.</summary>
    public static string ReasonOf(string word) =>
        word switch
        {
            "new" => "everything counts as changed (new)",
            "new-target" => "TARGET is new, it holds no last copy (new-target)",
            "epoch" => "there is no such checkpoint; it was deleted, or the tracker began anew (epoch)",
            _ => TrackerRefusals.Words.TryRead(word, out TrackerRefusal refusal)
                ? $"the tracker {TrackerRefusals.Explain(refusal)} ({word})"
                : word,
        };

    /// <summary>One line.</summary>
    public static string Describe(TrackedChanges changes)
    {
        ulong bytes = changes.ChangedBytes!.Value;
        double percent = changes.DiskBytes == 0 ? 0 : 100.0 * bytes / changes.DiskBytes;
        string state =
            !changes.WasOpen ? "closed"
            : changes.IsExact ? "its process was killed or still runs; exact all the same"
            : "not closed before the power went; what was open counts as changed";
        string share = Phrases.Text(
            $"{ByteSize.Format(bytes)} of {ByteSize.Format(changes.DiskBytes)} ({percent:0.##} %) changed"
        );
        return $"{share} since the last backup, in granules of {ByteSize.Format(changes.GranuleBytes)}; {state}";
    }
}
