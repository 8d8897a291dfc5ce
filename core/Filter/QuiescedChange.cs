// A change of one or more disks in a quiesced moment: their gates are closed, the writes in flight have ended, the
// change is made, the gates open. The change is one instant for all disks of the group: T0.
//
// Order. A disk makes its changes in the order in which they were asked for, whatever their groups: each disk keeps a
// list, and a change is made when it is the first of all its disks' lists. Only then it closes gates, so a gate has one
// change at a time that holds it closed, and guests never wait for a change that waits for another.
// This cannot deadlock: all lists are in one order, that of Begin, so of all changes of a reactor the one that was
// asked for first is the first on each of its disks. It waits for nothing but writes under way, and those wait for
// nobody: a drain does not wait for jobs, nor for requests that wait for copies. By induction every change is made.
//
// A write under way that does not end must not hold up the others for ever: after ClosedNsMax the gates open again,
// and the change is tried anew a moment later, for as long as it takes; it keeps its turn. Whoever waits at a gate is
// looked at before it closes again, so nobody waits there longer than that.
//
// Work that takes its time comes before the moment (IQuietWork): when its turn has come, and with the gates open.
//
// Many changes. In one quiesced moment as many are made as are the first of disks that are quiet anyway, until
// MomentNsMax has passed: then the gates open, guests pass, and the next ones follow. Only changes that are at it have
// a timer, so at most one a disk; those that wait their turn are links of a list.
// Made once and used again: beginning one allocates nothing.
using System;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
public sealed class QuiescedChange : ILoopTask
{
    const ulong LookAgainNs = Units.NsPerMs;
    const ulong ClosedNsMax = 500 * Units.NsPerMs;
    const ulong OpenNs = 500 * Units.NsPerMs;
    const ulong MomentNsMax = Units.NsPerMs;

    enum Step
    {
        Idle,

        /// <summary>In the lists of its disks; their gates are none of its business yet.</summary>
        Queued,

        /// <summary>The first of all its disks, which it has closed: waits for their writes.</summary>
        Closed,

        /// <summary>A write did not end: the gates are open for a while.</summary>
        Resting,

        Running,
    }

    readonly IIoLoop _loop;
    readonly ChangeOrder.Place[] _places; // one a disk
    readonly Action? _change;
    readonly IQuietWork? _work; // either or
    Step _step;
    bool _isPrepared;
    ulong _closedAtNs;
    ulong _timerKey;

    /// <param name="loop">The reactor of all disks.</param>
    /// <param name="disks">At least one, each once.</param>
    /// <param name="change">Runs on the reactor's thread while all disks are quiet; must not begin this change
    /// again.</param>
    public QuiescedChange(IIoLoop loop, Disk[] disks, Action change)
        : this(loop, disks) => _change = change;

    /// <inheritdoc cref="QuiescedChange(IIoLoop, Disk[], Action)"/>
    /// <param name="loop">The reactor of all disks.</param>
    /// <param name="disks">At least one, each once.</param>
    /// <param name="work">What is made ready before, and what is done in the moment.</param>
    public QuiescedChange(IIoLoop loop, Disk[] disks, IQuietWork work)
        : this(loop, disks) => _work = work;

    QuiescedChange(IIoLoop loop, Disk[] disks)
    {
        Check.That(disks.Length > 0);
        _loop = loop;
        _places = Array.ConvertAll(disks, disk => new ChangeOrder.Place(this, disk));
    }

    /// <summary>It was begun, and is not made yet.</summary>
    public bool IsPending => _step is Step.Queued or Step.Closed or Step.Resting;

    /// <summary>Makes the change as soon as it can be made: inside this call when nothing is in flight and no other
    /// change is pending.</summary>
    /// <remarks>
    /// The wait is as long as the slowest write under way, and those for the changes before it; guests wait for it no
    /// longer than half a second at a time.
    /// </remarks>
    public void Begin()
    {
        Check.That(_step == Step.Idle);
        (_step, _isPrepared) = (Step.Queued, _work == null);
        foreach (ChangeOrder.Place place in _places)
            place.Disk.Changes.Add(place);
        LookAgain();
    }

    /// <summary>It will not be made; those behind it move up. Nothing happens when it is not pending.</summary>
    public void Withdraw()
    {
        if (!IsPending)
            return;
        CancelTimer();
        if (_step == Step.Closed)
            Open();
        Leave();
        LookAtNext();
    }

    /// <summary>The timer: a rest is over, or a guest's post that found the inbox full may be missing.</summary>
    void ILoopTask.Run(ulong argument)
    {
        _timerKey = 0;
        if (_step == Step.Resting)
            _step = Step.Queued;
        LookAgain();
    }

    /// <summary>Something that it may have waited for has happened.</summary>
    internal void LookAgain()
    {
        if (_step == Step.Queued && IsFirst() && IsReady() && HaveGuestsPassed())
            Close();
        if (_step != Step.Closed)
            return;
        if (AreQuiet())
            RunMoment();
        else
            WaitOn();
    }

    /// <summary>Its turn has come on each disk, and none is in the middle of a moment.</summary>
    bool IsFirst()
    {
        foreach (ChangeOrder.Place place in _places)
            if (!ReferenceEquals(place.Disk.Changes.First, this) || place.Disk.IsQuiesced)
                return false;
        return true;
    }

    /// <summary>What comes before the moment has been done.</summary>
    bool IsReady()
    {
        if (_isPrepared)
            return true;
        _isPrepared = _work!.Prepare();
        if (!_isPrepared && IsPending && _work.RestNs is > 0 and ulong restNs)
            StartTimer(restNs);
        else if (!_isPrepared && IsPending)
            _places[0].Disk.Changes.LookLater();
        return _isPrepared && IsPending;
    }

    bool HaveGuestsPassed()
    {
        foreach (ChangeOrder.Place place in _places)
        {
            if (place.Disk.HaveGuestsPassed)
                continue;
            place.Disk.Changes.LookLater();
            return false;
        }
        return true;
    }

    void Close()
    {
        (_step, _closedAtNs) = (Step.Closed, _loop.Clock.NowNs);
        foreach (ChangeOrder.Place place in _places)
            place.Disk.CloseGate(this);
    }

    void Open()
    {
        foreach (ChangeOrder.Place place in _places)
            place.Disk.OpenGate();
    }

    bool AreQuiet()
    {
        foreach (ChangeOrder.Place place in _places)
            if (place.Disk.WritesInFlight != 0)
                return false;
        return true;
    }

    /// <summary>A write is under way: looks again soon, or lets the others pass and comes back.</summary>
    void WaitOn()
    {
        if (_loop.Clock.NowNs - _closedAtNs < ClosedNsMax)
        {
            StartTimer(LookAgainNs);
            return;
        }
        _step = Step.Resting;
        Open();
        CancelTimer();
        StartTimer(OpenNs);
    }

    /// <summary>Makes this change, and those behind it that need no more than is quiet now.</summary>
    void RunMoment()
    {
        CancelTimer();
        foreach (ChangeOrder.Place place in _places)
            place.Disk.EnterQuiet(this);
        ulong startNs = _loop.Clock.NowNs;
        QuiescedChange? next = this;
        while (next != null)
        {
            next._step = Step.Running;
            if (next.Make())
                next.Leave();
            else
                (next._step, next._isPrepared) = (Step.Queued, false);
            next = _loop.Clock.NowNs - startNs < MomentNsMax ? FindNext() : null;
        }
        foreach (ChangeOrder.Place place in _places)
            place.Disk.LeaveQuiet();
        Open();
        LookAtNext();
    }

    /// <returns>False: it needs another moment.</returns>
    bool Make()
    {
        if (_work != null)
            return _work.Change();
        _change!();
        return true;
    }

    /// <summary>The next change of these disks that concerns no other one.</summary>
    QuiescedChange? FindNext()
    {
        foreach (ChangeOrder.Place place in _places)
            if (place.Disk.Changes.First is { } first && first.CanJoin(this))
                return first;
        return null;
    }

    bool CanJoin(QuiescedChange moment)
    {
        if (!_isPrepared)
            return false;
        foreach (ChangeOrder.Place place in _places)
            if (!place.Disk.IsQuietBy(moment) || !ReferenceEquals(place.Disk.Changes.First, this))
                return false;
        return true;
    }

    void Leave()
    {
        foreach (ChangeOrder.Place place in _places)
            place.Disk.Changes.Remove(place);
        _step = Step.Idle;
    }

    void LookAtNext()
    {
        foreach (ChangeOrder.Place place in _places)
            place.Disk.Changes.LookLater();
    }

    /// <summary>One that runs already is left as it is.</summary>
    void StartTimer(ulong afterNs)
    {
        if (_timerKey == 0)
            _timerKey = _loop.StartTimer(_loop.Clock.NowNs + afterNs, this, 0);
    }

    void CancelTimer()
    {
        if (_timerKey != 0)
            _loop.CancelTimer(_timerKey);
        _timerKey = 0;
    }
}
