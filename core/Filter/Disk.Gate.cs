// The disk's side of quiesced moments: the gate, who holds it closed, and which changes come in which order. See
// QuiescedChange.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Filter;

public sealed partial class Disk
{
    // Set while a change runs. Not "the sum is zero": a guest that has counted itself and is about to find the gate
    // closed makes the sum too high for a moment, also in the middle of a change.
    QuiescedChange? _quietBy;
    QuiescedChange? _closedBy;
    ulong _visitsToPass;

    /// <summary>A quiesced moment is being waited for, or is now: writes wait.</summary>
    public bool IsGateClosed => Volatile.Read(ref _closedCount) > 0;

    /// <summary>The changes that were asked for and not made yet.</summary>
    internal ChangeOrder Changes { get; }

    /// <summary>A change runs: no write of a guest is under way.</summary>
    internal bool IsQuiesced => _quietBy != null;

    /// <summary>Makes one change in a quiesced moment of all disks given; for what is not done often.</summary>
    /// <inheritdoc cref="QuiescedChange"/>
    public static void Quiesce(IIoLoop loop, Disk[] disks, Action change) =>
        new QuiescedChange(loop, disks, change).Begin();

    /// <summary>Whoever waited when the gate was opened last has been looked at since.</summary>
    internal bool HaveGuestsPassed => _guests.IsPumpIdle || _guests.VisitCount >= _visitsToPass;

    /// <summary>Quiesced in the moment that this change has begun.</summary>
    internal bool IsQuietBy(QuiescedChange change) => ReferenceEquals(_quietBy, change);

    internal void EnterQuiet(QuiescedChange change)
    {
        Check.That(ReferenceEquals(_closedBy, change));
        _quietBy = change;
    }

    internal void LeaveQuiet()
    {
        if (_isRecordingStale)
            ListRecording();
        _quietBy = null;
    }

    internal void CloseGate(QuiescedChange change)
    {
        Check.That(_closedBy == null);
        _closedBy = change;
        _trace.Emit(TracePoint.GateClosed);
        if (!_loop.HasFailed) // else it stays open, for good
            Volatile.Write(ref _closedCount, 1);
        _inFlight.FenceGuests(); // closed before the sum is read: see the head of Disk.cs
    }

    internal void OpenGate()
    {
        _closedBy = null;
        _trace.Emit(TracePoint.GateOpened);
        Volatile.Write(ref _closedCount, 0);
        SchedulePump();
        _visitsToPass = _guests.VisitCount + _guests.WaitingCount;
    }
}
