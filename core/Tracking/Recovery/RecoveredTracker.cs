// What a tracker file gave: a map of what changed, or the reason why there is none.
using System;
using System.Collections.Generic;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Recovery;

enum RecoveryRule
{
    /// <summary>The live map as it was: not one granule too many.</summary>
    Exact,

    /// <summary>The fine map that was durable, and every region that was open.</summary>
    Durable,
}

/// <summary>Threads: one. Owner of the bitmaps until somebody takes them.</summary>
sealed class RecoveredTracker : IDisposable
{
    /// <summary>None: all the rest is there.</summary>
    public required TrackerRefusal Refusal { get; init; }

    /// <summary>The header that counts; null where none could be read.</summary>
    public TrackerHeader? Header { get; init; }

    public RecoveryRule Rule { get; init; }

    /// <summary>What the map that records has: one bit per granule.</summary>
    public HierarchicalBitmap? Changed { get; init; }

    /// <summary>The points and their maps, of which the last is <see cref="Changed"/>; it owns them all.</summary>
    public MapChain? Chain { get; init; }

    /// <summary>One bit per region: open in the file, as far as can be known.</summary>
    public HierarchicalBitmap? Open { get; init; }

    /// <summary>Frozen maps of which a copy of a page does not count.</summary>
    public IReadOnlyList<(int Index, IReadOnlyList<(ulong Page, bool IsSecondBad)> Pages)> BadFrozen { get; init; } =
    [];

    /// <summary>Fine pages of which a copy does not count, lowest first, to be written again before anything else.
    /// </summary>
    public IReadOnlyList<(ulong Page, bool IsSecondBad)> BadPages { get; init; } = [];

    /// <summary>Blocks of which no copy counts: all that they tell about is taken for changed.</summary>
    public ulong LostBlockCount { get; init; }

    /// <summary>The second copy of the header is the one that does not count.</summary>
    public bool IsSecondHeaderBad { get; init; }

    /// <summary>The highest sequence of any block.</summary>
    public ulong LastSequence { get; init; }

    /// <summary>The disk has grown, and this is how the file is to be; it is as it was before. Null: it is as it
    /// says.</summary>
    public PointPlan? Growth { get; init; }

    public void Dispose()
    {
        if (Chain == null)
            Changed?.Dispose();
        else
            Chain.Dispose();
        Open?.Dispose();
    }
}
