// A production reactor on the simulated port and clock, turned by the test.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Runtime;

namespace FastBackup.Tests.Simulated;

sealed class SimulatedLoop : IDisposable
{
    int _nextFd = 100;

    public SimulatedLoop(ulong seed, SimulatedFaults? faults = null, int depth = int.MaxValue)
    {
        FileIo = new SimulatedFileIo(Clock, seed, faults ?? new SimulatedFaults()) { Depth = depth };
        Reactor = new Reactor(FileIo, Clock, ReactorLimits.Default);
    }

    public SimulatedClock Clock { get; } = new();

    public SimulatedFileIo FileIo { get; }

    public Reactor Reactor { get; }

    /// <summary>A file device over a new simulated disk.</summary>
    public FileDevice OpenFile(
        ulong capacityBytes,
        out SimulatedDisk disk,
        uint alignBytes = 1,
        bool isZeroInitialised = false,
        bool isReadOnly = false,
        uint inFlightMax = 1024
    )
    {
        disk = FileIo.Add(_nextFd++, capacityBytes, alignBytes);
        BlockLimits limits = new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = alignBytes,
            BufferAlignBytes = alignBytes,
            IsZeroInitialised = isZeroInitialised,
            IsReadOnly = isReadOnly,
            CanTellSize = true,
            InFlightMax = inFlightMax,
        };
        return new FileDevice(Reactor, "sim" + _nextFd, limits, disk.Handle, disk.BufferedHandle, false, null);
    }

    /// <summary>Turns until the condition holds; fails when the loop has nothing left to do before.</summary>
    public void RunUntil(Func<bool> isDone, int turnsMax = 10_000_000)
    {
        for (int turn = 0; !isDone(); turn++)
        {
            Check.That(turn < turnsMax);
            Reactor.Turn(isDone() ? 0 : ulong.MaxValue);
        }
    }

    /// <summary>Turns until this much virtual time has passed.</summary>
    public void RunFor(ulong ns)
    {
        ulong untilNs = Clock.NowNs + ns;
        while (Clock.NowNs < untilNs)
            Reactor.Turn(untilNs - Clock.NowNs);
        for (int i = 0; i < 4; i++)
            Reactor.Turn(0);
    }

    public void Dispose() => Reactor.Dispose();
}
