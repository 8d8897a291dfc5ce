// Everything that is not a guest: starts jobs, gives verbs, reads snapshots, changes bitmaps, breaks devices and
// mends them. Draws what to do, and how often, from the seed; how is each part's own.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class Director
{
    readonly Simulation _world;
    readonly Prng _prng;
    readonly List<Copy.CopyEngine> _orphans = [];
    readonly LaterComparison _comparison;
    readonly Places _places;
    readonly QuiescedChanges _changes;
    readonly BitmapActions _bitmaps;
    readonly ViewActions _views;
    readonly JobVerbs _verbs;
    readonly JobStarter _starter;
    readonly BadInput _badInput;
    readonly Havoc _havoc;
    readonly HungTargets _hungTargets;
    readonly uint _actionChance;

    public Director(Simulation world, Prng prng, Prng shapePrng, nint memory)
    {
        (_world, _prng) = (world, prng);
        _comparison = world.NewComparison();
        _places = new Places(world, prng);
        _changes = new QuiescedChanges(world);
        _bitmaps = new BitmapActions(world, prng, _places, _changes);
        _views = new ViewActions(world, prng, memory);
        _verbs = new JobVerbs(world, prng);
        _badInput = new BadInput(world, prng, _places);
        _havoc = new Havoc(world, prng, _places);
        _hungTargets = new HungTargets(world, shapePrng, _places);
        _actionChance = 512u << (int)prng.Below(6);
        _starter = new JobStarter(world, prng, _places, new JobOptions(world, prng, _places, _bitmaps), _verbs);
        foreach (GuestDisk disk in world.Disks)
        {
            _places.AddTargets(disk);
            _bitmaps.AddSome(disk);
        }
        _places.AddScratches();
    }

    /// <summary>Memory that jobs which have ended left to a device that did not answer.</summary>
    public ulong OrphanedBytes
    {
        get
        {
            _orphans.RemoveAll(engine => engine.InFlightCount == 0);
            ulong sumBytes = 0;
            foreach (Copy.CopyEngine engine in _orphans)
                sumBytes += engine.InFlightBytes + (engine.Blocks?.ReadingBytes ?? 0);
            return sumBytes;
        }
    }

    public static ulong MemoryBytes => ViewActions.MemoryBytes;

    /// <summary>One round of the world: often nothing, sometimes one action.</summary>
    public void Act()
    {
        if (HasEnded())
            _world.OnLoop(Retire);
        _hungTargets.Act();
        if (_world.Plan.Havoc > 0 && _prng.Below(65536) < _world.Plan.Havoc)
            _havoc.Wreak();
        if (_prng.Below(65536) < _actionChance)
            _world.OnLoop(ActOnce);
    }

    void ActOnce()
    {
        switch (_prng.Below(16))
        {
            case < 5:
                _starter.StartSome();
                break;
            case < 9:
                _verbs.Give();
                break;
            case < 12:
                _views.Read();
                break;
            case 12:
                _views.Discard();
                break;
            case 13:
                _bitmaps.ChangeOne();
                break;
            case 14:
                CheckQuiesced();
                break;
            default:
                _badInput.Try();
                break;
        }
    }

    /// <summary>The end of all faults.</summary>
    public void Heal()
    {
        _hungTargets.Mend();
        _havoc.Heal();
    }

    /// <summary>What a person would do in the end: resume, finalize, lift limits, cancel what never ends.</summary>
    public void HelpToEnd() => _world.OnLoop(HelpAll);

    void HelpAll()
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
                _verbs.Cancel(run);
            if (run.Target.IsDown || run.Base is { IsBrokenOrEnded: true })
                _verbs.Cancel(run);
            if (run.Job.IsUserPaused)
                _ = run.Job.Resume();
            if (!run.IsSpeedLifted && run.SetSpeed(0).IsNone)
                run.IsSpeedLifted = true;
            _ = run.Job.Finalize();
        }
    }

    /// <summary>A target that was written well keeps it when the power goes.</summary>
    public void OnJobSucceeded(JobRun run)
    {
        if (run.Target.Image.TailBytes > 0)
            _world.Tallies.Count(Branch.VastTargetDone);
        bool isWhole = run.Options.Sync == BackupSync.Full && !run.HadDiscard && run.Base == null;
        if (isWhole && (run.Target.Image.HasLied || _prng.Chance(1, 16)))
            _comparison.Check(run.Id, run.Point!.Frozen, run.Target.Image.Medium);
        if (!_prng.Chance(1, 2))
            return;
        _world.Tallies.Count(Mishap.PowerCutAfterSuccess);
        run.Target.Image.PowerCut(_prng);
        run.Point!.CheckTarget(run.Id + " after a power cut", run.Target.Chain != null && run.WasChainValid);
    }

    public void Dispose() => _places.Dispose();

    /// <summary>O5 at a quiescent point, for every bitmap of a disk, and its content against its history.</summary>
    void CheckQuiesced()
    {
        GuestDisk disk = _world.Disks[(int)_prng.Below((ulong)_world.Disks.Count)];
        _changes.Ask(
            disk,
            () =>
            {
                if (disk.HookWritesInFlight > 0 || disk.Image.ChangesInFlight > 0)
                    throw new SimulationFailure("O1", $"disk {disk.Index} is not quiet while quiesced");
                foreach (BitmapModel bitmap in disk.Bitmaps)
                    bitmap.Check("O5", "while quiesced");
                _world.Tallies.Count(Branch.BitmapChecked);
                disk.JudgeAll("while quiesced");
            }
        );
    }

    bool HasEnded()
    {
        foreach (JobRun run in _world.Runs)
            if (run.Job.Status is JobStatus.Concluded or JobStatus.Null)
                return true;
        return false;
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
            run.Dispose();
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
}
