// Changes that disks make in a quiesced moment, each disk in the order of their asking (O17).
using System;
using System.Collections.Generic;
using FastBackup.Filter;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class QuiescedChanges(Simulation world)
{
    const int UnderWayMax = 64;

    readonly Dictionary<GuestDisk, Queue<int>> _asked = []; // changes that a disk has yet to make, by their numbers
    int _underWayCount;
    int _number;

    public void Ask(GuestDisk disk, Action change)
    {
        GuestDisk[] disks = [disk];
        if (!TryAsk(disks, out int number))
            return;
        Disk.Quiesce(
            world.Reactor,
            [disk.Disk],
            () =>
            {
                OnMade(disks, number);
                change();
            }
        );
    }

    /// <summary>For changes that quiesce by themselves: they tell when they are made.</summary>
    public bool TryAsk(GuestDisk[] disks, out int number)
    {
        number = _number;
        if (_underWayCount >= UnderWayMax)
            return false; // behind a hung write: more would only queue up
        _underWayCount++;
        _number++;
        foreach (GuestDisk disk in disks)
        {
            if (!_asked.ContainsKey(disk))
                _asked[disk] = new Queue<int>();
            _asked[disk].Enqueue(number);
        }
        return true;
    }

    public void OnMade(GuestDisk[] disks, int number)
    {
        _underWayCount--;
        foreach (GuestDisk disk in disks)
            if (_asked[disk].Dequeue() != number)
                throw new SimulationFailure("O17", $"disk {disk.Index} makes change {number} out of turn");
    }
}
