// Everything that is not a guest: starts jobs, gives verbs, reads snapshots, changes bitmaps, breaks devices and
// mends them. Draws what to do, and how often, from the seed.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed partial class Director
{
    const int ViewReadCount = 6;

    readonly Simulation _world;
    readonly Prng _prng;
    readonly List<ViewRead> _reads = [];
    readonly List<TargetSlot>[] _targets;
    readonly List<ScratchSlot> _scratches = [];
    readonly List<Copy.CopyEngine> _orphans = [];
    readonly uint _actionChance;
    readonly uint _runsMax;
    int _jobCount;
    int _bitmapCount;

    public Director(Simulation world, Prng prng, nint memory)
    {
        (_world, _prng) = (world, prng);
        for (int i = 0; i < ViewReadCount; i++)
            _reads.Add(new ViewRead(world, memory + i * ViewRead.BufferBytes));
        _actionChance = 512u << (int)prng.Below(6);
        _runsMax = world.IsTight ? 1 : 1 + (uint)prng.Below(4);
        _targets = new List<TargetSlot>[world.Disks.Count];
        foreach (GuestDisk disk in world.Disks)
        {
            _targets[disk.Index] = [];
            for (int i = 0; i < 4; i++)
                _targets[disk.Index].Add(MakeTarget(disk, i, isZeroInitialised: i % 2 == 1));
            DrawBitmaps(disk);
        }
        for (int i = 0; i < 3; i++)
            _scratches.Add(MakeScratch(i));
    }

    /// <summary>Memory that jobs which have ended left to a device that did not answer.</summary>
    public ulong OrphanedBytes
    {
        get
        {
            _orphans.RemoveAll(engine => engine.InFlightCount == 0);
            ulong sumBytes = 0;
            foreach (Copy.CopyEngine engine in _orphans)
                sumBytes += engine.InFlightBytes;
            return sumBytes;
        }
    }

    public static ulong MemoryBytes => ViewReadCount * ViewRead.BufferBytes;

    /// <summary>One round of the world: often nothing, sometimes one action.</summary>
    public void Act()
    {
        Retire();
        if (_world.Plan.Havoc > 0 && _prng.Below(65536) < _world.Plan.Havoc)
            WreakHavoc();
        if (_prng.Below(65536) >= _actionChance)
            return;
        switch (_prng.Below(16))
        {
            case < 5:
                StartJobs();
                break;
            case < 9:
                GiveVerb();
                break;
            case < 12:
                ReadView();
                break;
            case 12:
                DiscardInView();
                break;
            case 13:
                ChangeBitmap();
                break;
            case 14:
                CheckQuiesced();
                break;
            default:
                TryBadInput();
                break;
        }
    }

    /// <summary>Jobs that have ended and that nobody reads any more are disposed of.</summary>
    void Retire()
    {
        for (int i = _world.Runs.Count - 1; i >= 0; i--)
        {
            JobRun run = _world.Runs[i];
            if (run.Job.Status == JobStatus.Concluded)
                Check.That(run.Job.Dismiss().IsNone);
            if (run.Job.Status != JobStatus.Null || run.ReadsInFlight > 0)
                continue;
            if (run.Job.View is { InFlightCount: > 0 } || run.Dependents.Exists(other => _world.Runs.Contains(other)))
                continue;
            _world.Runs.RemoveAt(i);
            run.Job.Dispose();
            if (run.Job.Filter.Engine.IsOrphaned)
                _orphans.Add(run.Job.Filter.Engine);
            run.Options.Filter.Scratch?.Dispose();
            if (run.Scratch != null)
                run.Scratch.IsTaken = false;
            if (run.ViewDisk != null)
                run.ViewDisk.Dispose();
            run.Target.IsTaken = false;
            if (!run.Target.IsDown)
                continue;
            run.Target.IsDown = false;
            run.Target.Image.IsDisconnected = false;
        }
    }

    TargetSlot MakeTarget(GuestDisk disk, int index, bool isZeroInitialised)
    {
        ulong capacity = disk.CapacityBytes + (_prng.Chance(1, 3) ? _prng.Below(20_000) : 0);
        DiskImage image = _world.NewImage(capacity, isTarget: true);
        FileDevice device = _world.Open(image, $"target{disk.Index}.{index}", isZeroInitialised);
        if (!isZeroInitialised)
            _prng.Fill(image.Content);
        image.MakeDurable();
        return new TargetSlot(image, device, isZeroInitialised);
    }

    ScratchSlot MakeScratch(int index)
    {
        DiskImage image = _world.NewImage(16384 + _prng.Below(400_000), isTarget: true);
        return new ScratchSlot(image, _world.Open(image, "scratch" + index, isZeroInitialised: false));
    }

    public void Dispose()
    {
        foreach (ScratchSlot scratch in _scratches)
            scratch.Device.Dispose();
        foreach (List<TargetSlot> targets in _targets)
        foreach (TargetSlot target in targets)
            target.Device.Dispose();
    }

    /// <summary>A target that was written well keeps it when the power goes.</summary>
    public void OnJobSucceeded(JobRun run)
    {
        if (!_prng.Chance(1, 2))
            return;
        _world.Tallies.Count(Mishap.PowerCutAfterSuccess);
        run.Target.Image.PowerCut(_prng);
        run.Point!.CheckTarget(run.Id + " after a power cut", run.Target.Chain != null && run.WasChainValid);
    }
}
