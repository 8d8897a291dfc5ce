// A change of one or more disks in a quiesced moment: their gates are closed, the writes in flight have ended, the
// change is made, the gates open. The change is one instant for all disks of the group: T0.
//
// Closing never waits, so groups that share disks cannot deadlock: a gate is a count, and each group's change
// runs when all its disks are quiet. Requests that arrive meanwhile wait in order and are looked at afresh
// afterwards. A drain does not wait for jobs, nor for requests that wait for copies: only for writes under way.
//
// A write under way that does not end must not hold up the others for ever: after ClosedNsMax the gates open again,
// and the change is tried anew a moment later, for as long as it takes. What waits at a gate waits no longer than that.
// Made once and used again: beginning one allocates nothing.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
public sealed class QuiescedChange : ILoopTask
{
    const ulong LookAgainNs = Units.NsPerMs;
    const ulong ClosedNsMax = 500 * Units.NsPerMs;
    const ulong OpenNs = 500 * Units.NsPerMs;

    readonly IIoLoop _loop;
    readonly Disk[] _disks;
    readonly Action _change;
    bool _isPending;
    bool _isClosed;
    ulong _closedAtNs;
    ulong _timerKey;

    /// <param name="loop">The reactor of all disks.</param>
    /// <param name="disks">At least one, each once.</param>
    /// <param name="change">Runs on the reactor's thread while all disks are quiet; must not begin this change
    /// again.</param>
    public QuiescedChange(IIoLoop loop, Disk[] disks, Action change)
    {
        Check.That(disks.Length > 0);
        (_loop, _disks, _change) = (loop, disks, change);
    }

    /// <summary>Makes the change as soon as it can be made: inside this call when nothing is in flight.</summary>
    /// <remarks>
    /// The wait is as long as the slowest write under way; guests wait for it no longer than half a second at a time.
    /// </remarks>
    public void Begin()
    {
        Check.That(!_isPending);
        _isPending = true;
        Close();
    }

    void Close()
    {
        foreach (Disk disk in _disks)
        {
            if (!disk.IsShutFor(ClosedNsMax))
                continue;
            StartTimer(LookAgainNs);
            return;
        }
        (_isClosed, _closedAtNs) = (true, _loop.Clock.NowNs);
        foreach (Disk disk in _disks)
            disk.CloseGate(this);
        LookAgain();
    }

    void Open()
    {
        _isClosed = false;
        foreach (Disk disk in _disks)
            disk.OpenGate(this);
    }

    /// <summary>The timer: a guest's post that found the inbox full may be missing.</summary>
    void ILoopTask.Run(ulong argument)
    {
        _timerKey = 0;
        if (_isPending && !_isClosed)
            Close();
        else
            LookAgain();
    }

    internal void LookAgain()
    {
        if (!_isPending || !_isClosed)
            return;
        foreach (Disk disk in _disks)
        {
            if (disk.WritesInFlight == 0 || Planted.Is(PlantedBug.R02PointInTimeNotQuiesced))
                continue;
            WaitOn();
            return;
        }
        _isPending = false;
        CancelTimer();
        foreach (Disk disk in _disks)
            disk.EnterQuiet();
        _change();
        foreach (Disk disk in _disks)
            disk.LeaveQuiet();
        Open();
    }

    /// <summary>A write is under way: looks again soon, or lets the others pass and comes back.</summary>
    void WaitOn()
    {
        if (_loop.Clock.NowNs - _closedAtNs < ClosedNsMax)
        {
            StartTimer(LookAgainNs);
            return;
        }
        Open();
        CancelTimer();
        StartTimer(OpenNs);
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
