// What goes wrong on a larger scale than one command, and how it is mended before the liveness phase.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed partial class Director
{
    void WreakHavoc()
    {
        GuestDisk disk = _world.Disks[(int)_prng.Below((ulong)_world.Disks.Count)];
        List<TargetSlot> targets = _targets[disk.Index];
        TargetSlot target = targets[(int)_prng.Below((ulong)targets.Count)];
        ulong kind = _prng.Below(12);
        _world.Log?.Invoke($"havoc {kind} disk {disk.Index}");
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
                    _world.Tallies.Count(Mishap.Reconnect);
                target.Image.IsDisconnected = !target.Image.IsDisconnected;
                break;
            case 6 when target.IsTaken && !target.IsDown:
                LosePower(target);
                break;
            case 7:
                disk.Image.SizeBytes = _prng.Chance(1, 2) ? disk.CapacityBytes : _prng.Below(disk.CapacityBytes + 1);
                break;
            case 8:
                Jump();
                break;
            case 9:
                _world.Port.ReleaseHung();
                break;
            case 10:
                target.Image.RefusesAllocate = !target.Image.RefusesAllocate;
                break;
            default:
                Mend(disk);
                break;
        }
    }

    Extent DrawBad(DiskImage image) =>
        _prng.Chance(1, 3) || image.CapacityBytes < 1024
            ? default
            : new Extent(Units.AlignDown(_prng.Below(image.CapacityBytes), Sector.Bytes), Sector.Bytes);

    /// <summary>What was not flushed is lost in part, and the device is gone until its job has ended.</summary>
    void LosePower(TargetSlot target)
    {
        _world.Tallies.Count(Mishap.PowerCut);
        if (target.Image.PowerCut(_prng))
            _world.Tallies.Count(Mishap.TornWrite);
        target.IsDown = true;
        target.Image.IsDisconnected = true;
        target.Image.HardFaultCount++;
    }

    void Jump()
    {
        _world.Tallies.Count(Mishap.ClockJump);
        ulong ns = Units.NsPerMs << (int)_prng.Below(18);
        _world.Clock.AdvanceTo(_world.Clock.NowNs + ns);
        foreach (GuestDisk disk in _world.Disks)
            disk.Forgive(ns);
    }

    static void Mend(GuestDisk disk)
    {
        disk.Image.IsReadBroken = false;
        disk.Image.BadRead = default;
        disk.Image.SizeBytes = disk.CapacityBytes;
    }

    /// <summary>The end of all faults; a target that lost power stays away until its job has ended.</summary>
    public void Heal()
    {
        _world.Plan.Heal();
        _world.Port.ReleaseHung();
        foreach (GuestDisk disk in _world.Disks)
        {
            Mend(disk);
            foreach (TargetSlot target in _targets[disk.Index])
            {
                target.Image.IsWriteBroken = target.Image.IsFull = false;
                target.Image.BadWrite = default;
                target.Image.RefusesAllocate = false;
                if (!target.IsDown)
                    target.Image.IsDisconnected = false;
            }
        }
    }

    /// <summary>What a person would do in the end: resume, finalize, lift limits, cancel what never ends.</summary>
    public void HelpToEnd()
    {
        Retire();
        foreach (JobRun run in _world.Runs.ToArray())
        {
            if (run.IsInternallyPaused && JobLife.Allows(run.Job.Status, JobVerb.Resume))
            {
                run.IsInternallyPaused = false;
                run.Job.ResumeInternally();
            }
            run.IsInternallyPaused &= JobLife.Allows(run.Job.Status, JobVerb.Resume);
            if (run.Options.Sync == BackupSync.None && run.Dependents.TrueForAll(other => other.IsEnded))
                Cancel(run);
            if (run.Target.IsDown || run.Base is { IsBrokenOrEnded: true })
                Cancel(run);
            if (run.Job.IsUserPaused)
                _ = run.Job.Resume();
            if (!run.IsSpeedLifted && run.Job.SetSpeed(0).IsNone)
                run.IsSpeedLifted = true;
            _ = run.Job.Finalize();
        }
    }
}
