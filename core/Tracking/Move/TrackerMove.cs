// A tracker goes from one host to another, in an order in which any step may be the last:
//
//   taker   Await     a file that is no tracker yet, with a word that nobody else has
//   giver   Give      the token without its signature; all maps, as in a clean stop; the header "moved"; the signature
//   taker   Take      maps, table and intents where nobody looks; the header, second copy first
//
// The giver's header is durable before a token counts, so there never are two who go on. Ended before that step the
// giver has what it had, and the token is worth nothing; ended after it and before the signature neither goes on, and a
// full backup is needed. The taker's header takes the place of the word: a second import finds none. Ended before its
// second copy is there the file still waits, and the same token can be used; from there on it is a tracker.
//
// The taker's tracker has an id of its own: what the giver left in memory or beside it is never taken for the other's.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Move;

/// <summary>Threads: one, that may wait.</summary>
static class TrackerMove
{
    /// <summary>The file waits from here on.</summary>
    /// <param name="file">New, zeroes.</param>
    /// <param name="word">Chance.</param>
    public static Fault Await(ITrackerStorage file, MoveWord word)
    {
        byte[] page = new byte[WaitingPage.LengthBytes];
        WaitingPage.Write(word, page);
        Fault fault = file.Write(0, page);
        return fault.IsNone ? file.Flush() : fault;
    }

    /// <returns>Null: it does not wait, any more or at all.</returns>
    public static MoveWord? TryGetWord(ITrackerReader file)
    {
        byte[] page = new byte[WaitingPage.LengthBytes];
        HeaderCopy header = TrackerRecovery.ChooseHeader(file);
        return header.Refusal == TrackerRefusal.Waiting && file.TryRead(0, page) ? WaitingPage.TryRead(page) : null;
    }

    /// <param name="file">Of the tracker.</param>
    /// <param name="found">As it is in the file, without a refusal.</param>
    /// <param name="head">Its counts and what is of the tracker do not matter.</param>
    /// <param name="word">Of the host that waits.</param>
    /// <param name="token">Empty.</param>
    /// <param name="lastLook">Whether the disk is still as the head says; asked before anything of the tracker is
    /// changed.</param>
    public static Fault Give(
        ITrackerStorage file,
        RecoveredTracker found,
        TokenHead head,
        MoveWord word,
        ITrackerStorage token,
        Func<Fault> lastLook
    )
    {
        Fault fault = MoveToken.Write(token, head, found.Chain!, word, out byte[] signature);
        if (fault.IsNone)
            fault = lastLook();
        if (fault.IsNone)
            fault = TrackerSteps.Retire(file, found, head.Stamp);
        return fault.IsNone ? MoveToken.Sign(token, signature) : fault;
    }

    /// <param name="file">It waits for this token.</param>
    /// <param name="token">With a right signature.</param>
    /// <param name="diskId">As this host calls the disk.</param>
    /// <param name="stamp">The disk as it is now, and as the token says.</param>
    /// <returns>None; Invalid: a giver with a bug has signed what cannot be.</returns>
    public static Fault Take(ITrackerStorage file, MoveToken token, Digest32 diskId, in DiskStamp stamp)
    {
        MapChain chain = token.Chain;
        TrackerShape shape = token.Head.Shape;
        TrackerHeader header = PlaceAll(token, diskId, stamp, out ulong tableId);
        if (!HeaderRules.IsLegal(header) || !PointTable.IsLegal(header, [.. chain.Points]))
            return new Fault(FaultKind.Invalid);
        using HierarchicalBitmap none = HierarchicalBitmap.Create(shape.DiskBytes, shape.RegionBytes);
        RecoveredTracker taken = new()
        {
            Refusal = TrackerRefusal.None,
            Header = header with { Sequence = 0 }, // the one that is written has 1
            Changed = chain.Maps[^1],
        };
        using TrackerStore store = TrackerSteps.Take(taken, none);
        Fault fault = file.Grow(header.Areas[^1].EndBytes);
        for (int i = 0; i < chain.Points.Count; i++)
        {
            ulong mapId = chain.Points[i].MapId;
            SealedRun map = new(file, header, BlockKind.Fine, mapId, sequence: 1);
            foreach (AreaKind kind in (ReadOnlySpan<AreaKind>)[AreaKind.FineFirst, AreaKind.FineSecond])
                if (fault.IsNone)
                    fault = map.WriteMap(header.Find(kind, mapId).OffsetBytes, chain.Maps[i]);
        }
        SealedRun table = new(file, header, BlockKind.Points, tableId, sequence: 1);
        foreach (AreaKind kind in (ReadOnlySpan<AreaKind>)[AreaKind.PointsFirst, AreaKind.PointsSecond])
            if (fault.IsNone)
                fault = table.WriteBytes(header.Find(kind, tableId).OffsetBytes, PointTable.Write(chain.Points));
        if (fault.IsNone)
            fault = TrackerSteps.WriteIntents(file, store); // it ends with a flush
        return fault.IsNone ? TrackerSteps.WriteHeader(file, store, header, isSecondFirst: true) : fault;
    }

    static TrackerHeader PlaceAll(MoveToken token, Digest32 diskId, in DiskStamp stamp, out ulong tableId)
    {
        TrackerShape shape = token.Head.Shape;
        IReadOnlyList<TrackedPoint> points = token.Chain.Points;
        tableId = token.Head.LastMapId + 1;
        List<TrackerArea> areas = [];
        Place(areas, AreaKind.IntentsFirst, 0, shape.IntentBytes);
        Place(areas, AreaKind.IntentsSecond, 0, shape.IntentBytes);
        foreach (TrackedPoint point in points)
        {
            Place(areas, AreaKind.FineFirst, point.MapId, shape.FineBytes);
            Place(areas, AreaKind.FineSecond, point.MapId, shape.FineBytes);
        }
        ulong tableBytes = (ulong)token.Head.TablePageCount * TrackerShape.PageBytes;
        Place(areas, AreaKind.PointsFirst, tableId, tableBytes);
        Place(areas, AreaKind.PointsSecond, tableId, tableBytes);
        return new TrackerHeader
        {
            TrackerId = token.Head.TakerId,
            Sequence = 1,
            Shape = shape,
            DiskId = diskId,
            State = TrackerState.Closed,
            IsLiveElsewhere = true,
            Stamp = stamp,
            MapId = points[^1].MapId,
            LastMapId = tableId,
            Areas = [.. areas],
        };
    }

    static void Place(List<TrackerArea> areas, AreaKind kind, ulong mapId, ulong lengthBytes)
    {
        ulong atBytes = areas.Count == 0 ? HeaderBytes.AreasAt : areas[^1].EndBytes;
        areas.Add(new TrackerArea(kind, TrackerArea.MustBeKnown, mapId, atBytes, lengthBytes));
    }
}
