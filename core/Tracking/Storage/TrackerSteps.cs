// What is done to a tracker file while no guest writes, step by step on a thread that may wait. After each step there
// is nothing that a power cut or a kill could find that is not right:
//
//   Begin    all fine pages, the intents, (the live file), the header "open"
//            before the last step the old header counts, with maps that have more than they had, never less
//   End      all fine pages, no intents, the header "closed"
//            before the last step it is open, and the live map exact
//   Retire   the header "moved": what the maps have does not matter any more
//   Points   (the file grows), new maps and the new table where nothing is that counts, the header
//            before the last step the old header counts, with all that it names
//   Growth   as Points, with all maps and the intents new: see TrackerGrowth
//   Reset    the header "inconsistent", fine pages and intents of the new map, the header "closed"
//            for a map that has less than before: what is half done must not be believed
//
// The first fault ends each. Cost: every page twice; 130 MiB for 64 TiB with granules of 64 KiB.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: one, that may wait.</summary>
static class TrackerSteps
{
    /// <summary>A store for what was found, with other regions open: those are to be written by Begin.</summary>
    /// <param name="found">Without a refusal; the bitmaps stay the caller's.</param>
    /// <param name="open">One bit a region.</param>
    public static TrackerStore Take(RecoveredTracker found, HierarchicalBitmap open) =>
        new(
            new RecoveredTracker
            {
                Refusal = TrackerRefusal.None,
                Header = found.Header,
                Changed = found.Changed,
                Open = open,
                LastSequence = found.LastSequence + 1, // what is written now is newer than anything
            }
        );

    /// <summary>Everything but the header.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="store">As it is to be.</param>
    /// <param name="badPages">Of these pages one copy does not count: it is written first.</param>
    public static Fault WriteMaps(
        ITrackerStorage file,
        TrackerStore store,
        IReadOnlyList<(ulong Page, bool IsSecondBad)> badPages
    )
    {
        HashSet<ulong> secondFirst = [];
        foreach ((ulong page, bool isSecondBad) in badPages)
            if (isSecondBad)
                _ = secondFirst.Add(page);
        ulong pageCount = store.Header.Shape.FinePageCount;
        for (ulong page = 0; page < pageCount; )
        {
            store.Fine.Restart();
            while (page < pageCount && store.Fine.TryAddPage(page, secondFirst.Contains(page)))
                page++;
            store.Fine.Batch.Begin();
            Fault fault = Carry(file, store.Fine.Batch);
            store.Fine.End();
            if (fault.IsFault)
                return fault;
        }
        return WriteIntents(file, store);
    }

    /// <summary>All intents, as they are to be.</summary>
    public static Fault WriteIntents(ITrackerStorage file, TrackerStore store)
    {
        store.Intents.BeginWhole();
        Fault fault = Carry(file, store.Intents.Whole);
        store.Intents.Whole.End();
        return fault;
    }

    public static Fault WriteHeader(
        ITrackerStorage file,
        TrackerStore store,
        TrackerHeader header,
        bool isSecondFirst = false
    )
    {
        store.BeginHeader(header, isSecondFirst);
        Fault fault = Carry(file, store.HeaderBatch);
        store.HeaderBatch.End();
        return fault;
    }

    /// <summary>New maps and the table of a plan; the header that names them comes after it.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="plan">Of the header that counts.</param>
    /// <param name="sequence">Above that of any block in the file.</param>
    public static Fault WriteNew(ITrackerStorage file, PointPlan plan, ulong sequence)
    {
        Fault fault = file.SizeBytes < plan.FileBytes ? file.Grow(plan.FileBytes) : Fault.None;
        TrackerHeader header = plan.Header;
        foreach (int index in plan.NewMaps)
        {
            ulong mapId = plan.Points[index].MapId;
            SealedRun map = new(file, header, BlockKind.Fine, mapId, sequence);
            foreach (AreaKind kind in (ReadOnlySpan<AreaKind>)[AreaKind.FineFirst, AreaKind.FineSecond])
                if (fault.IsNone)
                    fault = map.WriteMap(header.Find(kind, mapId).OffsetBytes, plan.Maps[index]);
        }
        SealedRun table = new(file, header, BlockKind.Points, plan.TableId, sequence);
        foreach (AreaKind kind in (ReadOnlySpan<AreaKind>)[AreaKind.PointsFirst, AreaKind.PointsSecond])
            if (fault.IsNone && plan.Table.Length > 0)
                fault = table.WriteBytes(header.Find(kind, plan.TableId).OffsetBytes, plan.Table);
        return fault.IsNone ? file.Flush() : fault;
    }

    /// <summary>Pages of frozen maps of which one copy does not count, or none: that copy first.</summary>
    public static Fault HealFrozen(ITrackerStorage file, RecoveredTracker found)
    {
        Fault fault = Fault.None;
        foreach ((int index, IReadOnlyList<(ulong Page, bool IsSecondBad)> pages) in found.BadFrozen)
        {
            ulong mapId = found.Chain!.Points[index].MapId;
            SealedRun map = new(file, found.Header!, BlockKind.Fine, mapId, found.LastSequence + 1);
            foreach (bool isSecondBad in (ReadOnlySpan<bool>)[false, true])
            {
                AreaKind kind = isSecondBad ? AreaKind.FineSecond : AreaKind.FineFirst;
                ulong atBytes = found.Header!.Find(kind, mapId).OffsetBytes;
                foreach ((ulong page, bool isBad) in pages)
                    if (fault.IsNone && isBad == isSecondBad)
                        fault = map.WritePage(atBytes, found.Chain.Maps[index], page);
            }
            if (fault.IsNone)
                fault = file.Flush();
            // A page of which no copy counted is written to the first place only so far: now the other one.
            ulong secondAt = found.Header!.Find(AreaKind.FineSecond, mapId).OffsetBytes;
            foreach ((ulong page, bool isBad) in pages)
                if (fault.IsNone && !isBad)
                    fault = map.WritePage(secondAt, found.Chain.Maps[index], page);
        }
        return fault.IsNone && found.BadFrozen.Count > 0 ? file.Flush() : fault;
    }

    /// <summary>Nobody writes to the disk: its points become those of a plan.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="found">As it is in the file, without a refusal.</param>
    /// <param name="plan">Of its header; the chain has it afterwards.</param>
    /// <param name="stamp">The disk as it is now; of a file that is closed, as it was left.</param>
    public static Fault ChangePoints(ITrackerStorage file, RecoveredTracker found, PointPlan plan, in DiskStamp stamp)
    {
        TrackerHeader header = found.Header!;
        using TrackerStore store = Take(found, found.Open!);
        Fault fault = Fault.None;
        if (header.State == TrackerState.Open || found.LostBlockCount > 0 || found.Open!.CountBits() > 0)
        {
            // What is known only from the live map or from open regions must be in the pages of the map.
            store.Intents.CloseAll();
            fault = WriteMaps(file, store, found.BadPages);
        }
        if (fault.IsNone)
            fault = WriteNew(file, plan, found.LastSequence + 2);
        if (fault.IsNone)
            fault = WriteHeader(file, store, Closed(plan.Header, stamp), found.IsSecondHeaderBad);
        if (fault.IsNone)
            plan.Commit(found.Chain!);
        return fault;
    }

    /// <summary>Nobody goes on with it from here on: what it has is another's.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="found">As it is in the file, without a refusal.</param>
    /// <param name="stamp">The disk as it is.</param>
    public static Fault Retire(ITrackerStorage file, RecoveredTracker found, in DiskStamp stamp)
    {
        TrackerHeader header = found.Header!;
        using TrackerStore store = Take(found, found.Open!);
        return WriteHeader(
            file,
            store,
            header with
            {
                State = TrackerState.Moved,
                Stamp = stamp,
            },
            found.IsSecondHeaderBad
        );
    }

    /// <summary>Nobody writes to the disk any more: the file has all, and is closed.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="store">No step of it is under way.</param>
    /// <param name="stamp">The disk as it is now.</param>
    public static Fault End(ITrackerStorage file, TrackerStore store, in DiskStamp stamp)
    {
        store.Intents.CloseAll();
        Fault fault = WriteMaps(file, store, []);
        return fault.IsNone ? WriteHeader(file, store, Closed(store.Header, stamp)) : fault;
    }

    /// <summary>Has another map from here on, which may have less.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="header">As it is in the file now, or of a larger disk in places that this one leaves free.</param>
    /// <param name="changed">One bit a granule.</param>
    /// <param name="sequence">The highest of any block in the file.</param>
    /// <param name="stamp">The disk as it is now.</param>
    public static Fault Reset(
        ITrackerStorage file,
        TrackerHeader header,
        HierarchicalBitmap changed,
        ulong sequence,
        in DiskStamp stamp
    )
    {
        using HierarchicalBitmap none = HierarchicalBitmap.Create(header.Shape.DiskBytes, header.Shape.RegionBytes);
        RecoveredTracker found = new()
        {
            Refusal = TrackerRefusal.None,
            Header = header,
            Changed = changed,
            LastSequence = sequence,
        };
        using TrackerStore store = Take(found, none);
        ulong fileBytes = 0;
        foreach (TrackerArea area in header.Areas)
            fileBytes = Math.Max(fileBytes, area.EndBytes);
        Fault fault = file.SizeBytes < fileBytes ? file.Grow(fileBytes) : Fault.None;
        if (fault.IsNone)
            fault = WriteHeader(file, store, header with { State = TrackerState.Inconsistent });
        if (fault.IsNone)
            fault = WriteMaps(file, store, []);
        return fault.IsNone ? WriteHeader(file, store, Closed(store.Header, stamp)) : fault;
    }

    static TrackerHeader Closed(TrackerHeader header, in DiskStamp stamp) =>
        header with
        {
            State = TrackerState.Closed,
            Stamp = stamp,
        };

    /// <summary>Ends with the first fault; whoever has begun the batch ends it.</summary>
    static Fault Carry(ITrackerStorage file, TrackerBatch batch)
    {
        while (batch.TryNext(out TrackerStep step))
        {
            Fault fault = step.IsFlush ? file.Flush() : file.Write(step.OffsetBytes, batch.BytesOf(step));
            if (fault.IsFault)
                return fault;
        }
        return Fault.None;
    }
}
