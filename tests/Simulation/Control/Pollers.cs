// A host that drives the engine from several threads of its own: each comes when the engine was poked, its timer is
// due, or its port has something, and makes a few turns. What the others do meanwhile is played inside a turn, at the
// places where the engine calls out: they post, their guests write, and who was woken by a poke finds the lock held and
// goes away again. Orders within the protocol itself are in tests/Schedules.
//
//   O24  whatever was posted while one of them was at it, somebody is poked for it
using System;
using System.Runtime.ExceptionServices;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Runtime;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class Pollers : IHostWaiter, ILoopTask
{
    const uint TurnsMax = 4;

    readonly Simulation _world;
    readonly Prng _prng;
    readonly int _count;
    bool _isPoked = true;
    bool _isAtIt;
    ulong _alarmNs = ulong.MaxValue;
    uint _postCount;
    uint _ranCount;

    /// <param name="world">Its reactor is driven from here on.</param>
    /// <param name="prng">What the threads do.</param>
    /// <param name="count">Of threads, at least 2.</param>
    public Pollers(Simulation world, Prng prng, int count)
    {
        (_world, _prng, _count) = (world, prng, count);
        world.Reactor.BeDriven();
        world.Reactor.SetWaiter(this);
        world.Port.Polling = Meanwhile;
    }

    /// <summary>A round of the host: who is called for comes; else time goes on, as far as it may.</summary>
    public void Turn(ulong waitNs)
    {
        if (IsDue)
            Drive();
        if (!IsDue && waitNs > 0)
            _world.Port.Pass(waitNs, _alarmNs);
    }

    void Drive()
    {
        _isPoked = false;
        _isAtIt = true;
        _world.Reactor.TryDrive(1 + (uint)_prng.Below(TurnsMax));
        _isAtIt = false;
        if (_world.Reactor.Failure is { } failure)
            ExceptionDispatchInfo.Throw(failure);
        if (_postCount != _ranCount && !_isPoked)
            throw new SimulationFailure("O24", "what was posted beside a poll is left, and nobody is poked");
    }

    public void Poke() => _isPoked = true;

    public void SleepUntil(ulong deadlineNs)
    {
        _alarmNs = deadlineNs;
        Meanwhile();
    }

    bool IsDue => _isPoked || _alarmNs <= _world.Clock.NowNs || _world.Port.HasDue;

    /// <summary>One of them is in the middle of a turn, or about to leave.</summary>
    void Meanwhile()
    {
        for (int other = 1; _isAtIt && other < _count; other++)
        {
            if (!_prng.Chance(1, 16))
                continue;
            if (!_world.IsLiveness && _prng.Chance(1, 2))
                _world.Guests.Issue(_world.Disks[(int)_prng.Below((ulong)_world.Disks.Count)]);
            else if (_world.Reactor.TryPost(this, 0))
                _postCount++;
            if (!_isPoked || _prng.Chance(1, 4))
                continue; // it comes later
            _isPoked = false;
            _world.Reactor.TryDrive(1);
            _world.Tallies.Count(Branch.PollerTurnedAway);
        }
    }

    void ILoopTask.Run(ulong argument) => _ranCount++;
}
