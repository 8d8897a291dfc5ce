// A tracker file with points, as a model that may lose power: what is done to it, and what it says.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;
using FastBackup.Tracking.Store;

namespace FastBackup.Tests.Unit.Tracking;

static class PointScene
{
    /// <summary>150 granules in one page; regions of two.</summary>
    public static TrackerShape Shape { get; } = new(150 * 4096 + 700, 12, 13);

    public static TrackerHeader Header() =>
        TrackerScene.Header(Shape) with
        {
            Areas = HeaderRules.Place(Shape, TrackerScene.MapId, isLiveElsewhere: true),
            IsLiveElsewhere = true,
            Stamp = new DiskStamp(0, 0, new Digest32(3, 4)), // of a block device, which others may make larger
        };

    public static ModelFile NewFile() => new(TrackerScene.NewFile(Header()));

    public static RecoveredTracker Recover(ITrackerReader file) => Recover(file, Shape.DiskBytes);

    /// <summary>Of a disk that may have grown since, and that nobody has written to.</summary>
    public static RecoveredTracker Recover(ITrackerReader file, ulong diskBytes)
    {
        TrackerHeader header = Header();
        TrackerWorld world = new(
            header.DiskId,
            diskBytes,
            header.Stamp,
            TrackerScene.Boot + 1,
            header.Home,
            IsFileSettled: true,
            header.Stamp.Places
        );
        RecoveredTracker found = TrackerRecovery.Recover(file, world);
        bool hasGrown = found.Refusal == TrackerRefusal.None && found.Header!.Shape.DiskBytes < diskBytes;
        return hasGrown ? TrackerGrowth.See(found, diskBytes) : found;
    }

    /// <summary>As if a guest had written, and whoever watched had closed the file.</summary>
    public static void Change(ModelFile file, IEnumerable<ulong> granules)
    {
        using RecoveredTracker found = Recover(file);
        Check.That(found.Refusal == TrackerRefusal.None);
        foreach (ulong granule in granules)
            found.Changed!.SetBits(granule, 1);
        using TrackerStore store = TrackerSteps.Take(found, found.Open!);
        Check.That(TrackerSteps.End(file, store, found.Header!.Stamp).IsNone);
    }

    public static Fault Add(ITrackerStorage file, string name, bool movesBase = false)
    {
        using RecoveredTracker found = Recover(file);
        using PointPlan plan = PointPlan.Add(found.Header!, found.Chain!, name, 12345, movesBase, isAtRest: true);
        return TrackerSteps.ChangePoints(file, found, plan, found.Header!.Stamp);
    }

    public static Fault Delete(ITrackerStorage file, string name)
    {
        using RecoveredTracker found = Recover(file);
        using PointPlan plan = PointPlan.Delete(found.Header!, found.Chain!, found.Chain!.Find(name));
        return TrackerSteps.ChangePoints(file, found, plan, found.Header!.Stamp);
    }

    /// <summary>Of the base (as "*") and of each named point, what has changed since; or the refusal.</summary>
    public static string Describe(ITrackerReader file)
    {
        using RecoveredTracker found = Recover(file);
        if (found.Refusal != TrackerRefusal.None)
            return TrackerRefusals.Words.Of(found.Refusal);
        MapChain chain = found.Chain!;
        List<string> words = [];
        using HierarchicalBitmap since = HierarchicalBitmap.Create(chain.Maps[^1].SizeBytes, Shape.GranuleBytes);
        for (int i = chain.Points.Count - 1; i >= 0; i--) // the youngest first: each has what the next one has
        {
            TrackedPoint point = chain.Points[i];
            Check.That(since.Merge(chain.Maps[i]).IsNone);
            string bits = Bits(since);
            if (point.Name.Length > 0)
                words.Add($"{point.Name}:{bits}");
            if (point.IsBase)
                words.Add("*:" + bits);
        }
        words.Reverse();
        return string.Join(' ', words);
    }

    static string Bits(HierarchicalBitmap bits)
    {
        if (bits.CountBits() == bits.BitCount)
            return "all";
        List<ulong> found = [];
        for (ulong bit = 0; (bit = bits.NextDirtyBit(bit, bits.BitCount)) < bits.BitCount; bit++)
            found.Add(bit);
        return string.Join(',', found.Select(bit => bit.ToString(System.Globalization.CultureInfo.InvariantCulture)));
    }
}
