// One open on a thread of its own: who asks goes on meanwhile, is told when it has ended, and then takes the device. Or
// gives the open up: an open cannot be called back, so what it brings, then or later, is closed again by its thread.
//
//   opening -> there -> taken          the device belongs to who took it
//           '------'--> given up       it is closed, and nobody is told
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Ports;
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

    sealed class Farewell(IBlockDevice device) : ILoopTask
    {
        void ILoopTask.Run(ulong argument) => device.DisposeWhenIdle();
    }

    readonly PatientThreads _threads;
    readonly IIoLoop _loop;
    IBlockDevice? _device; // written before There
    State _state;

    DeviceOpening(PatientThreads threads, IIoLoop loop) => (_threads, _loop) = (threads, loop);

    /// <summary>Starts to open.</summary>
    /// <param name="threads">Bound how many hang at once.</param>
    /// <param name="loop">Drives what is opened.</param>
    /// <param name="open">Opens, on the thread of this opening; null when refused. Throws nothing.</param>
    /// <param name="onEnd">Told on that thread of the end, one way or the other; not once it was given up.</param>
    /// <param name="opening">What was started, or null.</param>
    /// <returns>False: no thread is to be had, and nothing was started.</returns>
    public static bool TryStart(
        PatientThreads threads,
        IIoLoop loop,
        Func<IBlockDevice?> open,
        Action<DeviceOpening> onEnd,
        out DeviceOpening? opening
    )
    {
        DeviceOpening made = new(threads, loop);
        opening = threads.TryRun("fb-open", () => made.Run(open, onEnd)) ? made : null;
        return opening != null;
    }

    /// <summary>The device, once it is told of the end. Owner: the caller.</summary>
    /// <returns>Null: it was refused, or given up.</returns>
    public IBlockDevice? Take() => TryMove(State.There, State.Taken) ? _device : null;

    /// <summary>Nobody wants it any more. Waits for nothing; does nothing once it was taken.</summary>
    public void GiveUp()
    {
        if (TryMove(State.Opening, State.GivenUp) || !TryMove(State.There, State.GivenUp) || _device == null)
            return;
        Close(_threads, _loop, _device);
    }

    /// <summary>Closes what nobody uses, without waiting where that can be had: a file on a thread of its own, any
    /// other device on its loop.</summary>
    public static void Close(PatientThreads threads, IIoLoop loop, IBlockDevice device)
    {
        if (device is not FileDevice file)
            loop.Post(new StandingPost(new Farewell(device)));
        else if (!threads.TryRun("fb-close", file.Dispose))
            file.Dispose();
    }

    void Run(Func<IBlockDevice?> open, Action<DeviceOpening> onEnd)
    {
        _device = open();
        if (TryMove(State.Opening, State.There))
            onEnd(this);
        else if (_device is FileDevice file)
            file.Dispose(); // here: it may take its time
        else if (_device != null)
            Close(_threads, _loop, _device);
    }

    bool TryMove(State from, State to)
    {
        State seen = Interlocked.CompareExchange(ref _state, to, from);
        Check.That(seen != State.Taken || from != State.There || to != State.Taken);
        return seen == from;
    }
}
