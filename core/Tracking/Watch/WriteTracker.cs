// The tracker as a watcher of its disk's writes.
//
//   holding --Start--> watching --fault, lost bit, wait too long--> troubled --said, or cannot be said--> over
//                      watching --Release--> releasing --(file is closed)--> taken off
//                                                      --(file is of a larger disk)--Start--> watching
//
//   holding     attached before the first write; the file is being opened on another thread: all writes wait
//   watching    a write passes when its regions are open (TrackerStore) and its granules are marked (LiveMap); else it
//               waits with all others of its kind, until a batch of intents is durable (RegionOpening)
//   troubled    something has failed: the live map is void at once, the header is being told; all writes wait for that
//   releasing   all writes wait, so that what the file says when it is closed is all there is; or until all of the
//               tracker is made anew for a disk that grows
//   over        nothing is held any more, for good, and nothing tracked
//
// No wait is longer than the bound that was handed in: then the tracker gives way, never the guest.
//
// Cost: a write to marked granules of open regions, two reads; the first one to a granule a system call; the first one
// to a region waits for a batch of intents: two writes side by side and a flush.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Live;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Watch;

/// <summary>Threads: the loop's; Protects and TryMark any.</summary>
sealed class WriteTracker : IWriteWatcher
{
    enum Phase
    {
        Holding,
        Watching,
        Troubled,
        Releasing,
        Over,
    }

    // --- fixed at construction
    readonly Disk _disk;
    readonly ulong _waitMaxNs;

    // --- set by Start, before any thread finds the phase; nobody looks at them while all writes are held
    TrackerStore? _store;
    LiveMap? _live;
    BatchRun? _intentsRun;
    BatchRun? _fineRun;
    BatchRun? _headerRun;
    RegionOpening? _opening;
    RegionClosing? _closing;
    PointSwap? _points;
    Action<Fault>? _onTrouble;
    Action? _onLoopFailed;

    // --- any thread
    int _phase;
    bool _isMarkLost;

    // --- the loop's
    bool _isToSay; // that it is inconsistent

    /// <param name="disk">Whose writes it is to watch.</param>
    /// <param name="waitMaxNs">How long a write may wait for it.</param>
    public WriteTracker(Disk disk, ulong waitMaxNs) => (_disk, _waitMaxNs) = (disk, waitMaxNs);

    /// <summary>Has given way: the file is, or should be, inconsistent.</summary>
    public bool IsOver => Now == Phase.Over;

    /// <summary>No step is under way.</summary>
    public bool IsIdle =>
        _store == null
        || (!_opening!.IsSoon && !_intentsRun!.IsBusy && !_fineRun!.IsBusy && !_headerRun!.IsBusy && _points!.IsIdle);

    /// <summary>Released, and no step is under way: the file is whoever's who closes it, or makes it anew.</summary>
    public bool IsHeld => Now == Phase.Releasing && IsIdle;

    /// <summary>Writes that have waited for it so far, and ended.</summary>
    public ulong WaitedCount { get; private set; }

    /// <summary>Regions closed so far.</summary>
    public ulong ClosedCount => _closing?.ClosedCount ?? 0;

    Phase Now
    {
        get => (Phase)Volatile.Read(ref _phase);
        set => Volatile.Write(ref _phase, (int)value);
    }

    /// <summary>Holds all writes from here on. The disk must be quiesced.</summary>
    public void Attach() => Epoch = _disk.Attach(this);

    /// <summary>Takes it off. The disk must be quiesced, and no step under way.</summary>
    public void Detach()
    {
        _disk.SetGround(null);
        Check.That(IsIdle);
        _disk.Detach(this);
    }

    /// <summary>The file is open: writes pass by its rules. At first, or again when it was released.</summary>
    /// <param name="store">Its header says so, durably.</param>
    /// <param name="live">Has all that the file has.</param>
    /// <param name="device">Where steps are written.</param>
    /// <param name="openMax">Regions that may be open, 8 at least.</param>
    /// <param name="onTrouble">Told once, on the loop's thread, when it gives up.</param>
    /// <param name="onLoopFailed">Says in the file, without the loop, that it is inconsistent.</param>
    /// <returns>False: it has given way meanwhile.</returns>
    public bool Start(
        TrackerStore store,
        LiveMap live,
        IBlockDevice device,
        ulong openMax,
        Action<Fault> onTrouble,
        Action onLoopFailed
    )
    {
        Check.That(openMax >= 8);
        if (Now is not (Phase.Holding or Phase.Releasing))
            return false;
        (_store, _live, _onTrouble, _onLoopFailed) = (store, live, onTrouble, onLoopFailed);
        _intentsRun = new BatchRun(device, OnIntentsEnded);
        _fineRun = new BatchRun(device, OnFineEnded);
        _headerRun = new BatchRun(device, OnHeaderEnded);
        _opening = new RegionOpening(_disk, store, _intentsRun, openMax);
        _closing = new RegionClosing(_disk, store, _opening, _fineRun, openMax);
        _points = new PointSwap(_disk, store, _closing, _fineRun, _headerRun, SetLive);
        Now = Phase.Watching;
        SetLive(live);
        _disk.SchedulePump();
        return true;
    }

    /// <summary>Bits go there from now on. Writes are held, or the disk is quiesced.</summary>
    void SetLive(LiveMap live)
    {
        _live = live;
        if (Now == Phase.Watching)
            _disk.SetGround(new MarkedGround(_store!.Gate, live.Bits));
    }

    /// <summary>Makes ready for a point; see <see cref="PointSwap.Begin"/>.</summary>
    /// <returns>False: it does not watch (any more), or changes its points already; nobody is told.</returns>
    public bool TryBeginPoint(PointPlan plan, ILiveMirror? mirror, Action onReady, Action<Fault> onEnd)
    {
        if (Now != Phase.Watching || !_points!.IsIdle)
            return false;
        _points.Begin(plan, _live!, mirror, onReady, onEnd);
        return true;
    }

    /// <summary>A swap would be made.</summary>
    public bool IsPointReady => Now == Phase.Watching && _points!.IsReady;

    /// <summary>The instant of the point: the disk is quiesced, and it is ready.</summary>
    /// <returns>False: it has given way meanwhile; nobody is told.</returns>
    public bool TrySwapPoint()
    {
        if (Now != Phase.Watching)
            return false;
        _points!.Swap();
        return true;
    }

    /// <summary>There will be no such instant.</summary>
    public void WithdrawPoint()
    {
        if (!_points!.IsIdle)
            _points.Withdraw();
    }

    /// <summary>The header of a plan without a new map.</summary>
    /// <returns>As above.</returns>
    public bool TryNamePoints(PointPlan plan, Action<Fault> onEnd)
    {
        if (Now != Phase.Watching || !_points!.IsIdle)
            return false;
        _points.Name(plan, _live!, onEnd);
        return true;
    }

    /// <summary>Its storage has failed in other hands.</summary>
    public void Fail(Fault fault) => Trouble(fault);

    /// <summary>As above, and the file says so, or cannot: everything passes.</summary>
    public void Abandon() => GiveWay();

    /// <summary>
    /// Holds all writes again, so that the file can be closed when <see cref="IsIdle"/>. The disk must be quiesced.
    /// </summary>
    /// <returns>False: it is over already, there is nothing to close.</returns>
    public bool Release()
    {
        if (Now != Phase.Watching)
            return false;
        _disk.SetGround(null);
        Now = Phase.Releasing;
        _closing!.Stop();
        return true;
    }

    public ulong Epoch { get; private set; }

    public bool TakesGuestReads => false;

    public bool Marks => true;

    public bool Protects(in Extent extent)
    {
        Phase phase = Now;
        if (phase == Phase.Watching)
            return !_store!.IsOpen(extent) || (Volatile.Read(ref _isMarkLost) && !extent.IsEmpty);
        return phase != Phase.Over && !extent.IsEmpty;
    }

    public bool TryMark(in Extent extent)
    {
        // Changes in quiesced moments only, whose gates order it. The map of one that has given way may be too short.
        if (Now == Phase.Over || _live is not { } live || live.TryMark(extent))
            return true;
        Volatile.Write(ref _isMarkLost, true);
        return false; // on its way to the loop's thread it gives the alarm: TryClear
    }

    public bool TryClear(in Extent extent)
    {
        bool isLarge = IsLarge(extent);
        if (!Protects(extent))
        {
            if (isLarge)
                _closing!.Unbar();
            return true;
        }
        if (Now != Phase.Watching)
            return false;
        if (Volatile.Read(ref _isMarkLost))
        {
            Trouble(new Fault(FaultKind.Io, Errnos.EIO));
            return false;
        }
        if (isLarge)
            _closing!.Bar();
        _opening!.Want(extent);
        _closing!.Look();
        return false;
    }

    /// <summary>While such a write waits nothing is closed under it.</summary>
    bool IsLarge(in Extent extent)
    {
        if (Now != Phase.Watching || extent.IsEmpty)
            return false;
        int shift = _store!.Header.Shape.RegionShift;
        return _opening!.IsLarge(((extent.EndBytes - 1) >> shift) - (extent.OffsetBytes >> shift) + 1);
    }

    public ulong WaitDeadlineNs(ulong arrivedNs) => arrivedNs + _waitMaxNs;

    public bool FailGuest(Fault fault)
    {
        if (Now == Phase.Watching)
            Trouble(fault);
        GiveWay();
        return false;
    }

    public void OnWaited(ulong waitedNs) => WaitedCount++;

    /// <summary>The loop has stopped: no step will ever end.</summary>
    public void GiveUp(Fault fault)
    {
        if (Now == Phase.Over)
            return;
        _live?.Mirror?.Void();
        _onLoopFailed?.Invoke();
        GiveWay();
    }

    public void Offer(in Extent extent, ReadOnlySpan<byte> bytes) { }

    void OnIntentsEnded(Fault fault)
    {
        if (fault.IsNone)
        {
            _store!.EndIntents();
            _closing!.OnIntentsEnded();
            _closing.Look();
            _disk.SchedulePump();
        }
        else
        {
            Trouble(fault);
        }
    }

    void OnFineEnded(Fault fault)
    {
        if (fault.IsFault)
            Trouble(fault);
        else if (_points!.IsFlushing)
            _points.OnFlushed();
        else
            _closing!.OnFlushed();
    }

    /// <summary>The points are named; or it was said, or cannot be said, that the tracker is inconsistent.</summary>
    void OnHeaderEnded(Fault fault)
    {
        _store!.HeaderBatch.End();
        if (!_points!.IsNaming && !_isToSay)
            GiveWay();
        else if (_isToSay)
            SayTrouble();
        else if (fault.IsNone)
            _points.OnNamed();
        else
            Trouble(fault);
    }

    /// <summary>Whatever the file has from here on is worth nothing; writes wait until it says so.</summary>
    void Trouble(Fault fault)
    {
        if (Now is not (Phase.Watching or Phase.Releasing))
            return;
        _disk.SetGround(null);
        Now = Phase.Troubled;
        _closing!.Stop();
        _live!.Mirror?.Void();
        if (_headerRun!.IsBusy)
            _isToSay = true; // when the header that is on its way has ended
        else
            SayTrouble();
        _points!.GiveUp(fault);
        _onTrouble!(fault);
    }

    void SayTrouble()
    {
        _isToSay = false;
        _store!.BeginHeader(_store.Header with { State = TrackerState.Inconsistent });
        _headerRun!.Begin(_store.HeaderBatch);
    }

    void GiveWay()
    {
        _disk.SetGround(null);
        _store?.GiveUp();
        Now = Phase.Over;
        _disk.SchedulePump();
    }
}
