// The disk's side of quiesced moments: the gate, and who waits for its last write. See QuiescedChange.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Filter;

public sealed partial class Disk
{
    readonly QuiesceCheck _quiesceCheck = new();

    // Set while a change runs. Not "the sum is zero": a guest that has counted itself and is about to find the gate
    // closed makes the sum too high for a moment, also in the middle of a change.
    uint _quietDepth;
    ulong _shutAtNs; // since when the gate has been closed on end

    /// <summary>A change runs: no write of a guest is under way.</summary>
    internal bool IsQuiesced => _quietDepth > 0;

    internal void EnterQuiet() => _quietDepth++;

    internal void LeaveQuiet() => _quietDepth--;

    /// <summary>Makes one change in a quiesced moment of all disks given; for what is not done often.</summary>
    /// <inheritdoc cref="QuiescedChange"/>
    public static void Quiesce(IIoLoop loop, Disk[] disks, Action change) =>
        new QuiescedChange(loop, disks, change).Begin();

    /// <summary>Changes have kept the gate closed on end for so long: the next lets guests pass first.</summary>
    internal bool IsShutFor(ulong ns) => _closedCount > 0 && _loop.Clock.NowNs - _shutAtNs >= ns;

    internal void CloseGate(QuiescedChange change)
    {
        _trace.Emit(TracePoint.GateClosed);
        _quiesceCheck.Waiting.Add(change);
        if (_closedCount == 0)
            _shutAtNs = _loop.Clock.NowNs;
        Volatile.Write(ref _closedCount, _closedCount + 1);
        _inFlight.FenceGuests(); // closed before the sum is read: see the head of Disk.cs
    }

    internal void OpenGate(QuiescedChange change)
    {
        _trace.Emit(TracePoint.GateOpened);
        _quiesceCheck.Remove(change);
        if (_closedCount > 0) // a failed reactor has opened it already, for good
            Volatile.Write(ref _closedCount, _closedCount - 1);
        if (!Planted.Is(PlantedBug.R27GateOpensSilently))
            SchedulePump();
    }

    /// <summary>What a guest's last write posts: every change that waits for this disk looks again.</summary>
    sealed class QuiesceCheck : ILoopTask
    {
        public List<QuiescedChange> Waiting { get; } = new(16);

        /// <summary>By reference: the framework's own search makes a comparer at its first use, inside a job.</summary>
        public void Remove(QuiescedChange change)
        {
            for (int i = Waiting.Count - 1; i >= 0; i--)
                if (ReferenceEquals(Waiting[i], change))
                    Waiting.RemoveAt(i);
        }

        public void Run(ulong argument)
        {
            // A change that is made takes itself off the list.
            for (int i = Waiting.Count - 1; i >= 0; i--)
                if (i < Waiting.Count)
                    Waiting[i].LookAgain();
        }
    }
}
