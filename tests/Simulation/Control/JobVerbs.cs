// The verbs that users give to jobs, allowed or not.
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Pacing;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class JobVerbs(Simulation world, Prng prng)
{
    /// <summary>One verb for one job.</summary>
    public void Give()
    {
        if (world.Runs.Count == 0)
            return;
        JobRun run = world.Runs[(int)prng.Below((ulong)world.Runs.Count)];
        JobStatus status = run.Job.Status;
        bool isBusy = run.Job.Filter.Engine.InFlightCount > 0;
        switch (prng.Below(9))
        {
            case 0 when prng.Chance(1, 3):
                if (isBusy)
                    world.Tallies.Count(Mishap.CancelInFlight);
                Cancel(run);
                break;
            case 1:
                if (isBusy && status == JobStatus.Running)
                    world.Tallies.Count(Mishap.PauseInFlight);
                Expect(run, JobVerb.Pause, run.Job.Pause(), JobLife.Allows(status, JobVerb.Pause));
                break;
            case 2 or 3:
                Expect(run, JobVerb.Resume, run.Job.Resume(), JobLife.Allows(status, JobVerb.Resume));
                break;
            case 4 when JobLife.Allows(status, JobVerb.Pause):
                if (run.IsInternallyPaused)
                    run.Job.ResumeInternally();
                else
                    run.Job.PauseInternally();
                run.IsInternallyPaused = !run.IsInternallyPaused;
                break;
            case 5:
                ulong speed = prng.Chance(1, 2) ? 0 : 1000ul << (int)prng.Below(24);
                Expect(run, JobVerb.SetSpeed, run.SetSpeed(speed), JobLife.Allows(status, JobVerb.SetSpeed));
                Expect(run, JobVerb.SetSpeed, run.SetSpeed(ulong.MaxValue), isAllowed: false);
                break;
            case 6 when prng.Chance(1, 2):
                run.Job.SetGuestPriority((GuestPriority)prng.Below(3));
                break;
            case 6:
                if (status == JobStatus.Pending)
                    world.Tallies.Count(Branch.FinalizedByHand);
                Expect(run, JobVerb.Finalize, run.Job.Finalize(), status == JobStatus.Pending);
                break;
            case 7:
                Expect(run, JobVerb.Dismiss, run.Job.Dismiss(), status == JobStatus.Concluded);
                break;
            default:
                Expect(run, JobVerb.Complete, run.Job.Complete(), isAllowed: false);
                break;
        }
    }

    /// <summary>With its group; nothing where it is too late.</summary>
    public void Cancel(JobRun run)
    {
        if (!JobLife.Allows(run.Job.Status, JobVerb.Cancel))
            return;
        run.WasCancelled = true;
        foreach (JobRun member in run.Group.Members)
            member.WasCancelled = true;
        world.Log?.Invoke("cancel " + run.Id);
        Fault fault = run.Job.Cancel();
        if (fault.IsFault)
            throw new SimulationFailure("O13", $"cancel of {run.Id} was refused in {run.Job.Status}");
    }

    /// <summary>O13: a verb that is not allowed says so; so do a pause while paused and a resume while not.</summary>
    void Expect(JobRun run, JobVerb verb, Fault fault, bool isAllowed)
    {
        world.Log?.Invoke($"{verb} {run.Id}: {fault}");
        bool mayRefuse = verb is JobVerb.Pause or JobVerb.Resume;
        if (fault.IsNone && !isAllowed || fault.IsFault && isAllowed && !mayRefuse)
            throw new SimulationFailure("O13", $"{verb} of {run.Id} in {run.Job.Status} answered '{fault}'");
    }
}
