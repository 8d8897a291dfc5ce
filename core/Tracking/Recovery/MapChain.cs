// The points of a tracker with their maps, oldest first: a map has what changed between its point and the next one, the
// last one records. What has changed since a point is the union of the maps from there on.
//
// Cost: a union walks the dirty lines of each map (HierarchicalBitmap.Merge, vectors where they are dense), and takes
// the pages of a fresh bitmap; how much one has is counted without making it (BitmapUnion). Memory: a bit a granule and
// map, of which only pages that have bits are there.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Recovery;

/// <summary>Threads: one at a time; bits of the map that records may be set by any meanwhile.</summary>
sealed class MapChain : IDisposable
{
    readonly List<TrackedPoint> _points;
    readonly List<HierarchicalBitmap> _maps;

    /// <param name="points">One at least.</param>
    /// <param name="maps">One a point; its own from here on.</param>
    public MapChain(IReadOnlyList<TrackedPoint> points, IReadOnlyList<HierarchicalBitmap> maps)
    {
        Check.That(points.Count > 0);
        Check.That(points.Count == maps.Count);
        (_points, _maps) = ([.. points], [.. maps]);
    }

    public IReadOnlyList<TrackedPoint> Points => _points;

    public IReadOnlyList<HierarchicalBitmap> Maps => _maps;

    /// <returns>-1: there is no point of this name.</returns>
    public int Find(string name) => name.Length == 0 ? -1 : _points.FindIndex(point => point.Name == name);

    /// <returns>Index of the point whose map this is; -1: there is none.</returns>
    public int FindMap(ulong mapId) => _points.FindIndex(point => point.MapId == mapId);

    public int BaseIndex => _points.FindIndex(point => point.IsBase);

    /// <summary>Adds what has changed since a point, up to now.</summary>
    /// <param name="index">Of the point.</param>
    /// <param name="target">Gains it; of the disk's size and the maps' granularity. Only the caller uses it.</param>
    public void AddSince(int index, HierarchicalBitmap target)
    {
        for (int i = index; i < _maps.Count; i++)
            Check.That(target.Merge(_maps[i]).IsNone);
    }

    /// <summary>How many bytes have changed since each point, up to now: as many as there are points.</summary>
    public ulong[] CountSinceEach()
    {
        ulong[] changedBytes = new ulong[_maps.Count];
        BitmapUnion.CountFromEach(_maps, changedBytes);
        return changedBytes;
    }

    /// <summary>Of the points that have names, oldest first: each with how many bytes have changed since.</summary>
    public List<(TrackedPoint Point, ulong ChangedBytes)> CountSinceNamed()
    {
        ulong[] changedBytes = CountSinceEach();
        List<(TrackedPoint, ulong)> named = [];
        for (int i = 0; i < _points.Count; i++)
            if (_points[i].Name.Length > 0)
                named.Add((_points[i], changedBytes[i]));
        return named;
    }

    /// <summary>As <see cref="AddSince"/>, into a bitmap of its own: the caller's. Where that comes to most of its
    /// pages, they are taken all at once, in huge ones, which is an eighth of the time.</summary>
    public HierarchicalBitmap Since(int index)
    {
        BitmapOptions options = new(IsResident: BitmapUnion.IsSpread(_maps[index..]));
        HierarchicalBitmap target = HierarchicalBitmap.Create(_maps[^1].SizeBytes, _maps[^1].GranularityBytes, options);
        AddSince(index, target);
        return target;
    }

    /// <summary>Has other points from here on. Maps that are in both stay; those that are not needed go.</summary>
    /// <param name="points">As above.</param>
    /// <param name="maps">As above.</param>
    public void Replace(IReadOnlyList<TrackedPoint> points, IReadOnlyList<HierarchicalBitmap> maps)
    {
        Check.That(points.Count == maps.Count);
        HashSet<HierarchicalBitmap> kept = [.. maps];
        foreach (HierarchicalBitmap map in _maps)
            if (!kept.Contains(map))
                map.Dispose();
        _points.Clear();
        _points.AddRange(points);
        _maps.Clear();
        _maps.AddRange(maps);
    }

    public void Dispose()
    {
        foreach (HierarchicalBitmap map in _maps)
            map.Dispose();
    }
}
