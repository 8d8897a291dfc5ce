// Quiesced moments: the gate of one or more disks is closed, the writes in flight have ended, a change is made,
// the gates open. The change is one instant for all disks of the group: T0.
//
// Closing never waits, so groups that share disks cannot deadlock: a gate is a count, and each group's change
// runs when all its disks are quiet. Requests that arrive meanwhile wait in order and are looked at afresh
// afterwards. A drain does not wait for jobs, nor for requests that wait for copies: only for writes under way.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Filter;

public sealed partial class Disk
{
    readonly QuiesceCheck _quiesceCheck = new();

    bool IsQuiesced => _closedCount > 0 && (_inFlight.Sum() == 0 || Planted.Is(PlantedBug.R02PointInTimeNotQuiesced));

    /// <summary>Runs a change in a quiesced moment of all disks given, then opens them again.</summary>
    /// <param name="loop">The reactor of all disks.</param>
    /// <param name="disks">At least one.</param>
    /// <param name="change">Runs once on the reactor's thread, inside this call when nothing is in flight.</param>
    /// <remarks>Threads: the reactor's. The wait is as long as the slowest write under way.</remarks>
    public static void Quiesce(IIoLoop loop, Disk[] disks, Action change) =>
        new QuiesceGroup(loop, disks, change).Begin();

    void CloseGate(QuiesceGroup group)
    {
        _trace.Emit(TracePoint.GateClosed);
        _quiesceCheck.Add(group);
        Volatile.Write(ref _closedCount, _closedCount + 1);
        Interlocked.MemoryBarrier(); // closed before the sum is read: see the head of Disk.cs
    }

    void OpenGate(QuiesceGroup group)
    {
        _trace.Emit(TracePoint.GateOpened);
        _quiesceCheck.Remove(group);
        Volatile.Write(ref _closedCount, _closedCount - 1);
        if (!Planted.Is(PlantedBug.R27GateOpensSilently))
            SchedulePump();
    }

    /// <summary>One group's wait for quiet.</summary>
    sealed class QuiesceGroup(IIoLoop loop, Disk[] disks, Action change) : ILoopTask
    {
        const ulong LookAgainNs = Units.NsPerMs;

        bool _isDone;
        ulong _timerKey;

        public void Begin()
        {
            Check.That(disks.Length > 0);
            foreach (Disk disk in disks)
                disk.CloseGate(this);
            LookAgain();
        }

        /// <summary>The timer: a post that found the inbox full may be missing.</summary>
        public void Run(ulong argument)
        {
            _timerKey = 0;
            LookAgain();
        }

        public void LookAgain()
        {
            if (_isDone)
                return;
            foreach (Disk disk in disks)
                if (disk._inFlight.Sum() != 0 && !Planted.Is(PlantedBug.R02PointInTimeNotQuiesced))
                {
                    if (_timerKey == 0)
                        _timerKey = loop.StartTimer(loop.Clock.NowNs + LookAgainNs, this, 0);
                    return;
                }
            _isDone = true;
            if (_timerKey != 0)
                loop.CancelTimer(_timerKey);
            change();
            foreach (Disk disk in disks)
                disk.OpenGate(this);
        }
    }

    /// <summary>What a guest's last write posts: every group that waits for this disk looks again.</summary>
    sealed class QuiesceCheck : ILoopTask
    {
        QuiesceGroup[] _groups = [];

        public void Add(QuiesceGroup group) => _groups = [.. _groups, group];

        public void Remove(QuiesceGroup group) => _groups = Array.FindAll(_groups, other => other != group);

        public void Run(ulong argument)
        {
            foreach (QuiesceGroup group in _groups)
                group.LookAgain();
        }
    }
}
