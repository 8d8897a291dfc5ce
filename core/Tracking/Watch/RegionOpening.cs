// Opens regions for writes that wait: all that are asked for in one turn, or while a batch is under way, go into one
// batch (group commit), so a flush serves all who wait. Writes that run on from an open region have the next ones
// opened with them, twice as many each time, so that a copy of a whole disk waits some ten times.
//
// The open set is what a power cut adds to the truth; it has a bound. When it is full, writes to other regions wait
// until RegionClosing has made room; a write that is larger than half the bound passes it, for its own time.
using System;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Ports;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Watch;

/// <summary>Threads: the loop's. Allocates nothing after its construction.</summary>
/// <param name="disk">Whose writes wait.</param>
/// <param name="store">What is open.</param>
/// <param name="run">Carries the batches out; its end is told here.</param>
/// <param name="openMax">Regions that may be open.</param>
sealed class RegionOpening(Disk disk, TrackerStore store, BatchRun run, ulong openMax) : ILoopTask
{
    const ulong AheadFirst = 4;
    const ulong AheadPart = 8; // at most this part of the open set

    ulong _ahead;
    ulong _runsOnAt; // a write here goes on from where the last ones were opened ahead
    bool _isSoon;

    /// <summary>There is no way to make room: the bound does not hold.</summary>
    public bool MayPassBound { get; set; }

    /// <summary>A batch is about to begin.</summary>
    public bool IsSoon => _isSoon;

    /// <summary>Collects what a write needs that is closed, and has it opened soon.</summary>
    public void Want(in Extent extent)
    {
        if (!store.Intents.IsIdle)
            return; // it is looked at again when the batch has ended
        TrackerShape shape = store.Header.Shape;
        ulong first = extent.OffsetBytes >> shape.RegionShift;
        ulong end = ((extent.EndBytes - 1) >> shape.RegionShift) + 1;
        bool mayPass = MayPassBound || IsLarge(end - first);
        for (ulong region = store.NextClosed(first, end); region < end; region = store.NextClosed(region + 1, end))
        {
            if (!mayPass && store.OpenCount >= openMax)
                break;
            if (!store.TryOpen(region))
                break;
            OpenAhead(region);
        }
        BeginSoon();
    }

    /// <summary>A write to so many regions does not keep to the bound.</summary>
    public bool IsLarge(ulong regionCount) => regionCount > openMax / 2;

    /// <summary>What was collected is begun in the next turn: until then others may join.</summary>
    public void BeginSoon()
    {
        if (_isSoon || store.Intents.IsEmpty)
            return;
        _isSoon = true;
        disk.Loop.Defer(this, 0);
    }

    void ILoopTask.Run(ulong argument)
    {
        _isSoon = false;
        if (store.Intents.IsEmpty || !store.Intents.IsIdle || run.IsBusy)
            return;
        store.Intents.Begin();
        run.Begin(store.Intents.Batch);
    }

    void OpenAhead(ulong region)
    {
        ulong count = store.Header.Shape.RegionCount;
        bool runsOn = region > 0 && store.NextOpen(region - 1, region) < region;
        if (!runsOn)
            return;
        _ahead = region == _runsOnAt ? Math.Min(2 * _ahead, openMax / AheadPart) : AheadFirst;
        ulong end = Math.Min(count, region + 1 + _ahead);
        _runsOnAt = end;
        for (ulong next = store.NextClosed(region + 1, end); next < end; next = store.NextClosed(next + 1, end))
            if (store.OpenCount >= openMax - openMax / AheadPart || !store.TryOpen(next))
                return;
    }
}
