// A disk's dirty bitmaps as clients of a server are told of them: as they are when they ask. What a job has frozen is
// told as it was frozen. A checkpoint of its tracker is told as a bitmap "checkpoint:NAME" of what has changed since,
// until the question is asked.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Bitmaps;
using FastBackup.Serving;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the loop's.</summary>
/// <param name="disk">Whose they are.</param>
/// <param name="chosen">Those of them that are shown, while the disk has them; null: all, and the checkpoints.</param>
sealed class ExportedBitmaps(DiskObject disk, IReadOnlySet<string>? chosen = null) : IServedBitmaps
{
    const string CheckpointPrefix = "checkpoint:";

    public IEnumerable<string> Names =>
        chosen?.Where(name => disk.Core.FindBitmap(name) != null)
        ?? disk.Core.Bitmaps.Select(bitmap => bitmap.Name).Concat(CheckpointNames);

    public bool TryFind(string name, List<HierarchicalBitmap> bits)
    {
        if (chosen?.Contains(name) == false)
            return false;
        if (disk.Core.FindBitmap(name) is { } bitmap)
        {
            bits.Add(bitmap.Bits);
            return true;
        }
        return chosen == null
            && name.StartsWith(CheckpointPrefix, System.StringComparison.Ordinal)
            && Points?.TryMapsSince(name[CheckpointPrefix.Length..], bits) == true;
    }

    /// <summary>Null: nothing is tracked, or not any more.</summary>
    DiskPoints? Points => disk.Tracker is { IsOver: false } tracker ? tracker.Points : null;

    /// <summary>A persistent bitmap is among the others.</summary>
    IEnumerable<string> CheckpointNames
    {
        get
        {
            foreach (TrackedPoint point in Points?.Named ?? [])
                if (!point.IsBitmap)
                    yield return CheckpointPrefix + point.Name;
        }
    }
}
