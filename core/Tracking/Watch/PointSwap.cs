// A point of a disk in use, from "its new map is durable and empty" to "the header names it".
//
//   idle --Begin--> pausing --nothing is being closed--> ready --Swap, in the moment--> flushing --> naming --> leaving
//                                                          `--Withdraw--> idle                              --> idle
//
//   ready      nothing has changed yet; regions are opened as ever, and none is closed until the header names the point
//   Swap       in the quiesced moment of whoever makes the point, which is its instant: bits go to the new map. In that
//              instant no write is between its look at the gate and its bit, so each is in the map of its side
//   flushing   what the frozen map has and its fine pages have not yet lies in open regions (TrackerStore): all pages
//              of these are written. Until the header names the point the old map is the one that counts, and the open
//              regions are its own: all that lands after the swap is in one of them, and in its mirror
//   naming     the header; from then on the new map counts, with the same open regions
//   leaving    another quiesced moment takes the old mirror away
//
// A delete changes the header alone: Name. A fault in any step makes the tracker inconsistent, as everywhere.
// Cost: the moment, O(1). Behind it a page for each 32,256 granules that have an open region, twice, and two flushes
// for 64 of them.
using System;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Ports;
using FastBackup.Tracking.Live;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Watch;

/// <summary>Threads: the loop's.</summary>
sealed class PointSwap : ILoopTask
{
    enum Step
    {
        Idle,
        Pausing,
        Ready,
        Flushing,
        Naming,
        Leaving,
    }

    readonly Disk _disk;
    readonly TrackerStore _store;
    readonly RegionClosing _closing;
    readonly BatchRun _fineRun;
    readonly BatchRun _headerRun;
    readonly Action<LiveMap> _setLive;
    readonly QuiescedChange _leave;
    Step _step;
    PointPlan? _plan;
    LiveMap? _next;
    LiveMap? _before;
    Action? _onReady;
    Action<Fault>? _onEnd;
    ulong _region;
    bool _isSwap;

    /// <param name="disk">Whose writes are tracked.</param>
    /// <param name="store">Of its tracker.</param>
    /// <param name="closing">Paused while a point is made.</param>
    /// <param name="fineRun">Carries fine pages out; its end is told here while <see cref="IsFlushing"/>.</param>
    /// <param name="headerRun">Carries the header out; its end is told here while <see cref="IsNaming"/>.</param>
    /// <param name="setLive">Where bits go from now on; the disk is quiesced.</param>
    public PointSwap(
        Disk disk,
        TrackerStore store,
        RegionClosing closing,
        BatchRun fineRun,
        BatchRun headerRun,
        Action<LiveMap> setLive
    )
    {
        (_disk, _store, _closing, _fineRun, _headerRun, _setLive) = (disk, store, closing, fineRun, headerRun, setLive);
        _leave = new QuiescedChange(disk.Loop, [disk], Leave);
    }

    public bool IsIdle => _step == Step.Idle;

    public bool IsReady => _step == Step.Ready;

    public bool IsFlushing => _step == Step.Flushing;

    public bool IsNaming => _step == Step.Naming;

    /// <summary>Makes ready for a swap.</summary>
    /// <param name="plan">Its new maps and its table are durable.</param>
    /// <param name="before">Where bits go now.</param>
    /// <param name="nextMirror">Of the new map; null: there is none.</param>
    /// <param name="onReady">Told once, maybe in this call: a swap may come in any moment.</param>
    /// <param name="onEnd">Told once after a swap: the header names the point, or the tracker has failed.</param>
    public void Begin(PointPlan plan, LiveMap before, ILiveMirror? nextMirror, Action onReady, Action<Fault> onEnd)
    {
        Check.That(IsIdle);
        (_plan, _before, _onReady, _onEnd, _isSwap) = (plan, before, onReady, onEnd, true);
        _next = new LiveMap(plan.Maps[^1], nextMirror);
        _step = Step.Pausing;
        _closing.Pause(OnPaused);
    }

    void OnPaused()
    {
        if (_step != Step.Pausing)
            return;
        _step = Step.Ready;
        _onReady!();
    }

    /// <summary>There will be no swap.</summary>
    public void Withdraw()
    {
        Check.That(_step is Step.Pausing or Step.Ready);
        _step = Step.Idle;
        _closing.Resume();
    }

    /// <summary>The instant of the point; the disk is quiesced, and it is ready.</summary>
    public void Swap()
    {
        Check.That(_step == Step.Ready);
        Check.That(_disk.IsQuiesced);
        ILiveMirror? mirror =
            _before!.Mirror == null && _next!.Mirror == null ? null : new TwinMirror(_before.Mirror, _next!.Mirror);
        _setLive(new LiveMap(_next!.Bits, mirror));
        (_step, _region) = (Step.Flushing, 0);
        _disk.Loop.Defer(this, 0);
    }

    void ILoopTask.Run(ulong argument)
    {
        if (_step == Step.Flushing)
            FlushNext();
    }

    void FlushNext()
    {
        ulong count = _store.Header.Shape.RegionCount;
        _store.Fine.Restart();
        ulong first = _store.NextOpen(_region, count);
        for (_region = first; _region < count && _store.Fine.TryAddRegion(_region); )
            _region = _store.NextOpen(_region + 1, count);
        if (first >= count)
        {
            BeginName();
            return;
        }
        _store.Fine.Batch.Begin();
        _fineRun.Begin(_store.Fine.Batch);
    }

    /// <summary>A batch of fine pages is durable.</summary>
    public void OnFlushed()
    {
        _store.Fine.End();
        FlushNext();
    }

    /// <summary>The header as a plan has it, without a swap.</summary>
    public void Name(PointPlan plan, LiveMap live, Action<Fault> onEnd)
    {
        Check.That(IsIdle);
        (_plan, _onEnd, _isSwap) = (plan, onEnd, false);
        live.Mirror?.Restamp(_store.Header.Sequence + 1);
        BeginName();
    }

    void BeginName()
    {
        _step = Step.Naming;
        _store.BeginHeader(_plan!.Header);
        _headerRun.Begin(_store.HeaderBatch);
    }

    /// <summary>Both copies of the header are durable.</summary>
    public void OnNamed()
    {
        if (!_isSwap)
        {
            End(Fault.None);
            return;
        }
        _store.Fine.Switch(_store.Header, _next!.Bits);
        _step = Step.Leaving;
        _closing.Resume();
        _leave.Begin();
    }

    /// <summary>In a moment: nobody is about to set a bit in the old mirror, and nobody will.</summary>
    void Leave()
    {
        if (_step != Step.Leaving)
            return;
        _setLive(_next!);
        End(Fault.None);
    }

    /// <summary>The tracker has failed: whatever was under way ends with it.</summary>
    public void GiveUp(Fault fault)
    {
        if (IsIdle)
            return;
        bool isTold = _step is Step.Pausing or Step.Ready; // there was no swap, and there will be none
        _leave.Withdraw();
        if (!isTold)
            End(fault);
    }

    void End(Fault fault)
    {
        _step = Step.Idle;
        (_plan, _next, _before) = (null, null, null);
        _onEnd!(fault);
    }
}
