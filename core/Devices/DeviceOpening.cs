// One open on a thread of its own: who asks goes on meanwhile, is told when it has ended, and then takes the device. Or
// gives the open up: an open cannot be called back, so what it brings, then or later, is closed again by its thread.
//
//   opening -> there -> taken          the device belongs to who took it
//           '------'--> given up       it is closed, and nobody is told
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices;

/// <summary>Threads: any; Take and GiveUp may race with each other and with the end.</summary>
public sealed class DeviceOpening
{
    enum State
    {
        Opening,
        There,
        Taken,
        GivenUp,
    }

    readonly PatientThreads _threads;
    FileDevice? _device; // written before There
    State _state;

    DeviceOpening(PatientThreads threads) => _threads = threads;

    /// <summary>Starts to open.</summary>
    /// <param name="threads">Bound how many hang at once.</param>
    /// <param name="open">Opens, on the thread of this opening; null when refused. Throws nothing.</param>
    /// <param name="onEnd">Told on that thread of the end, one way or the other; not once it was given up.</param>
    /// <param name="opening">What was started, or null.</param>
    /// <returns>False: no thread is to be had, and nothing was started.</returns>
    public static bool TryStart(
        PatientThreads threads,
        Func<FileDevice?> open,
        Action<DeviceOpening> onEnd,
        out DeviceOpening? opening
    )
    {
        DeviceOpening made = new(threads);
        opening = threads.TryRun("fb-open", () => made.Run(open, onEnd)) ? made : null;
        return opening != null;
    }

    /// <summary>The device, once it is told of the end. Owner: the caller.</summary>
    /// <returns>Null: it was refused, or given up.</returns>
    public FileDevice? Take() => TryMove(State.There, State.Taken) ? _device : null;

    /// <summary>Nobody wants it any more. Waits for nothing; does nothing once it was taken.</summary>
    public void GiveUp()
    {
        if (TryMove(State.Opening, State.GivenUp) || !TryMove(State.There, State.GivenUp) || _device == null)
            return;
        if (!_threads.TryRun("fb-close", _device.Dispose))
            _device.Dispose();
    }

    void Run(Func<FileDevice?> open, Action<DeviceOpening> onEnd)
    {
        _device = open();
        if (TryMove(State.Opening, State.There))
            onEnd(this);
        else
            _device?.Dispose();
    }

    bool TryMove(State from, State to)
    {
        State seen = Interlocked.CompareExchange(ref _state, to, from);
        Check.That(seen != State.Taken || from != State.There || to != State.Taken);
        return seen == from;
    }
}
