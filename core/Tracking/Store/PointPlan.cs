// What becomes of a tracker's points by one change, before anything of it is done: the points, the maps that are new,
// where all of it is, and the header that makes it so. Nothing that a header names is ever written over: new maps and
// the new table go where no header that may count has anything, and the header is the one step that counts. So whatever
// ends between two steps, a point is there whole or not at all, and no other point has lost a bit.
//
//   add       a new map records; the one before is frozen. Of several points of one instant each has a map, and nothing
//             is in those of all but the last
//   delete    the point has no name any more; its map goes into that of the point before, as soon as it is frozen. The
//             oldest one's map is needed by nobody, and goes
//   grow      the disk is larger: all maps and the intents are new ones in new places, as the old ones are too short.
//             What is new of the disk counts as changed in the map that records, so it does since every point
//
// Map ids are never given twice, so what lies in a place from an older map is none of the new one's (SealedBlock).
// Cost: of a new map, a page for 32,256 granules, written twice.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Tracking.Store;

/// <summary>Threads: one. Owner of the new maps until the chain has taken them.</summary>
sealed class PointPlan : IDisposable
{
    readonly TrackerHeader _before;
    readonly List<TrackedPoint> _points;
    readonly List<HierarchicalBitmap> _maps;
    readonly List<HierarchicalBitmap> _owned = [];
    readonly List<int> _newMaps = [];
    TrackerShape _shape;
    ulong _lastMapId;

    PointPlan(TrackerHeader header, MapChain chain)
    {
        (_before, _shape, _lastMapId) = (header, header.Shape, header.LastMapId);
        _points = [.. chain.Points];
        _maps = [.. chain.Maps];
        Header = header;
    }

    /// <summary>As it is to be; the sequence does not matter.</summary>
    public TrackerHeader Header { get; private set; }

    public IReadOnlyList<TrackedPoint> Points => _points;

    public IReadOnlyList<HierarchicalBitmap> Maps => _maps;

    /// <summary>Which maps are to be written before the header.</summary>
    public IReadOnlyList<int> NewMaps => _newMaps;

    /// <summary>The table as it is to be written; empty: there is nothing to say in one.</summary>
    public byte[] Table { get; private set; } = [];

    /// <summary>Id of the table, where there is one.</summary>
    public ulong TableId { get; private set; }

    /// <summary>So long the file must be.</summary>
    public ulong FileBytes { get; private set; }

    /// <summary>A point now.</summary>
    /// <param name="header">That counts.</param>
    /// <param name="chain">Of the tracker.</param>
    /// <param name="name">A legal one that no point has; empty: only the base moves.</param>
    /// <param name="createdNs">Since 1970.</param>
    /// <param name="movesBase">The last backup without a name is this one.</param>
    /// <param name="isAtRest">The map that records so far is as it will be when it is frozen.</param>
    /// <param name="isBitmap">It is a persistent bitmap's.</param>
    /// <exception cref="InsufficientMemoryException">A map does not fit.</exception>
    public static PointPlan Add(
        TrackerHeader header,
        MapChain chain,
        string name,
        ulong createdNs,
        bool movesBase,
        bool isAtRest,
        bool isBitmap = false
    )
    {
        Check.That(movesBase || name.Length > 0);
        PointPlan plan = new(header, chain);
        if (movesBase)
            plan.MoveBaseAway();
        plan.Compact(isAtRest ? plan._points.Count : plan._points.Count - 1);
        plan.Append(name, createdNs, movesBase, isBitmap);
        plan.Place();
        return plan;
    }

    /// <summary>Several points now, of a disk in use.</summary>
    /// <param name="header">That counts.</param>
    /// <param name="chain">Of the tracker.</param>
    /// <param name="names">At least one; legal ones that no point has, each once, and whether it is a persistent
    /// bitmap's.</param>
    /// <param name="createdNs">Since 1970.</param>
    /// <exception cref="InsufficientMemoryException">A map does not fit.</exception>
    public static PointPlan AddAll(
        TrackerHeader header,
        MapChain chain,
        IReadOnlyList<(string Name, bool IsBitmap)> names,
        ulong createdNs
    )
    {
        Check.That(names.Count > 0);
        PointPlan plan = new(header, chain);
        plan.Compact(plan._points.Count - 1);
        foreach ((string name, bool isBitmap) in names)
            plan.Append(name, createdNs, isBase: false, isBitmap);
        plan.Place();
        return plan;
    }

    void Append(string name, ulong createdNs, bool isBase, bool isBitmap)
    {
        Check.That(name.Length == 0 || !_points.Exists(point => point.Name == name));
        HierarchicalBitmap clean = Own(HierarchicalBitmap.Create(_shape.DiskBytes, _shape.GranuleBytes));
        _points.Add(new TrackedPoint(NextId(), createdNs, isBase, name) { IsBitmap = isBitmap });
        _maps.Add(clean);
        _newMaps.Add(_maps.Count - 1);
    }

    /// <summary>A point has no name any more.</summary>
    /// <param name="header">That counts.</param>
    /// <param name="chain">Of the tracker.</param>
    /// <param name="index">Of a point that has a name.</param>
    /// <exception cref="InsufficientMemoryException">A map does not fit.</exception>
    public static PointPlan Delete(TrackerHeader header, MapChain chain, int index)
    {
        Check.That(chain.Points[index].Name.Length > 0);
        PointPlan plan = new(header, chain);
        plan._points[index] = plan._points[index] with { Name = "", IsBitmap = false };
        plan.Compact(plan._points.Count - 1);
        plan.Place();
        return plan;
    }

    /// <summary>The disk is larger. The map that records is empty until <see cref="TakeRecording"/>, and is none of
    /// the new maps.</summary>
    /// <param name="header">That counts.</param>
    /// <param name="chain">Of the tracker.</param>
    /// <param name="diskBytes">Above the header's; the shape is legal with it.</param>
    /// <exception cref="InsufficientMemoryException">A map does not fit.</exception>
    public static PointPlan Grow(TrackerHeader header, MapChain chain, ulong diskBytes)
    {
        Check.That(diskBytes > header.Shape.DiskBytes);
        PointPlan plan = new(header, chain) { _shape = header.Shape with { DiskBytes = diskBytes } };
        int last = plan._maps.Count - 1;
        for (int i = 0; i <= last; i++)
        {
            HierarchicalBitmap larger = plan.Own(HierarchicalBitmap.Create(diskBytes, plan._shape.GranuleBytes));
            if (i < last)
            {
                Check.That(larger.MergeLive(plan._maps[i]).IsNone);
                plan._newMaps.Add(i);
            }
            plan._maps[i] = larger;
            plan._points[i] = plan._points[i] with { MapId = plan.NextId() };
        }
        plan.Place();
        return plan;
    }

    /// <summary>Of a plan to grow: the map that records has what it had, and all that is new.</summary>
    /// <param name="before">The one that records so far; nobody sets bits in it any more.</param>
    public void TakeRecording(HierarchicalBitmap before)
    {
        HierarchicalBitmap recording = _maps[^1];
        Check.That(recording.MergeLive(before).IsNone);
        ulong firstBit = before.SizeBytes / before.GranularityBytes; // the last granule may have become longer
        recording.SetBits(firstBit, recording.BitCount - firstBit);
    }

    /// <summary>The chain is this from here on, and owns the maps.</summary>
    public void Commit(MapChain chain)
    {
        chain.Replace(_points, _maps);
        _ = _owned.RemoveAll(_maps.Contains);
    }

    void MoveBaseAway()
    {
        int index = _points.FindIndex(point => point.IsBase);
        _points[index] = _points[index] with { IsBase = false };
    }

    /// <summary>Merges the maps of points that nobody can name, of those before an index.</summary>
    void Compact(int end)
    {
        for (int i = end - 1; i >= 0; i--)
        {
            if (!_points[i].IsForgotten)
                continue;
            if (i > 0)
                MergeIntoOneBefore(i);
            _points.RemoveAt(i);
            _maps.RemoveAt(i);
            _ = _newMaps.Remove(i);
            for (int j = 0; j < _newMaps.Count; j++)
                _newMaps[j] -= _newMaps[j] > i ? 1 : 0;
        }
    }

    void MergeIntoOneBefore(int index)
    {
        HierarchicalBitmap both = Own(HierarchicalBitmap.Create(_shape.DiskBytes, _shape.GranuleBytes));
        Check.That(HierarchicalBitmap.Merge(_maps[index - 1], _maps[index], both).IsNone);
        _maps[index - 1] = both;
        _points[index - 1] = _points[index - 1] with { MapId = NextId() };
        if (!_newMaps.Contains(index - 1))
            _newMaps.Add(index - 1);
    }

    /// <summary>Finds places, and makes the header.</summary>
    void Place()
    {
        List<TrackerArea> areas = [];
        foreach (TrackerArea area in _before.Areas)
            if (StaysAsItIs(area))
                areas.Add(area);
        List<TrackerArea> taken = [.. _before.Areas];
        if (HasGrown)
        {
            Take(AreaKind.IntentsFirst, 0, _shape.IntentBytes, areas, taken);
            Take(AreaKind.IntentsSecond, 0, _shape.IntentBytes, areas, taken);
        }
        for (int i = 0; i < _points.Count; i++)
        {
            if (!HasGrown && !_newMaps.Contains(i))
                continue;
            Take(AreaKind.FineFirst, _points[i].MapId, _shape.FineBytes, areas, taken);
            Take(AreaKind.FineSecond, _points[i].MapId, _shape.FineBytes, areas, taken);
        }
        if (_points.Count > 1 || _points[0].Name.Length > 0)
        {
            Table = PointTable.Write(_points);
            TableId = NextId();
            ulong lengthBytes = (ulong)(Table.Length / PointTable.BytesPerPage) * TrackerShape.PageBytes;
            Take(AreaKind.PointsFirst, TableId, lengthBytes, areas, taken);
            Take(AreaKind.PointsSecond, TableId, lengthBytes, areas, taken);
        }
        foreach (TrackerArea area in areas)
            FileBytes = Math.Max(FileBytes, area.EndBytes);
        Header = _before with
        {
            Shape = _shape,
            IsLiveElsewhere = true,
            MapId = _points[^1].MapId,
            LastMapId = _lastMapId,
            Areas = [.. areas],
        };
        Check.That(HeaderRules.IsLegal(Header));
        Check.That(Table.Length == 0 || PointTable.IsLegal(Header, [.. _points]));
    }

    bool StaysAsItIs(in TrackerArea area)
    {
        ulong mapId = area.MapId;
        return area.Kind switch
        {
            AreaKind.FineFirst or AreaKind.FineSecond => _points.Exists(point => point.MapId == mapId),
            AreaKind.IntentsFirst or AreaKind.IntentsSecond => !HasGrown,
            AreaKind.Live or AreaKind.PointsFirst or AreaKind.PointsSecond => false,
            _ => true,
        };
    }

    static void Take(AreaKind kind, ulong mapId, ulong lengthBytes, List<TrackerArea> areas, List<TrackerArea> taken)
    {
        ulong atBytes = HeaderRules.FindRoom(taken, lengthBytes);
        TrackerArea area = new(kind, TrackerArea.MustBeKnown, mapId, atBytes, lengthBytes);
        areas.Add(area);
        taken.Add(area);
    }

    bool HasGrown => _shape != _before.Shape;

    ulong NextId() => ++_lastMapId;

    HierarchicalBitmap Own(HierarchicalBitmap map)
    {
        _owned.Add(map);
        return map;
    }

    /// <summary>What was not committed goes.</summary>
    public void Dispose()
    {
        foreach (HierarchicalBitmap map in _owned)
            map.Dispose();
    }
}
