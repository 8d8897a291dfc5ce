// What a tracker file says about its disk, for whoever asks: which parts have changed, or why it cannot tell.
using System;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: one. Owner of the bitmap.</summary>
public sealed class TrackedChanges : IDisposable
{
    readonly RecoveredTracker _found;

    internal TrackedChanges(RecoveredTracker found) => _found = found;

    /// <summary>None: all the rest is there.</summary>
    public TrackerRefusal Refusal => _found.Refusal;

    /// <summary>To the granule: the tracker was closed, or its process was killed in this boot.</summary>
    public bool IsExact =>
        _found.Rule == RecoveryRule.Exact || (_found.Header is { State: TrackerState.Closed } && LostBlockCount == 0);

    /// <summary>Nobody has closed it: its process was killed, or the power was cut.</summary>
    public bool WasOpen => _found.Header is { State: TrackerState.Open };

    /// <summary>One bit a granule; null when refused.</summary>
    public HierarchicalBitmap? Changed => _found.Changed;

    /// <summary>0: no header could be read.</summary>
    public ulong GranuleBytes => _found.Header?.Shape.GranuleBytes ?? 0;

    public ulong RegionBytes => _found.Header?.Shape.RegionBytes ?? 0;

    /// <summary>Of the disk that it was made for.</summary>
    public ulong DiskBytes => _found.Header?.Shape.DiskBytes ?? 0;

    /// <summary>Regions that the file has for open.</summary>
    public ulong OpenRegionCount => _found.Open?.CountBits() ?? 0;

    /// <summary>Blocks without a whole copy: what they tell about counts as changed.</summary>
    public ulong LostBlockCount => _found.LostBlockCount;

    internal RecoveredTracker Found => _found;

    public void Dispose() => _found.Dispose();
}
