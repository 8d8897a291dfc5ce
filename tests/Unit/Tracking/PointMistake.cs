// What could be done wrong when the points of a tracker change, each of which the model must notice.
namespace FastBackup.Tests.Unit.Tracking;

public enum PointMistake
{
    None,

    /// <summary>The header names a point before its map is written.</summary>
    PointBeforeMap,

    /// <summary>Maps are written and not flushed before the header.</summary>
    MapNotFlushed,

    /// <summary>A map that is merged into another loses a bit.</summary>
    MergeDrops,

    /// <summary>Ids of maps that are gone are given again, and what lies there is taken for the new map.</summary>
    MapIdReused,

    /// <summary>Only the first copy of the header is written.</summary>
    OneCopyOfHeader,
}
