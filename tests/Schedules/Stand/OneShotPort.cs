// A port with a thread of a file beside it, as the ring has: what the thread has finished lies in a list, and a wake
// raises an event that the ring polls. Such a poll tells once; after that nothing waits for the event until the next
// Poll has armed it anew. Poll makes its steps in the ring's order: arm, take, harvest, take.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Tests.Schedules.Machine;

namespace FastBackup.Tests.Schedules.Stand;

/// <param name="forgets">That it is not armed: says never that it must be polled again.</param>
sealed class OneShotPort(bool forgets) : StandPort
{
    readonly Queue<(IGuestOwner Owner, ulong Tag)> _finished = new();
    readonly int _eventFd = Kernel.Open();
    bool _isArmed;

    /// <summary>Readable while there is a completion of the ring.</summary>
    public int ReadyFd { get; } = Kernel.Open();

    public override string Name => "one-shot";

    public override bool NeedsPoll => !forgets && !_isArmed;

    /// <summary>What a file's thread does at the end of a command.</summary>
    public void Finish(IGuestOwner owner, ulong tag)
    {
        Run.Step();
        Run.Fence();
        _finished.Enqueue((owner, tag));
        Wake();
    }

    public override uint Poll(ulong waitNs)
    {
        Check.That(waitNs == 0); // driven
        Arm();
        uint delivered = Deliver();
        if (Kernel.TryLower(ReadyFd))
        {
            _ = Kernel.TryLower(_eventFd);
            _isArmed = false;
        }
        return delivered + Deliver();
    }

    public override void Wake()
    {
        Kernel.Raise(_eventFd);
        if (_isArmed) // in one step with the raise: the kernel's
            Kernel.RaiseAtOnce(ReadyFd);
    }

    void Arm()
    {
        if (_isArmed)
            return;
        Run.Step();
        Run.Fence();
        _isArmed = true;
        if (Kernel.IsReadable(_eventFd))
            Kernel.RaiseAtOnce(ReadyFd);
    }

    uint Deliver()
    {
        Run.Step();
        Run.Fence();
        uint delivered = 0;
        while (_finished.TryDequeue(out (IGuestOwner Owner, ulong Tag) finished))
        {
            delivered++;
            finished.Owner.OnGuestCompleted(finished.Tag, Fault.None);
        }
        return delivered;
    }
}
