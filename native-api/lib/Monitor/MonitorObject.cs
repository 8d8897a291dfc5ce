// A monitor as hosts hold it: a socket, a thread, nodes that its clients opened and jobs that they started. What it
// makes belongs to the engine like all else; what it started ends with it.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using FastBackup.BlockIo;
using FastBackup.Jobs;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Jobs;
using FastBackup.Native.Monitor.Plans;
using FastBackup.Native.Queues;

namespace FastBackup.Native.Monitor;

/// <summary>Threads: as each member says.</summary>
sealed class MonitorObject : AbiObject, IHandleKind, IJobObserver, ILoopMember
{
    readonly List<Plan> _plans = []; // the reactor's
    readonly List<JobObject> _jobs = []; // the reactor's
    readonly MonitorLoop _loop;
    ulong _nodeNumber; // the monitor's thread
    int _planCount;
    int _isClosing;

    public MonitorObject(EngineObject engine, MonitorListener listener, EventFd wake)
        : base(engine)
    {
        Inbox = new MonitorInbox(wake);
        Nodes = new NodeTable(engine);
        _loop = new MonitorLoop(this, listener);
    }

    public static HandleKind Kind => HandleKind.Monitor;

    public static string Noun => "monitor";

    /// <summary>Any thread.</summary>
    public MonitorInbox Inbox { get; }

    /// <summary>The monitor's thread, or the closing one when that has ended.</summary>
    public NodeTable Nodes { get; }

    /// <summary>Plans wait for their moment. Any thread.</summary>
    public bool HasPlans => Volatile.Read(ref _planCount) > 0;

    /// <summary>Jobs that it started and that are not closed yet. The reactor's thread.</summary>
    public IReadOnlyList<JobObject> Jobs => _jobs;

    public void Start() => _loop.Start();

    /// <summary>No client, no socket and no thread from now on; a second call does nothing.</summary>
    public void Stop() => _loop.Stop();

    /// <summary>True for one at a time.</summary>
    public bool TryBeginClose() => Interlocked.Exchange(ref _isClosing, 1) == 0;

    public void EndClose() => Volatile.Write(ref _isClosing, 0);

    /// <summary>Part of a command that needs the engine. On the monitor's thread, which waits.</summary>
    public CommandAnswer OnReactor(Func<CommandAnswer> work, bool mayBeStopped = false)
    {
        CommandAnswer result = default;
        Answer Run()
        {
            result = work();
            return Answer.Ok;
        }
        Answer answer = mayBeStopped ? Engine!.Run(this, Run) : Engine!.RunUnlessStopped(this, Run);
        return answer.IsOk ? result : QmpError.Of(answer);
    }

    /// <summary>The plan answers its call, now or later. On the monitor's thread.</summary>
    public void Begin(Plan plan)
    {
        Answer answer = Engine!.RunUnlessStopped(
            this,
            () =>
            {
                _plans.Add(plan);
                Volatile.Write(ref _planCount, _plans.Count);
                plan.Begin();
                return Answer.Ok;
            }
        );
        if (!answer.IsOk)
            plan.GiveUp(answer.Text ?? "the engine is closed");
    }

    /// <summary>The reactor's thread.</summary>
    public void OnPlanEnded(Plan plan)
    {
        _ = _plans.Remove(plan);
        Volatile.Write(ref _planCount, _plans.Count);
    }

    /// <summary>Ends what has waited too long. On the monitor's thread.</summary>
    public void GiveUpOldPlans() =>
        Engine!.Run(
            this,
            () =>
            {
                foreach (Plan plan in _plans.ToArray())
                    if (plan.IsTooOld)
                        plan.GiveUp("guest writes under way have not ended for 30 s: nothing was changed");
                return Answer.Ok;
            }
        );

    /// <summary>Ends all that wait. On the reactor's thread.</summary>
    public void GiveUpPlans(string reason)
    {
        foreach (Plan plan in _plans.ToArray())
            plan.GiveUp(reason);
    }

    /// <summary>A job was made for a client. The reactor's thread.</summary>
    public void Adopt(JobObject job) => _jobs.Add(job);

    /// <summary>A job that was never started goes. The reactor's thread.</summary>
    public void Forget(JobObject job)
    {
        bool wasOpen = !job.IsClosed;
        if (wasOpen && !JobCalls.TryClose(job.Engine!, job).IsOk)
            return; // the host has started it meanwhile: it goes with its end
        _ = _jobs.Remove(job);
        if (wasOpen)
            job.Engine!.Release(isChild: true);
    }

    /// <summary>Closes jobs that are over. On the monitor's thread.</summary>
    /// <returns>False: some are over and are still read from.</returns>
    public bool CloseDismissedJobs()
    {
        bool isLeft = false;
        _ = Engine!.Run(
            this,
            () =>
            {
                for (int i = _jobs.Count - 1; i >= 0; i--)
                {
                    JobObject job = _jobs[i];
                    if (job.Core.Status != JobStatus.Null && !job.IsClosed)
                        continue;
                    if (job.ReadCount > 0 && !job.IsClosed)
                        isLeft = true;
                    else
                        Forget(job);
                }
                return Answer.Ok;
            }
        );
        return !isLeft;
    }

    /// <summary>A name for a node that was given none. The monitor's thread.</summary>
    public string NextNodeName() => string.Create(CultureInfo.InvariantCulture, $"#block{++_nodeNumber:000}");

    void IJobObserver.OnJobMade(JobObject job) => Inbox.PostEvent(JobJson.StatusChange(job.Core, JobStatus.Created));

    void IJobObserver.OnJobEvent(JobObject job, in JobEvent happened)
    {
        switch (happened.Kind)
        {
            case JobEventKind.StatusChanged when happened.Status == JobStatus.Concluded:
                break; // told behind the job's end
            case JobEventKind.StatusChanged:
                Inbox.PostEvent(JobJson.StatusChange(job.Core, happened.Status));
                break;
            case JobEventKind.DeviceError:
                Inbox.PostEvent(JobJson.DeviceError(job.Core, happened));
                break;
            case JobEventKind.WaitsForFinalize:
                if (!job.Core.AutoFinalize)
                    Inbox.PostEvent(JobJson.Pending(job.Core));
                break;
            default:
                if (job.HasBegun)
                    Inbox.PostEvent(JobJson.End(job.Core, happened.Kind));
                Inbox.PostEvent(JobJson.StatusChange(job.Core, JobStatus.Concluded));
                break;
        }
        if (happened.Status == JobStatus.Null)
            Inbox.Post(_loop.CloseJobs);
    }

    /// <summary>A bug has stopped the engine: clients that wait are told.</summary>
    void ILoopMember.OnLoopFailed() => GiveUpPlans(EngineObject.StoppedAnswer().Text!);
}
