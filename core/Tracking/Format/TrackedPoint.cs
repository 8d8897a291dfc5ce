// A point in time of a tracked disk: what has changed since is all that its map and the maps of later points name.
// The points of a tracker are in the order of time; each map has what changed between its point and the next one, the
// last one records. One of them is where the last backup without a name was made (the base); it may have a name, too.
// One that is a bitmap's goes when the bitmap is removed.
// One that has neither was deleted while its map recorded: nobody can name it, the map is still needed by older points.
using System.Text;
using FastBackup.Bitmaps;

namespace FastBackup.Tracking.Format;

/// <summary>Immutable.</summary>
/// <param name="MapId">Of the map that begins here.</param>
/// <param name="CreatedNs">Since 1970; 0: not known.</param>
/// <param name="IsBase">The last backup without a name was made here.</param>
/// <param name="Name">Empty: it has none.</param>
public sealed record TrackedPoint(ulong MapId, ulong CreatedNs, bool IsBase, string Name)
{
    /// <summary>It is kept for a persistent bitmap of this name, which records from here on.</summary>
    public bool IsBitmap { get; init; }

    /// <summary>Of one tracker, named.</summary>
    public const int CountMax = 64;

    internal const int NameBytesMax = DirtyBitmap.NameBytesMax;

    /// <summary>With a name or without: the base, and one that was deleted while it recorded, and one that was frozen
    /// since.</summary>
    internal const int EntriesMax = CountMax + 3;

    /// <summary>Nobody needs it to be kept apart.</summary>
    internal bool IsForgotten => Name.Length == 0 && !IsBase;

    /// <summary>Whether a point may be called so: the rules of dirty bitmaps.</summary>
    public static bool IsName(string name) =>
        name.Length > 0
        && Encoding.UTF8.GetByteCount(name) <= DirtyBitmap.NameBytesMax
        && !name.Contains('\0', System.StringComparison.Ordinal);
}
