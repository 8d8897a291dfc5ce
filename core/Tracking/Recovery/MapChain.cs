// The points of a tracker with their maps, oldest first: a map has what changed between its point and the next one, the
// last one records. What has changed since a point is the union of the maps from there on.
//
// Cost: a union walks the dirty lines of each map (HierarchicalBitmap.Merge, vectors where they are dense). Memory: a
// bit a granule and map, of which only pages that have bits are there.
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

    /// <summary>As <see cref="AddSince"/>, into a bitmap of its own: the caller's.</summary>
    public HierarchicalBitmap Since(int index)
    {
        HierarchicalBitmap target = HierarchicalBitmap.Create(_maps[^1].SizeBytes, _maps[^1].GranularityBytes);
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
