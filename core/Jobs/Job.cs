// The life of any job: states, verbs, pause counts, the first fault, and its part in a transaction.
// What a job does is its subclass's; when its results become final is its transaction's.
using System;
using FastBackup.Base;
using FastBackup.Filter;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
public abstract class Job
{
    uint _internalPauseCount;

    protected Job(string id, Disk disk) => (Id, Disk) = (id, disk);

    public string Id { get; }

    /// <summary>The disk whose point in time this job copies.</summary>
    public Disk Disk { get; }

    public JobStatus Status { get; private set; } = JobStatus.Created;

    public IJobListener? Listener { get; set; }

    /// <summary>The root cause of the end; Canceled after cancel; None on success and before the end.</summary>
    public Fault Fault { get; private set; }

    public bool IsSourceFault { get; private set; }

    /// <summary>Paused by a verb, or by an error with policy stop.</summary>
    public bool IsUserPaused { get; private set; }

    public abstract bool AutoFinalize { get; }

    public abstract bool AutoDismiss { get; }

    internal Transaction? Transaction { get; set; }

    protected bool IsPaused => IsUserPaused || _internalPauseCount > 0;

    /// <summary>The point in time will come soon: looks at what guests write until then.</summary>
    /// <returns>How long it should; 0: it does not.</returns>
    internal virtual ulong Warm() => 0;

    /// <summary>Starts the job in a transaction of its own.</summary>
    public void Start(Ports.IIoLoop loop) => new Transaction(loop, [this]).Start();

    /// <summary>Asks the job to end; its transaction's other members are cancelled with it.</summary>
    /// <returns>None, or State where the verb is not allowed. A cancel of a job that is ending already is
    /// allowed.</returns>
    public Fault Cancel()
    {
        if (!JobLife.Allows(Status, JobVerb.Cancel))
            return Refused();
        Fail(new Fault(FaultKind.Canceled), isSource: false);
        return Fault.None;
    }

    public Fault Pause()
    {
        if (!JobLife.Allows(Status, JobVerb.Pause) || IsUserPaused)
            return Refused();
        IsUserPaused = true;
        ApplyPause();
        return Fault.None;
    }

    public Fault Resume()
    {
        if (!JobLife.Allows(Status, JobVerb.Resume) || !IsUserPaused)
            return Refused();
        IsUserPaused = false;
        OnResumedByUser();
        ApplyPause();
        return Fault.None;
    }

    /// <summary>A pause of our own, counted apart from the user's.</summary>
    public void PauseInternally()
    {
        _internalPauseCount++;
        ApplyPause();
    }

    public void ResumeInternally()
    {
        Check.That(_internalPauseCount > 0);
        _internalPauseCount--;
        ApplyPause();
    }

    /// <param name="bytesPerSecond">0 = unlimited; at most 2^63 - 1.</param>
    /// <returns>None, State, or Invalid.</returns>
    public Fault SetSpeed(ulong bytesPerSecond)
    {
        if (!JobLife.Allows(Status, JobVerb.SetSpeed))
            return Refused();
        if (bytesPerSecond > BackupRules.SpeedMax)
            return new Fault(FaultKind.Invalid);
        OnSpeed(bytesPerSecond);
        return Fault.None;
    }

    /// <summary>For jobs that are Ready; a backup never is.</summary>
    public Fault Complete() => JobLife.Allows(Status, JobVerb.Complete) ? new Fault(FaultKind.Unsupported) : Refused();

    /// <summary>Makes the results of the job's whole transaction final.</summary>
    public Fault Finalize()
    {
        if (!JobLife.Allows(Status, JobVerb.Finalize))
            return Refused();
        Transaction!.FinishAll();
        return Fault.None;
    }

    public Fault Dismiss()
    {
        if (!JobLife.Allows(Status, JobVerb.Dismiss))
            return Refused();
        MoveTo(JobStatus.Null);
        return Fault.None;
    }

    /// <summary>The point in time is now; all disks of the transaction are quiesced.</summary>
    /// <returns>None, or why this job cannot begin any more; nothing was changed then.</returns>
    internal abstract Fault BeginQuiesced();

    /// <summary>Goes on with the work; called again whenever something may be possible.</summary>
    internal abstract void Run();

    /// <summary>Success is final; the disk is quiesced, and is held for no work in proportion to its size.</summary>
    internal abstract void CommitQuiesced();

    /// <summary>Starts to end what is in flight; calls <see cref="OnAborted"/> when nothing is.</summary>
    internal abstract void BeginAbort();

    /// <summary>Nothing is in flight any more; the disk is quiesced, as for <see cref="CommitQuiesced"/>.</summary>
    internal abstract void AbortQuiesced();

    /// <summary>It was committed or aborted: what is left to do settles, and then it concludes.</summary>
    internal bool IsFinal { get; set; }

    /// <summary>Something is left to do after the commit or abort.</summary>
    internal abstract bool IsSettling { get; }

    /// <summary>Does the next piece of it, at most about half a millisecond.</summary>
    internal abstract void Settle();

    protected abstract void OnSpeed(ulong bytesPerSecond);

    protected abstract void OnResumedByUser();

    protected abstract void Emit(TracePoint point, int cause);

    /// <summary>The subclass shows a new picture of itself.</summary>
    protected abstract void Publish();

    /// <summary>The first fault is the root cause and stays; later ones are its consequences.</summary>
    internal void Fail(Fault fault, bool isSource)
    {
        if (Fault.IsFault || Status is JobStatus.Concluded or JobStatus.Null or JobStatus.Aborting)
            return;
        if (Transaction is { IsCommitted: true })
            return;
        (Fault, IsSourceFault) = (fault, isSource);
        if (Transaction == null)
            Transaction.CancelCreated(this);
        else
            Transaction.OnFailed(this);
    }

    /// <summary>The work is done.</summary>
    protected void Succeed()
    {
        Transaction!.OnDone(this);
    }

    protected void OnAborted() => Transaction!.OnAborted(this);

    internal void MoveTo(JobStatus status)
    {
        Check.That(JobLife.IsEdge(Status, status));
        Status = status;
        Emit(TracePoint.JobState, (int)status);
        Publish();
        Raise(new JobEvent(JobEventKind.StatusChanged, status));
    }

    internal void Abort()
    {
        if (Status == JobStatus.Paused)
            MoveTo(JobStatus.Running);
        MoveTo(JobStatus.Aborting);
        BeginAbort();
    }

    /// <summary>The reactor is gone: straight to the end, whatever the state was.</summary>
    protected void ConcludeLost(Fault fault)
    {
        Fault = fault;
        Status = JobStatus.Concluded;
        Publish();
        Raise(new JobEvent(JobEventKind.Failed, Status, fault));
    }

    internal void Conclude()
    {
        MoveTo(JobStatus.Concluded);
        JobEventKind kind =
            Fault.IsNone ? JobEventKind.Completed
            : Fault.Kind == FaultKind.Canceled ? JobEventKind.Cancelled
            : JobEventKind.Failed;
        Raise(new JobEvent(kind, Status, Fault, IsSourceFault));
        if (AutoDismiss)
            MoveTo(JobStatus.Null);
    }

    /// <summary>Policy stop: as if the user had paused, until resumed.</summary>
    protected void PauseByError()
    {
        IsUserPaused = true;
        ApplyPause();
    }

    protected internal void Raise(in JobEvent jobEvent) => Listener?.OnJobEvent(this, jobEvent);

    internal void ApplyPause()
    {
        if (IsPaused && Status == JobStatus.Running)
        {
            MoveTo(JobStatus.Paused);
        }
        else if (!IsPaused && Status == JobStatus.Paused)
        {
            MoveTo(JobStatus.Running);
            Run();
        }
    }

    static Fault Refused() => new(FaultKind.State);
}
