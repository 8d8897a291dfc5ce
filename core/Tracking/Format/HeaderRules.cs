// What a header may say: whatever a whole header says is checked here before anybody acts on it, so a file that was
// made to harm can at worst be refused. Also where a new file's areas are.
using System;
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
            && header.State is TrackerState.Closed or TrackerState.Open or TrackerState.Inconsistent
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
            && Count(header, AreaKind.FineFirst, mapId, shape.FineBytes) == 1
            && Count(header, AreaKind.FineSecond, mapId, shape.FineBytes) == 1
            && (header.IsLiveElsewhere || Count(header, AreaKind.Live, mapId, shape.LiveBytes) == 1);
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
