// What a tracker file says about its disk, for whoever asks: which parts have changed since the last backup or since a
// named point, or why it cannot tell.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: one. Owner of the bitmap.</summary>
public sealed class TrackedChanges : IDisposable
{
    RecoveredTracker _found;
    HierarchicalBitmap? _changed;
    ulong? _changedBytes;

    internal TrackedChanges(RecoveredTracker found, DiskStamp stamp) => (_found, Stamp) = (found, stamp);

    /// <summary>None: all the rest is there.</summary>
    public TrackerRefusal Refusal => _found.Refusal;

    /// <summary>To the granule: the tracker was closed, or its process was killed in this boot.</summary>
    public bool IsExact =>
        _found.Rule == RecoveryRule.Exact || (_found.Header is { State: TrackerState.Closed } && LostBlockCount == 0);

    /// <summary>Nobody has closed it: its process was killed, or the power was cut.</summary>
    public bool WasOpen => _found.Header is { State: TrackerState.Open };

    /// <summary>Since the last backup without a name: one bit a granule; null when refused. Made when it is asked for.
    /// </summary>
    /// <exception cref="InsufficientMemoryException">The map does not fit.</exception>
    public HierarchicalBitmap? Changed
    {
        get
        {
            if (_changed == null && _found is { Refusal: TrackerRefusal.None, Chain: { } chain })
                _changed = chain.Since(chain.BaseIndex);
            return _changed;
        }
    }

    /// <summary>How many bytes of it there are; null when refused. Needs no map; counted when it is asked for first.
    /// </summary>
    public ulong? ChangedBytes
    {
        get
        {
            if (_changedBytes == null && _found is { Refusal: TrackerRefusal.None, Chain: { } chain })
                _changedBytes = chain.CountSinceEach()[chain.BaseIndex];
            return _changedBytes;
        }
    }

    /// <summary>The points that have names, oldest first, each with how many bytes have changed since; empty when
    /// refused.</summary>
    public IReadOnlyList<(TrackedPoint Point, ulong ChangedBytes)> CountSinceNamed() =>
        _found.Chain?.CountSinceNamed() ?? [];

    /// <summary>The points that have names, oldest first; empty when refused.</summary>
    public IReadOnlyList<TrackedPoint> Points =>
        _found.Chain == null ? [] : [.. _found.Chain.Points.Where(point => point.Name.Length > 0)];

    /// <summary>Whether there is a point of this name.</summary>
    public bool Has(string point) => _found.Chain?.Find(point) >= 0;

    /// <summary>What has changed since a point that is there; the caller's.</summary>
    /// <exception cref="InsufficientMemoryException">The map does not fit.</exception>
    public HierarchicalBitmap Since(string point) => _found.Chain!.Since(_found.Chain.Find(point));

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

    /// <summary>The disk as it was when this was read.</summary>
    internal DiskStamp Stamp { get; private set; }

    /// <summary>The file has what was found.</summary>
    /// <param name="written">With the bitmaps that were found.</param>
    internal void Settle(RecoveredTracker written) => _found = written;

    /// <summary>The disk has grown meanwhile.</summary>
    internal void Settle(RecoveredTracker seen, DiskStamp stamp)
    {
        (_found, Stamp) = (seen, stamp);
        _changed?.Dispose();
        (_changed, _changedBytes) = (null, null);
    }

    /// <summary>All but the maps goes; they are the caller's.</summary>
    internal RecoveredTracker Take()
    {
        _changed?.Dispose();
        return _found;
    }

    public void Dispose()
    {
        _changed?.Dispose();
        _found.Dispose();
    }
}
