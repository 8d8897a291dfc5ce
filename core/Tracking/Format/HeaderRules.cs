// What a header may say: whatever a whole header says is checked here before anybody acts on it, so a file that was
// made to harm can at worst be refused. Also where areas are: those of a new file, and those that come later.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Tracking.Format;

static class HeaderRules
{
    /// <summary>No area ends behind it: sums of offsets and lengths never wrap.</summary>
    const ulong FileMaxBytes = 1UL << 62;

    public static bool IsLegal(TrackerHeader header) => Judge(header) == TrackerRefusal.None;

    /// <returns>None, UnknownFeature, Impossible.</returns>
    public static TrackerRefusal Judge(TrackerHeader header)
    {
        bool isSound =
            header.Shape.IsLegal
            && header.State is >= TrackerState.Closed and <= TrackerState.Moved
            && header.Sequence > 0
            && header.MapId > 0
            && header.MapId <= header.LastMapId;
        return isSound ? JudgeAreas(header) : TrackerRefusal.Impossible;
    }

    /// <summary>The areas of a new file, one after the other.</summary>
    public static TrackerArea[] Place(in TrackerShape shape, ulong mapId, bool isLiveElsewhere = false)
    {
        Check.That(shape.IsLegal);
        ulong atBytes = HeaderBytes.AreasAt;
        TrackerArea[] areas =
        [
            Next(AreaKind.IntentsFirst, 0, shape.IntentBytes, ref atBytes),
            Next(AreaKind.IntentsSecond, 0, shape.IntentBytes, ref atBytes),
            Next(AreaKind.FineFirst, mapId, shape.FineBytes, ref atBytes),
            Next(AreaKind.FineSecond, mapId, shape.FineBytes, ref atBytes),
            Next(AreaKind.Live, mapId, shape.LiveBytes, ref atBytes),
        ];
        return isLiveElsewhere ? areas[..^1] : areas;
    }

    /// <summary>The first place where so many bytes are free.</summary>
    /// <param name="areas">What is taken, also by a header that may still count.</param>
    /// <param name="lengthBytes">Whole pages, above 0.</param>
    public static ulong FindRoom(IReadOnlyList<TrackerArea> areas, ulong lengthBytes)
    {
        TrackerArea[] sorted = [.. areas];
        Array.Sort(sorted, (left, right) => left.OffsetBytes.CompareTo(right.OffsetBytes));
        ulong atBytes = HeaderBytes.AreasAt;
        foreach (TrackerArea area in sorted)
        {
            if (area.OffsetBytes >= atBytes && area.OffsetBytes - atBytes >= lengthBytes)
                return atBytes;
            atBytes = Math.Max(atBytes, area.EndBytes);
        }
        return atBytes;
    }

    /// <summary>Whether a map has both copies of its fine pages, once.</summary>
    public static bool HasFine(TrackerHeader header, ulong mapId) =>
        Count(header, AreaKind.FineFirst, mapId, header.Shape.FineBytes) == 1
        && Count(header, AreaKind.FineSecond, mapId, header.Shape.FineBytes) == 1;

    /// <summary>Without points: only what every tracker has. What else was there is free.</summary>
    public static TrackerHeader WithoutPoints(TrackerHeader header) =>
        header with
        {
            Areas = Array.FindAll(
                header.Areas,
                area =>
                    area.Kind is AreaKind.Live or AreaKind.FineFirst or AreaKind.FineSecond
                        ? area.MapId == header.MapId
                        : area.Kind is not (AreaKind.PointsFirst or AreaKind.PointsSecond)
            ),
        };

    /// <summary>Of a larger disk, without points, in places that nothing has yet: for a file that is about to be
    /// written anew.</summary>
    public static TrackerHeader Enlarge(TrackerHeader header, ulong diskBytes)
    {
        TrackerShape shape = header.Shape with { DiskBytes = diskBytes };
        ulong mapId = header.LastMapId + 1;
        List<TrackerArea> areas = [];
        List<TrackerArea> taken = [.. header.Areas];
        foreach (TrackerArea area in Place(shape, mapId, isLiveElsewhere: true))
        {
            TrackerArea placed = area with { OffsetBytes = FindRoom(taken, area.LengthBytes) };
            areas.Add(placed);
            taken.Add(placed);
        }
        return header with
        {
            Shape = shape,
            IsLiveElsewhere = true,
            MapId = mapId,
            LastMapId = mapId,
            Areas = [.. areas],
        };
    }

    static TrackerArea Next(AreaKind kind, ulong mapId, ulong lengthBytes, ref ulong atBytes)
    {
        TrackerArea area = new(kind, TrackerArea.MustBeKnown, mapId, atBytes, lengthBytes);
        atBytes = area.EndBytes;
        return area;
    }

    static TrackerRefusal JudgeAreas(TrackerHeader header)
    {
        if (header.Areas.Length > HeaderBytes.AreasMax)
            return TrackerRefusal.Impossible;
        foreach (TrackerArea area in header.Areas)
            if (!area.IsKnown && (area.Flags & TrackerArea.MustBeKnown) != 0)
                return TrackerRefusal.UnknownFeature;
        foreach (TrackerArea area in header.Areas)
            if (!IsPlaced(area))
                return TrackerRefusal.Impossible;
        TrackerArea[] sorted = [.. header.Areas];
        Array.Sort(sorted, (left, right) => left.OffsetBytes.CompareTo(right.OffsetBytes));
        for (int i = 1; i < sorted.Length; i++)
            if (sorted[i].OffsetBytes < sorted[i - 1].EndBytes)
                return TrackerRefusal.Impossible;
        return HasWhatItNeeds(header) ? TrackerRefusal.None : TrackerRefusal.Impossible;
    }

    static bool IsPlaced(in TrackerArea area) =>
        area.OffsetBytes is >= HeaderBytes.AreasAt and <= FileMaxBytes
        && area.LengthBytes is > 0 and <= FileMaxBytes
        && area.EndBytes <= FileMaxBytes
        && Units.IsAligned(area.OffsetBytes | area.LengthBytes, TrackerShape.PageBytes);

    static bool HasWhatItNeeds(TrackerHeader header)
    {
        TrackerShape shape = header.Shape;
        ulong mapId = header.MapId;
        return Count(header, AreaKind.IntentsFirst, 0, shape.IntentBytes) == 1
            && Count(header, AreaKind.IntentsSecond, 0, shape.IntentBytes) == 1
            && HasFine(header, mapId)
            && HasTableOrNone(header)
            && (header.IsLiveElsewhere || Count(header, AreaKind.Live, mapId, shape.LiveBytes) == 1);
    }

    /// <summary>The two copies of one table, of the same length, or nothing of it.</summary>
    static bool HasTableOrNone(TrackerHeader header)
    {
        TrackerArea[] first = Array.FindAll(header.Areas, area => area.Kind == AreaKind.PointsFirst);
        TrackerArea[] second = Array.FindAll(header.Areas, area => area.Kind == AreaKind.PointsSecond);
        if (first.Length == 0 && second.Length == 0)
            return true;
        return first.Length == 1
            && second.Length == 1
            && first[0].MapId == second[0].MapId
            && first[0].MapId is var id
            && id > 0
            && id <= header.LastMapId
            && first[0].LengthBytes == second[0].LengthBytes
            && first[0].LengthBytes <= PointTable.LengthMaxBytes;
    }

    /// <summary>How many such areas there are, of which each must be long enough; else -1.</summary>
    static int Count(TrackerHeader header, AreaKind kind, ulong mapId, ulong lengthMinBytes)
    {
        int count = 0;
        foreach (TrackerArea area in header.Areas)
        {
            if (area.Kind != kind || area.MapId != mapId)
                continue;
            if (area.LengthBytes < lengthMinBytes)
                return -1;
            count++;
        }
        return count;
    }
}
