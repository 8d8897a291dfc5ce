// What is done to a tracker file while no guest writes, step by step on a thread that may wait. After each step there
// is nothing that a power cut or a kill could find that is not right:
//
//   Begin    all fine pages, the intents, (the live file), the header "open"
//            before the last step the old header counts, with maps that have more than they had, never less
//   End      all fine pages, no intents, the header "closed"
//            before the last step it is open, and the live map exact
//   Reset    the header "inconsistent", fine pages and intents of the new map, the header "closed"
//            for a map that has less than before: what is half done must not be believed
//
// The first fault ends each. Cost: every page twice; 130 MiB for 64 TiB with granules of 64 KiB.
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
        store.Intents.BeginWhole();
        Fault intents = Carry(file, store.Intents.Whole);
        store.Intents.Whole.End();
        return intents;
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
    /// <param name="header">As it is in the file now.</param>
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
        Fault fault = WriteHeader(file, store, header with { State = TrackerState.Inconsistent });
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
