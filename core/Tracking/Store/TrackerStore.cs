// What a tracker keeps durable, and in which order. It does no I/O: it gives batches of steps and is told when they
// have ended. Intents and fine pages may be under way at once.
//
//   closed --TryOpen, BeginIntents--> opening --EndIntents--> open --fine flush--> open --TryClose--> closed
//
// Why nothing is lost. A write passes only in "open", after both copies of the intent are durable: whatever lands has
// an open region. Its bit is in the live map before it passes. A region is closed only if a flush that has ended has
// every bit that the live map has for it now, and "now" is a quiesced moment: no write is between its look at the gate
// and its bit. From that moment on the gate holds the region's writes; they have it opened again, in a batch behind the
// one that closes it. So at every instant a write that may have landed is in both copies of the fine map, or its region
// is open in both copies of the intents.
//
// Attach, before the first write may pass, each step after the one before: the intents whole (what one copy alone has
// is no promise yet), the fine pages of which a copy is bad, the live map filled, the header "open" with this boot.
//
// Trouble: when a step fails the tracker is inconsistent, for good. Nothing is tried again: after a failed flush nobody
// knows what is durable. Writes are held until the header says so, or cannot say so either; then all pass.
//
// Cost: opening writes 4 KiB twice per page of intents and flushes once, for all writes that wait; a flush of the fine
// map flushes twice. Memory: 2 bits a region, and 64 fine pages.
// What it does not do: choose what is opened ahead, what is flushed and when: that is the watcher's.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Memory;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Tracking.Store;

/// <summary>Threads: the reactor's; <see cref="IsOpen"/> any. Allocates for headers only.</summary>
sealed class TrackerStore : IDisposable
{
    public const int OpeningMax = 1024;

    readonly HierarchicalBitmap _gate;
    readonly int _regionShift;
    readonly AlignedRegion _header = AlignedRegion.Map(HeaderBytes.LengthBytes, RegionResidency.Resident);
    readonly ulong[] _opening = new ulong[OpeningMax];
    int _openingCount;
    bool _isOver;

    /// <param name="tracker">Without a refusal. Its bitmaps stay the caller's and are used here from now on: what has
    /// changed as the live map, what is open as the gate.</param>
    public TrackerStore(RecoveredTracker tracker)
    {
        Check.That(tracker.Refusal == TrackerRefusal.None);
        Header = tracker.Header!;
        _regionShift = Header.Shape.RegionShift;
        _gate = tracker.Open!;
        Intents = new IntentSectors(Header, _gate, tracker.LastSequence);
        Fine = new FinePages(Header, tracker.Changed!, tracker.LastSequence);
        HeaderBatch = new TrackerBatch(_header, isTogether: false, 1);
    }

    /// <summary>As it is in the file, or on its way there.</summary>
    public TrackerHeader Header { get; private set; }

    public IntentSectors Intents { get; }

    public FinePages Fine { get; }

    public TrackerBatch HeaderBatch { get; }

    /// <summary>The highest that a block of intents or of the map that records has.</summary>
    public ulong LastSequence => Math.Max(Intents.Sequence, Fine.Sequence);

    /// <summary>One bit a region: it is open, as <see cref="IsOpen"/> says until it gives up.</summary>
    public HierarchicalBitmap Gate => _gate;

    /// <summary>Whether a write to the range may pass. Threads: any, wait-free.</summary>
    public bool IsOpen(in Extent extent)
    {
        if (extent.IsEmpty || Volatile.Read(ref _isOver))
            return true;
        ulong first = extent.OffsetBytes >> _regionShift;
        ulong last = (extent.EndBytes - 1) >> _regionShift;
        if (first == last)
            return _gate.GetBit(first);
        return _gate.NextCleanBit(first, last + 1) == HierarchicalBitmap.NotFound;
    }

    /// <summary>Open, or being opened.</summary>
    public ulong OpenCount => _gate.CountBits() + (ulong)_openingCount;

    /// <returns>The first closed region from there on, or the end.</returns>
    public ulong NextClosed(ulong region, ulong endRegion) =>
        Math.Min(_gate.NextCleanBit(region, endRegion), endRegion);

    /// <returns>The first open region from there on, or the end.</returns>
    public ulong NextOpen(ulong region, ulong endRegion) => Math.Min(_gate.NextDirtyBit(region, endRegion), endRegion);

    /// <summary>What is open, for a larger disk: the caller's. Nobody opens or closes meanwhile.</summary>
    public HierarchicalBitmap EnlargeOpen(ulong diskBytes)
    {
        HierarchicalBitmap larger = HierarchicalBitmap.Create(diskBytes, _gate.GranularityBytes);
        Check.That(larger.MergeLive(_gate).IsNone);
        return larger;
    }

    /// <summary>Collects a closed region for the next batch, once.</summary>
    /// <returns>False: a batch is under way, or this one has no room.</returns>
    public bool TryOpen(ulong region)
    {
        if (Intents.IsIdle && Intents.IsSet(region))
            return true;
        if (!Intents.IsIdle || _openingCount == OpeningMax || !Intents.TrySet(region, isOpen: true))
            return false;
        _opening[_openingCount++] = region;
        return true;
    }

    /// <summary>
    /// In a quiesced moment: closes the region in the gate, and collects it for the next batch. Its writes wait from
    /// here on.
    /// </summary>
    /// <returns>False: it is not open, the last flush does not have all of it, a batch is under way or has no room; it
    /// stays as it is.</returns>
    public bool TryClose(ulong region)
    {
        if (!Intents.IsIdle || !_gate.GetBit(region) || !Fine.Has(region) || !Intents.TrySet(region, isOpen: false))
            return false;
        _gate.ClearBits(region, 1);
        return true;
    }

    /// <summary>The steps of the batch were carried out, all of them: its regions are open, or closed.</summary>
    public void EndIntents()
    {
        Intents.Batch.End();
        foreach (ulong region in _opening.AsSpan(0, _openingCount))
            _gate.SetBits(region, 1);
        _openingCount = 0;
    }

    /// <summary>Writes a header, with the next sequence; its steps may be taken.</summary>
    /// <param name="header">The sequence does not matter.</param>
    /// <param name="isSecondFirst">The second copy is the one that is bad.</param>
    public void BeginHeader(TrackerHeader header, bool isSecondFirst = false)
    {
        Header = header with { Sequence = Header.Sequence + 1 };
        HeaderBytes.Write(Header, _header.Slice(0, HeaderBytes.LengthBytes));
        ulong firstAt = isSecondFirst ? HeaderBytes.SecondCopyAt : 0;
        HeaderBatch.Add(0, HeaderBytes.LengthBytes, firstAt, HeaderBytes.SecondCopyAt - firstAt);
        HeaderBatch.Begin();
    }

    /// <summary>A step has failed and the header has said so, if it could: everything passes, for good.</summary>
    public void GiveUp() => Volatile.Write(ref _isOver, true);

    /// <summary>No step may be under way.</summary>
    public void Dispose()
    {
        Intents.Dispose();
        Fine.Dispose();
        _header.Dispose();
    }
}
