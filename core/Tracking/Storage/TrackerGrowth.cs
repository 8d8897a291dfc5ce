// A tracker whose disk has become larger. Old granules stay as they are, what is new counts as changed since every
// point. All maps and the intents are too short then: new ones are written where nothing is that a header names, then
// the header with the new size, which is the one step that counts. Before it the file says what it said, of a smaller
// disk, and whoever reads it makes the same of it again; so a kill or a power cut between any two steps loses nothing.
//
//   at rest   See: what is so, without a write. Write: the file has it, and is closed. Lengthen: and the disk, too
//   in use    (frozen maps and table while guests write; then all writes are held) WriteRecording, header
//
// Cost: every map twice, of the new size. What was there before is free for the next growth or the next points.
// What it does not do: shrink. A disk that is smaller is refused.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Interop.Linux;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: one, that may wait.</summary>
static class TrackerGrowth
{
    /// <summary>What is so of a larger disk; the file does not have it yet.</summary>
    /// <param name="found">Without a refusal, of a smaller disk; its bitmaps are used up.</param>
    /// <param name="diskBytes">The size now, legal.</param>
    /// <exception cref="System.InsufficientMemoryException">The maps do not fit.</exception>
    public static RecoveredTracker See(RecoveredTracker found, ulong diskBytes)
    {
        PointPlan plan = PointPlan.Grow(found.Header!, found.Chain!, diskBytes);
        plan.TakeRecording(found.Changed!);
        HierarchicalBitmap open = HierarchicalBitmap.Create(diskBytes, found.Open!.GranularityBytes);
        Check.That(open.MergeLive(found.Open).IsNone);
        found.Open.Dispose();
        plan.Commit(found.Chain!);
        return new RecoveredTracker
        {
            Refusal = TrackerRefusal.None,
            Header = plan.Header,
            Rule = found.Rule,
            Changed = found.Chain!.Maps[^1],
            Chain = found.Chain,
            Open = open,
            LostBlockCount = found.LostBlockCount,
            IsSecondHeaderBad = found.IsSecondHeaderBad,
            LastSequence = found.LastSequence,
            Growth = plan,
        };
    }

    /// <summary>See <c>TrackerFile.GrowDisk</c>; the size is legal.</summary>
    public static Fault Lengthen(TrackerFile file, FileDevice disk, TrackedChanges changes, ulong diskBytes)
    {
        if (Files.Ftruncate(disk.Fd, (long)diskBytes) != 0)
            return Errnos.ToFault(Marshal.GetLastPInvokeError());
        DiskStamp stamp = default;
        Fault fault = disk.Grow(diskBytes);
        if (fault.IsNone)
            fault = DiskFacts.TryStampForGood(disk.Fd, diskBytes, out stamp);
        if (fault.IsNone)
            changes.Settle(See(changes.Found, diskBytes), stamp);
        return fault.IsNone ? file.WriteGrowth(changes) : fault;
    }

    /// <summary>The file has the new size, and is closed. Nobody writes to the disk.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="seen">From See.</param>
    /// <param name="stamp">The disk as it is.</param>
    /// <param name="written">What the file has now; takes the bitmaps over. Null after a fault.</param>
    public static Fault Write(
        ITrackerStorage file,
        RecoveredTracker seen,
        in DiskStamp stamp,
        out RecoveredTracker? written
    )
    {
        written = null;
        PointPlan plan = seen.Growth!;
        ulong sequence = seen.LastSequence + 1;
        using HierarchicalBitmap none = HierarchicalBitmap.Create(
            plan.Header.Shape.DiskBytes,
            plan.Header.Shape.RegionBytes
        );
        using TrackerStore store = TrackerSteps.Take(seen, none);
        Fault fault = TrackerSteps.WriteNew(file, plan, sequence);
        if (fault.IsNone)
            fault = WriteRecording(file, plan, store, sequence);
        TrackerHeader header = plan.Header with { State = TrackerState.Closed, Stamp = stamp };
        if (fault.IsNone)
            fault = TrackerSteps.WriteHeader(file, store, header, seen.IsSecondHeaderBad);
        if (fault.IsNone)
            written = new RecoveredTracker
            {
                Refusal = TrackerRefusal.None,
                Header = store.Header,
                Changed = seen.Changed,
                Chain = seen.Chain,
                Open = seen.Open,
                LastSequence = store.LastSequence,
            };
        return fault;
    }

    /// <summary>All writes are held: what is open and what was marked goes over to the larger disk.</summary>
    /// <param name="plan">To grow, of the header that counts.</param>
    /// <param name="before">As it was; no step is under way.</param>
    /// <param name="recording">The map that records so far.</param>
    /// <param name="sequence">Above that of any block in the file.</param>
    /// <param name="open">Its regions; the caller's.</param>
    /// <returns>As it is to be; the caller's.</returns>
    public static TrackerStore TakeOver(
        PointPlan plan,
        TrackerStore before,
        HierarchicalBitmap recording,
        ulong sequence,
        out HierarchicalBitmap open
    )
    {
        plan.TakeRecording(recording);
        open = before.EnlargeOpen(plan.Header.Shape.DiskBytes);
        RecoveredTracker larger = new()
        {
            Refusal = TrackerRefusal.None,
            Header = plan.Header with { Sequence = before.Header.Sequence },
            Changed = plan.Maps[^1],
            Open = open,
            LastSequence = sequence,
        };
        return TrackerSteps.Take(larger, open);
    }

    /// <summary>The map that records, and the intents, in their new places.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="plan">To grow; what is frozen, and the table, is written.</param>
    /// <param name="store">As it is to be.</param>
    /// <param name="sequence">Above that of any block in the file.</param>
    public static Fault WriteRecording(ITrackerStorage file, PointPlan plan, TrackerStore store, ulong sequence)
    {
        ulong mapId = plan.Header.MapId;
        SealedRun map = new(file, plan.Header, BlockKind.Fine, mapId, sequence);
        Fault fault = map.WriteMap(plan.Header.Find(AreaKind.FineFirst, mapId).OffsetBytes, plan.Maps[^1]);
        if (fault.IsNone)
            fault = map.WriteMap(plan.Header.Find(AreaKind.FineSecond, mapId).OffsetBytes, plan.Maps[^1]);
        return fault.IsNone ? TrackerSteps.WriteIntents(file, store) : fault; // it ends with a flush
    }
}
