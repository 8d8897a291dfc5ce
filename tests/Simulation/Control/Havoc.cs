// What goes wrong on a larger scale than one command, and how it is mended before the liveness phase.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class Havoc(Simulation world, Prng prng, Places places)
{
    /// <summary>One thing breaks, or is mended.</summary>
    public void Wreak()
    {
        GuestDisk disk = world.Disks[(int)prng.Below((ulong)world.Disks.Count)];
        List<TargetSlot> targets = places.TargetsOf(disk);
        TargetSlot target = targets[(int)prng.Below((ulong)targets.Count)];
        ulong kind = prng.Below(14);
        world.Log?.Invoke($"havoc {kind} disk {disk.Index}");
        switch (kind)
        {
            case 0:
                disk.Image.IsReadBroken = !disk.Image.IsReadBroken;
                break;
            case 1:
                disk.Image.BadRead = DrawBad(disk.Image);
                break;
            case 2:
                target.Image.IsWriteBroken = !target.Image.IsWriteBroken;
                break;
            case 3:
                target.Image.BadWrite = DrawBad(target.Image);
                break;
            case 4:
                target.Image.IsFull = !target.Image.IsFull;
                break;
            case 5 when !target.IsDown:
                if (target.Image.IsDisconnected)
                    world.Tallies.Count(Mishap.Reconnect);
                target.Image.IsDisconnected = !target.Image.IsDisconnected;
                break;
            case 6 when target.IsTaken && !target.IsDown:
                LosePower(target);
                break;
            case 7:
                ResizeSource(disk);
                break;
            case 8:
                Jump();
                break;
            case 9:
                world.Port.ReleaseHung();
                break;
            case 10:
                target.Image.RefusesAllocate = !target.Image.RefusesAllocate;
                break;
            case 11 or 12:
                CutTarget(disk, targets.Find(one => one.IsTaken) ?? target);
                break;
            default:
                Mend(disk);
                break;
        }
    }

    /// <summary>The end of all faults; a target that lost power stays away until its job has ended.</summary>
    public void Heal()
    {
        world.Plan.Heal();
        world.Port.ReleaseHung();
        foreach (GuestDisk disk in world.Disks)
        {
            Mend(disk);
            foreach (TargetSlot target in places.TargetsOf(disk))
            {
                target.Image.IsWriteBroken = target.Image.IsFull = false;
                target.Image.BadWrite = default;
                target.Image.RefusesAllocate = false;
                target.Image.Resize(target.Image.CapacityBytes);
                if (!target.IsDown)
                    target.Image.IsDisconnected = false;
            }
        }
    }

    /// <summary>Cut anywhere, or at its end, where there may be a hole; grown; or as it was.</summary>
    void ResizeSource(GuestDisk disk)
    {
        ulong capacityBytes = disk.CapacityBytes;
        ulong endBytes = prng.Below(Math.Min(capacityBytes, 65_536) + 1);
        disk.Image.Resize(
            prng.Chance(1, 3) ? capacityBytes
            : prng.Chance(1, 8) ? capacityBytes + endBytes
            : prng.Chance(1, 2) ? capacityBytes - endBytes
            : prng.Below(capacityBytes + 1)
        );
    }

    /// <summary>A target longer than its disk loses some of that, or gets it back: no byte of the image.</summary>
    void CutTarget(GuestDisk disk, TargetSlot target)
    {
        ulong capacityBytes = target.Image.CapacityBytes;
        ulong sizeBytes = disk.SizeBytes + prng.Below(capacityBytes - disk.SizeBytes + 1);
        target.Image.Resize(prng.Chance(1, 4) ? capacityBytes : sizeBytes);
    }

    Extent DrawBad(DiskImage image) =>
        prng.Chance(1, 3) || image.CapacityBytes < 1024
            ? default
            : new Extent(Units.AlignDown(prng.Below(image.CapacityBytes), Sector.Bytes), Sector.Bytes);

    /// <summary>What was not flushed is lost in part, and the device is gone until its job has ended.</summary>
    void LosePower(TargetSlot target)
    {
        world.Tallies.Count(Mishap.PowerCut);
        if (target.Image.PowerCut(prng))
            world.Tallies.Count(Mishap.TornWrite);
        target.IsDown = true;
        target.Image.IsDisconnected = true;
        target.Image.HardFaultCount++;
    }

    void Jump()
    {
        world.Tallies.Count(Mishap.ClockJump);
        ulong ns = Units.NsPerMs << (int)prng.Below(18);
        world.Clock.AdvanceTo(world.Clock.NowNs + ns);
        foreach (GuestDisk disk in world.Disks)
            disk.Forgive(ns);
    }

    static void Mend(GuestDisk disk)
    {
        disk.Image.IsReadBroken = false;
        disk.Image.BadRead = default;
        disk.Image.Resize(disk.CapacityBytes);
    }
}
