// Targets without a ring that answer nothing for a while, as a server that is gone: every command that they are given
// keeps a thread, until none is left.
using FastBackup.Base;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class HungTargets(Simulation world, Prng prng, Places places)
{
    DiskImage? _hung;

    /// <summary>One round of the world: one begins, or is over.</summary>
    public void Act()
    {
        if (world.Shape.ThreadsPerFile == 0 || !prng.Chance(1, _hung == null ? 128ul : 64))
            return;
        if (_hung != null)
        {
            Mend();
            return;
        }
        GuestDisk disk = world.Disks[(int)prng.Below((ulong)world.Disks.Count)];
        TargetSlot? taken = places.TargetsOf(disk).Find(target => target.IsTaken);
        if (taken == null)
            return;
        _hung = taken.Image;
        _hung.IsHung = true;
        world.Tallies.Count(Mishap.HungFile);
    }

    /// <summary>What it has not answered it answers now.</summary>
    public void Mend()
    {
        if (_hung == null)
            return;
        _hung.IsHung = false;
        _hung = null;
        world.Port.ReleaseHung();
    }
}
