// Guests' requests that were not granted on their own thread: the slots that carry them to the reactor, the list of
// those that wait there, and how long each may.
//
// What waits is looked at again whenever something was released, freed or opened (SchedulePump): a walk over the list
// in order of arrival, at most VisitsPerTurn a turn, so that the longest list delays nothing else on the reactor. One
// that is asked for while another is under way goes on from there, round in a circle: however often that happens,
// nobody is passed over.
//
// All waits of a disk share one timer of the loop; a heap of the slots knows the next deadline.
// Cost: arrival, grant, refusal O(log waiting); a look at one O(watchers). Allocates nothing after construction.
// Does not order overlapping writes: nobody does, as on real disks. But who was answered before his write has landed
// (Absorption) is owed its order: against those, each request goes to the device in the order of arrival.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: Post any; the rest the reactor's.</summary>
sealed class GuestQueue : ILoopTask
{
    const uint VisitsPerTurn = 256;
    const ulong PumpArgument = 0;
    const ulong TimerArgument = 1;
    const ulong ExpireArgument = 2;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly Disk _disk;
    readonly GuestDevice _device;
    readonly Tracer _trace;
    readonly GuestSlot[] _slots;
    readonly ConcurrentRing<uint> _freeSlots;
    readonly Absorption? _absorption;
    readonly EarlyAnswers _early;

    // --- touched only by the reactor's thread
    readonly DeadlineHeap<GuestSlot> _deadlines;
    readonly GuestSlotList _waiting = new();
    GuestSlot? _nextVisit; // null = the first
    ulong _visitsWanted;
    ulong _arrivalCount;
    bool _isPumpDeferred;
    bool _isExpiryDeferred;
    ulong _timerKey;
    ulong _timerNs;

    /// <param name="loop">The disk's reactor.</param>
    /// <param name="disk">Whose guests these are.</param>
    /// <param name="slotCount">Requests that may wait at once, a power of two.</param>
    /// <param name="absorption">Null: no write is answered before it has landed.</param>
    public GuestQueue(IIoLoop loop, Disk disk, uint slotCount, Absorption? absorption)
    {
        (_loop, _disk, _absorption) = (loop, disk, absorption);
        _trace = new Tracer(loop, disk.Name);
        _slots = new GuestSlot[slotCount];
        _freeSlots = new ConcurrentRing<uint>(slotCount);
        _deadlines = new DeadlineHeap<GuestSlot>(slotCount);
        for (uint i = 0; i < slotCount; i++)
        {
            _slots[i] = new GuestSlot(this, i);
            _freeSlots.Put(i);
        }
        _device = new GuestDevice(loop, disk, this, slotCount, absorption);
        _early = new EarlyAnswers(disk, _device);
    }

    public uint WaitingCount { get; private set; }

    public GuestDevice Device => _device;

    /// <summary>Visits of waiting requests so far: tells whether the walk has come round.</summary>
    public ulong VisitCount { get; private set; }

    /// <summary>Nobody waits for being looked at.</summary>
    public bool IsPumpIdle => _visitsWanted == 0 || _waiting.First == null;

    public GuestSlot At(ulong index) => _slots[index];

    /// <summary>Takes a request to the reactor. Threads: any.</summary>
    /// <returns>None: one completion will come. QueueFull: none comes.</returns>
    public Fault Post(in GuestRequest request, bool isHook, ulong epoch)
    {
        if (!_freeSlots.TryTake(out uint index))
            return new Fault(FaultKind.QueueFull);
        GuestSlot slot = _slots[index];
        slot.Request = request;
        slot.IsHook = isHook;
        slot.Epoch = epoch;
        slot.Step = GuestSlot.Phase.Arrived;
        if (_loop.TryPost(slot, 0))
            return Fault.None;
        Free(slot);
        return new Fault(FaultKind.QueueFull);
    }

    public void OnArrived(GuestSlot slot)
    {
        slot.ArrivedNs = _loop.Clock.NowNs;
        slot.Order = ++_arrivalCount;
        slot.HeldBy = null;
        if (slot.IsHook && slot.Request.Operation == BlockOperation.Read)
        {
            _disk.OfferToWatchers(slot.Request, slot.Epoch);
            Answer(slot, Fault.None);
            return;
        }
        slot.WasQuiet = !_disk.Pulse.IsLoaded;
        _disk.Pulse.Arrive(slot.ArrivedNs);
        if (!slot.IsWrite)
        {
            OnReadArrived(slot);
            return;
        }
        bool isOpen = !_disk.IsGateClosed;
        bool mayLand = isOpen && MayLand(slot);
        if (isOpen && TryAbsorb(slot, mayLand))
            mayLand = mayLand && IsInOrder(slot);
        if (mayLand)
            Land(slot, slot.ArrivedNs);
        else
            Wait(slot);
    }

    /// <summary>A read, or a flush.</summary>
    void OnReadArrived(GuestSlot slot)
    {
        if (slot.Request.Operation == BlockOperation.Read && _absorption?.TryRead(slot) == true)
        {
            _disk.Pulse.SampleAnswered(isWrite: false, slot.ArrivedNs, _loop.Clock.NowNs, slot.WasQuiet);
            Complete(slot, Fault.None, _loop.Clock.NowNs);
        }
        else if (HasRoom(slot) && IsInOrder(slot))
        {
            _device.Submit(slot, slot.ArrivedNs);
        }
        else
        {
            Wait(slot);
        }
    }

    /// <summary>
    /// Answers a write that has not landed yet, if what it waits for is sure to come: see <see cref="Absorption"/>. It
    /// is under way from here on: recorded, marked and counted. Its number is that of its answer: who was answered
    /// while it waited lands before it.
    /// </summary>
    bool TryAbsorb(GuestSlot slot, bool mayLand)
    {
        if (_absorption == null || slot.IsAbsorbed || !_early.Allow(slot, mayLand))
            return false;
        ulong nowNs = _loop.Clock.NowNs;
        if (!_absorption.TryTake(slot, nowNs))
            return false;
        slot.Order = ++_arrivalCount;
        _trace.Emit(TracePoint.Absorb, slot.Extent);
        Begin(slot, nowNs);
        _disk.Pulse.SampleAnswered(isWrite: true, slot.ArrivedNs, nowNs, slot.WasQuiet);
        _disk.Pulse.Depart(slot.ArrivedNs, nowNs);
        Tell(slot.Request.Owner, slot.Request.UserData, Fault.None);
        return true;
    }

    /// <summary>Whether the write may land now; starts what it needs before.</summary>
    bool MayLand(GuestSlot slot)
    {
        Extent extent = slot.Extent;
        bool isFree = true;
        foreach (IWriteWatcher watcher in _disk.Watchers)
        {
            if (watcher.TryClear(extent)) // all of them: what they do runs side by side
                continue;
            isFree = false;
            slot.HeldBy = watcher;
        }
        if (!isFree || !HasRoom(slot) || !IsInOrder(slot))
            return false;
        if (slot.IsAbsorbed || _disk.FindWhoCannotMark(extent) is not { } unable)
            return true;
        slot.HeldBy = unable;
        return false;
    }

    bool HasRoom(GuestSlot slot) => slot.IsHook || _device.HasRoom;

    bool IsInOrder(GuestSlot slot) => _absorption?.IsInOrder(slot) != false;

    void Land(GuestSlot slot, ulong nowNs)
    {
        _trace.Emit(TracePoint.Grant, slot.Extent);
        if (!slot.IsAbsorbed)
            Begin(slot, nowNs);
        if (!slot.IsHook)
        {
            _device.Submit(slot, nowNs);
            return;
        }
        if (slot.HeldBy != null)
            _disk.Pulse.SampleWait(slot.ArrivedNs, nowNs, slot.WasQuiet);
        Complete(slot, Fault.None, nowNs);
    }

    /// <summary>The write is under way from here on.</summary>
    void Begin(GuestSlot slot, ulong nowNs)
    {
        slot.HeldBy?.OnWaited(nowNs - slot.ArrivedNs);
        _disk.Record(slot.Extent);
        _disk.CountIn();
    }

    void Wait(GuestSlot slot)
    {
        _trace.Emit(TracePoint.CbwWait, slot.Extent, _disk.IsGateClosed ? 1 : 0);
        slot.Step = GuestSlot.Phase.Waiting;
        _waiting.Append(slot);
        WaitingCount++;
        SetDeadline(slot);
    }

    void Unlink(GuestSlot slot)
    {
        Check.That(slot.Step == GuestSlot.Phase.Waiting);
        ForgetDeadline(slot);
        if (ReferenceEquals(_nextVisit, slot))
            _nextVisit = slot.Next;
        _waiting.Remove(slot);
        WaitingCount--;
    }

    /// <summary>
    /// Sets the first deadline of the watchers that this write waits for. Asked again whenever the write is looked at:
    /// a watcher may have come since, or one with a shorter limit.
    /// </summary>
    void SetDeadline(GuestSlot slot)
    {
        if (!slot.IsWrite)
            return;
        ulong deadlineNs = ulong.MaxValue;
        foreach (IWriteWatcher watcher in _disk.Watchers)
            if (watcher.Protects(slot.Extent))
                deadlineNs = Math.Min(deadlineNs, watcher.WaitDeadlineNs(slot.WaitsSinceNs));
        if (slot.IsScheduled && slot.DeadlineNs <= deadlineNs)
            return; // at worst it comes early, and is set anew then
        ForgetDeadline(slot);
        if (deadlineNs == ulong.MaxValue)
            return;
        _deadlines.Add(slot, deadlineNs);
        StartTimer();
    }

    void ForgetDeadline(GuestSlot slot)
    {
        if (slot.IsScheduled)
            _deadlines.Remove(slot);
    }

    /// <summary>One that runs already and comes early enough is left as it is.</summary>
    void StartTimer()
    {
        if (_deadlines.First is not { } first || _isExpiryDeferred)
            return;
        if (_timerKey != 0 && _timerNs <= first.DeadlineNs)
            return;
        if (_timerKey != 0)
            _loop.CancelTimer(_timerKey);
        _timerNs = first.DeadlineNs;
        _timerKey = _loop.StartTimer(_timerNs, this, TimerArgument);
    }

    void ILoopTask.Run(ulong argument)
    {
        if (argument == PumpArgument)
        {
            Pump();
            return;
        }
        if (argument == TimerArgument)
            _timerKey = 0;
        else
            _isExpiryDeferred = false;
        Expire();
    }

    /// <summary>Deals with waits that are over, as many as one turn may.</summary>
    void Expire()
    {
        ulong nowNs = _loop.Clock.NowNs;
        for (uint i = 0; _deadlines.First is { } slot && slot.DeadlineNs <= nowNs; i++)
        {
            if (i == VisitsPerTurn)
            {
                _isExpiryDeferred = true;
                _loop.Defer(this, ExpireArgument);
                return;
            }
            _deadlines.Remove(slot);
            OnWaitExpired(slot, nowNs);
        }
        StartTimer();
    }

    void OnWaitExpired(GuestSlot slot, ulong nowNs)
    {
        Check.That(slot.Step == GuestSlot.Phase.Waiting);
        Fault fault = new(FaultKind.TimedOut, Errnos.ETIMEDOUT, slot.Request.OffsetBytes);
        // From the back, by index: a watcher that gives way may leave the disk here and now.
        for (int i = _disk.Watchers.Length - 1; i >= 0; i--)
        {
            if (i >= _disk.Watchers.Length)
                continue;
            IWriteWatcher watcher = _disk.Watchers[i];
            if (!watcher.Protects(slot.Extent) || watcher.WaitDeadlineNs(slot.WaitsSinceNs) > nowNs)
                continue;
            _trace.Emit(TracePoint.CbwTimeout, slot.Extent);
            if (!watcher.FailGuest(fault))
                continue;
            Deny(slot, fault);
            return;
        }
        SetDeadline(slot); // another watcher, with a longer limit
        SchedulePump();
    }

    /// <summary>Tells the writes that wait for this range that what they wait for cannot be done.</summary>
    public void FailWaiting(in Extent extent, Fault fault)
    {
        for (GuestSlot? slot = _waiting.First; slot != null; )
        {
            GuestSlot? next = slot.Next;
            bool hasBytes = slot.IsWrite && !slot.Extent.IsEmpty; // else it waits for a gate or for room only
            if (hasBytes && slot.Extent.Overlaps(extent))
                Deny(slot, fault);
            slot = next;
        }
    }

    void Deny(GuestSlot slot, Fault fault)
    {
        _trace.Emit(TracePoint.Deny, slot.Extent, fault.Errno);
        ulong nowNs = _loop.Clock.NowNs;
        slot.HeldBy?.OnWaited(nowNs - slot.ArrivedNs);
        Unlink(slot);
        Complete(slot, fault, nowNs);
    }

    /// <summary>Has all waiting requests looked at again, from the next turn on.</summary>
    public void SchedulePump()
    {
        if (_visitsWanted == 0)
            _nextVisit = null; // a new walk begins with who waits longest
        _visitsWanted = WaitingCount;
        if (_isPumpDeferred || _waiting.First == null)
            return;
        _isPumpDeferred = true;
        _loop.Defer(this, PumpArgument);
    }

    void Pump()
    {
        _isPumpDeferred = false;
        for (uint i = 0; i < VisitsPerTurn && _visitsWanted > 0 && _waiting.First != null; i++)
        {
            GuestSlot slot = _nextVisit ?? _waiting.First;
            _nextVisit = slot.Next;
            _visitsWanted--;
            VisitCount++;
            if (!slot.IsWrite)
                VisitRead(slot);
            else if (slot.IsAbsorbed || !_disk.IsGateClosed) // one under way is what the gate waits for
                VisitWrite(slot);
        }
        if (_waiting.First == null)
            _visitsWanted = 0;
        if (_visitsWanted == 0 || _isPumpDeferred)
            return;
        _isPumpDeferred = true;
        _loop.Defer(this, PumpArgument);
    }

    /// <summary>Reads and flushes wait for room at the device, and their turn there; never for a gate.</summary>
    void VisitRead(GuestSlot slot)
    {
        if (!HasRoom(slot) || !IsInOrder(slot))
            return;
        Unlink(slot);
        _device.Submit(slot, _loop.Clock.NowNs);
    }

    /// <summary>One that found no room in memory when it came may be answered now.</summary>
    void VisitWrite(GuestSlot slot)
    {
        bool mayLand = MayLand(slot);
        if (!_disk.IsGateClosed && TryAbsorb(slot, mayLand))
            mayLand = mayLand && IsInOrder(slot);
        if (mayLand)
        {
            Unlink(slot);
            Land(slot, _loop.Clock.NowNs);
        }
        else
        {
            SetDeadline(slot);
        }
    }

    /// <summary>Ends a request that waits no longer.</summary>
    public void Complete(GuestSlot slot, Fault fault, ulong nowNs)
    {
        _disk.Pulse.Depart(slot.ArrivedNs, nowNs);
        bool isFlush = slot.Request.Operation == BlockOperation.Flush;
        Answer(slot, isFlush && fault.IsNone ? _absorption?.Lost ?? fault : fault);
    }

    /// <summary>A write has ended whose guest was told long ago.</summary>
    public void EndAbsorbed(GuestSlot slot, Fault fault)
    {
        if (fault.IsFault)
            _trace.Emit(TracePoint.AbsorbLost, slot.Extent, fault.Errno);
        _absorption!.Release(slot, fault, _loop.Clock.NowNs);
        Free(slot);
    }

    void Answer(GuestSlot slot, Fault fault)
    {
        (IGuestOwner owner, ulong userData) = (slot.Request.Owner, slot.Request.UserData);
        Free(slot);
        Tell(owner, userData, fault);
    }

    void Tell(IGuestOwner owner, ulong userData, Fault fault)
    {
        foreach (IWriteWatcher watcher in _disk.Watchers)
            watcher.BeforeAnswer();
        owner.OnGuestCompleted(userData, fault);
    }

    void Free(GuestSlot slot)
    {
        slot.Request = default;
        slot.Step = GuestSlot.Phase.Free;
        _freeSlots.Put(slot.Index);
    }

    /// <summary>No reactor serves anything any more.</summary>
    public void AbandonAll()
    {
        foreach (GuestSlot slot in _slots)
            if (slot.Step != GuestSlot.Phase.Free)
                Abandon(slot);
    }

    /// <summary>Answers a request that no reactor will serve: hook-mode writes may land, the rest has failed.</summary>
    public void Abandon(GuestSlot slot)
    {
        if (slot.Step == GuestSlot.Phase.Free)
            return;
        if (slot.Step == GuestSlot.Phase.Waiting)
            Unlink(slot);
        if (slot.IsAbsorbed)
        {
            EndAbsorbed(slot, new Fault(FaultKind.Bug));
            return;
        }
        if (slot.IsHook && slot.IsWrite)
        {
            _disk.Record(slot.Extent);
            _disk.CountIn();
        }
        Answer(slot, slot.IsHook ? Fault.None : new Fault(FaultKind.Bug));
    }
}
