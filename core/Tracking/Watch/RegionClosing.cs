// Keeps the set of open regions small: when it is three quarters full, some are flushed into the fine map in the
// background and then closed in a quiesced moment, if nothing was marked in them meanwhile. A hand goes round the disk,
// so those that were opened longest ago come about first, and those that lie together share pages; one that is closed
// and written to again is opened again, and is then behind the hand.
//
//   idle --three quarters--> flushing --durable--> waits for the intents' batch --ended--> moment --> idle
//
// Cost: of a round up to 64 pages of 4 KiB, written twice, two flushes; a quiesced moment of 256 regions at most.
using System;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Ports;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Watch;

/// <summary>Threads: the loop's. Allocates nothing after its construction.</summary>
sealed class RegionClosing : ILoopTask
{
    const int RegionsMax = 256;
    const ulong BarNs = Units.NsPerSecond;

    enum Step
    {
        Idle,
        Flushing,
        WaitsForIntents,
        Moment,
    }

    readonly Disk _disk;
    readonly TrackerStore _store;
    readonly RegionOpening _opening;
    readonly BatchRun _run;
    readonly ulong _startCount;
    readonly QuiescedChange _change;
    readonly ulong[] _chosen = new ulong[RegionsMax];
    int _chosenCount;
    Step _step;
    ulong _hand;
    ulong _barredUntilNs;
    ulong _barTimerKey;
    bool _isStopped;
    bool _isPaused;
    Action? _onPaused;

    /// <param name="disk">Whose writes are watched.</param>
    /// <param name="store">What is open.</param>
    /// <param name="opening">Begins the batches.</param>
    /// <param name="run">Carries the flushes out; its end is told here.</param>
    /// <param name="openMax">Regions that may be open.</param>
    public RegionClosing(Disk disk, TrackerStore store, RegionOpening opening, BatchRun run, ulong openMax)
    {
        (_disk, _store, _opening, _run) = (disk, store, opening, run);
        _startCount = openMax - openMax / 4;
        _change = new QuiescedChange(disk.Loop, [disk], Close);
    }

    /// <summary>Regions closed so far.</summary>
    public ulong ClosedCount { get; private set; }

    /// <summary>For a while nothing is closed: a write waits for more regions than go into one batch.</summary>
    public void Bar()
    {
        _barredUntilNs = _disk.Loop.Clock.NowNs + BarNs;
        if (_barTimerKey == 0)
            _barTimerKey = _disk.Loop.StartTimer(_barredUntilNs, this, 0);
    }

    /// <summary>Such a write has what it needs.</summary>
    public void Unbar()
    {
        _barredUntilNs = 0;
        Look();
    }

    /// <summary>The bar's time is over, unless it was renewed: others may wait for room.</summary>
    void ILoopTask.Run(ulong argument)
    {
        _barTimerKey = 0;
        if (_disk.Loop.Clock.NowNs < _barredUntilNs)
            _barTimerKey = _disk.Loop.StartTimer(_barredUntilNs, this, 0);
        else
            Look();
    }

    /// <summary>Begins a round if there is a reason.</summary>
    public void Look()
    {
        if (_isStopped || _isPaused || _step != Step.Idle || _store.OpenCount < _startCount)
            return;
        if (_disk.Loop.Clock.NowNs >= _barredUntilNs)
            Flush();
    }

    /// <summary>No more rounds until <see cref="Resume"/>; meanwhile the bound of the open set does not hold.</summary>
    /// <param name="onPaused">Told once that none is under way, maybe in this call.</param>
    public void Pause(Action onPaused)
    {
        (_isPaused, _onPaused) = (true, onPaused);
        _opening.MayPassBound = true;
        _disk.SchedulePump();
        TellPaused();
    }

    public void Resume()
    {
        (_isPaused, _onPaused) = (false, null);
        _opening.MayPassBound = false;
        Look();
    }

    void TellPaused()
    {
        if (_step != Step.Idle || _onPaused is not { } onPaused)
            return;
        _onPaused = null;
        onPaused();
    }

    /// <summary>No more rounds; one that is under way ends with its I/O.</summary>
    public void Stop()
    {
        _isStopped = true;
        if (_barTimerKey != 0)
            _disk.Loop.CancelTimer(_barTimerKey);
        _barTimerKey = 0;
        _change.Withdraw();
    }

    void Flush()
    {
        _store.Fine.Restart();
        _chosenCount = 0;
        ulong count = _store.Header.Shape.RegionCount;
        ulong start = _hand;
        Choose(start, count);
        if (_hand >= count)
        {
            _hand = 0;
            Choose(0, start);
        }
        if (_chosenCount == 0)
            return;
        _step = Step.Flushing;
        _store.Fine.Batch.Begin();
        _run.Begin(_store.Fine.Batch);
    }

    void Choose(ulong first, ulong end)
    {
        ulong region = _store.NextOpen(first, end);
        while (region < end && _chosenCount < RegionsMax && _store.Fine.TryAddRegion(region))
        {
            _chosen[_chosenCount++] = region;
            region = _store.NextOpen(region + 1, end);
        }
        _hand = region;
    }

    /// <summary>What was chosen is durable in the fine map, as it was then.</summary>
    public void OnFlushed()
    {
        _store.Fine.End();
        if (_store.Intents.IsIdle)
            BeginMoment();
        else
            _step = Step.WaitsForIntents;
    }

    /// <summary>A batch of intents has ended, and none is collected yet.</summary>
    public void OnIntentsEnded()
    {
        if (_step == Step.WaitsForIntents)
            BeginMoment();
    }

    void BeginMoment()
    {
        _step = Step.Moment;
        if (!_isStopped)
            _change.Begin();
    }

    /// <summary>In the moment.</summary>
    void Close()
    {
        if (!_store.Intents.IsIdle) // it had to wait for its turn
        {
            _step = Step.WaitsForIntents;
            return;
        }
        ulong before = ClosedCount;
        foreach (ulong region in _chosen.AsSpan(0, _chosenCount))
            ClosedCount += _store.TryClose(region) ? 1u : 0u;
        _step = Step.Idle;
        _opening.MayPassBound = _isPaused || ClosedCount == before;
        _opening.BeginSoon();
        if (_opening.MayPassBound)
            _disk.SchedulePump();
        TellPaused();
    }
}
