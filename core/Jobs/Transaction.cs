// Jobs that start at one instant and end together: all succeed, or none.
//
//   start     guests' writes are looked at for a moment (WarmUp), then all disks quiesced once: one T0 for the group
//   done      a member that is through waits; when all wait, all are pending
//   finalize  when no member asks to wait for it, or when it is given to any: all commit in one quiesced moment
//   failure   of one cancels the others; each ends what it has in flight, then its bitmap is restored
//   settle    what is final is carried out, a piece a turn, one member after the other; then a member concludes
//
// What else is to be of that instant, a checkpoint, comes with the start (IStartWork): all or nothing with the group.
//
// Sequential members copy one after the other, but all from the same T0. A single job is a group of one.
// Source: QEMU 10.2 job.c (JobTxn), whose rules these are.
using System;
using System.Linq;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Ports;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
public sealed class Transaction : ILoopTask, IQuietWork
{
    const int PiecesPerTurn = 2; // about half a millisecond each

    readonly IIoLoop _loop;
    readonly Job[] _jobs;
    readonly QuiescedChange _begin;
    readonly QuiescedChange _commit;
    readonly QuiescedChange[] _aborts; // by job
    readonly WarmUp _warmUp;
    readonly bool _isSequential;
    IStartWork? _startWork; // until it was done, or will not be
    bool _isFailed;
    bool _isFinishing;
    bool _isDeferred;

    /// <param name="loop">The reactor of all members' disks.</param>
    /// <param name="jobs">Created and in no other transaction; at least one.</param>
    /// <param name="isSequential">One member's background copy at a time, in this order.</param>
    /// <param name="startWork">Done at the point in time, all jobs being ready; null: nothing.</param>
    public Transaction(IIoLoop loop, Job[] jobs, bool isSequential = false, IStartWork? startWork = null)
    {
        Check.That(jobs.Length > 0);
        (_loop, _jobs, _isSequential, _startWork) = (loop, jobs, isSequential, startWork);
        foreach (Job job in jobs)
        {
            Check.That(job.Status == JobStatus.Created);
            Check.That(job.Transaction == null);
            job.Transaction = this;
        }
        // Everything that the group's life needs is made here: from start to end nothing is allocated.
        Disk[] disks = [.. Array.ConvertAll(jobs, job => job.Disk).Distinct()];
        Disk[] startDisks = startWork == null ? disks : [.. disks.Union(startWork.Disks)];
        _warmUp = new WarmUp(loop, jobs);
        _begin = new QuiescedChange(loop, startDisks, this);
        _commit = new QuiescedChange(loop, disks, Commit);
        _aborts = Array.ConvertAll(jobs, job => new QuiescedChange(loop, [job.Disk], () => FinishAbort(job)));
    }

    public bool IsStarted { get; private set; }

    /// <summary>Success is final: nothing can fail it any more.</summary>
    internal bool IsCommitted { get; private set; }

    /// <summary>Takes the point in time of all members; they run from then on.</summary>
    public void Start()
    {
        Check.That(!IsStarted);
        IsStarted = true;
        _begin.Begin();
    }

    /// <summary>As Start, inside a quiesced moment of all members' disks that somebody else has taken.</summary>
    public void StartQuiesced()
    {
        Check.That(!IsStarted);
        IsStarted = true;
        foreach (Job job in _jobs)
            Check.That(job.Disk.IsQuiesced);
        Begin(_jobs);
    }

    bool IQuietWork.Prepare() => _isFailed || _warmUp.IsOver();

    ulong IQuietWork.RestNs => _warmUp.RestNs;

    bool IQuietWork.Change()
    {
        Begin(_jobs);
        return true;
    }

    void Begin(Job[] jobs)
    {
        if (_isFailed)
            return; // cancelled while the disks became quiet
        foreach (Job job in jobs)
        {
            Fault fault = job.BeginQuiesced();
            if (fault.IsFault)
            {
                job.Fail(fault, isSource: false); // and with it all others, begun or not
                return;
            }
            job.MoveTo(JobStatus.Running);
            job.ApplyPause();
        }
        if (_startWork is { } work)
        {
            _startWork = null;
            Fault fault = work.DoQuiesced();
            if (fault.IsFault)
            {
                jobs[0].Fail(fault, isSource: false);
                return;
            }
        }
        RunNext();
    }

    internal bool MayRun(Job job)
    {
        if (!_isSequential)
            return true;
        foreach (Job other in _jobs)
            if (ReferenceEquals(other, job))
                return true;
            else if (other.Status is not (JobStatus.Waiting or JobStatus.Pending or JobStatus.Concluded))
                return false;
        return false;
    }

    void RunNext()
    {
        foreach (Job job in _jobs)
            if (job.Status == JobStatus.Running)
                job.Run();
    }

    internal void OnDone(Job job)
    {
        job.MoveTo(JobStatus.Waiting);
        if (_isFailed)
            return;
        if (!All(JobStatus.Waiting))
        {
            RunNext();
            return;
        }
        bool isFree = true;
        foreach (Job member in _jobs)
        {
            member.MoveTo(JobStatus.Pending);
            isFree &= member.AutoFinalize;
        }
        if (isFree)
            FinishAll();
        else
            foreach (Job member in _jobs)
                member.Raise(new JobEvent(JobEventKind.WaitsForFinalize, member.Status));
    }

    internal void FinishAll()
    {
        if (_isFinishing)
            return;
        _isFinishing = true;
        _commit.Begin();
    }

    void Commit()
    {
        if (_isFailed)
            return;
        IsCommitted = true;
        foreach (Job job in _jobs)
        {
            job.CommitQuiesced();
            job.IsFinal = true;
        }
        ConcludeSettled();
    }

    internal void OnFailed(Job failed)
    {
        if (_isFailed)
            return;
        _isFailed = true;
        IStartWork? work = _startWork;
        _startWork = null;
        work?.Abandon();
        if (_jobs.Length > 1)
        {
            // Each member leaves its own disk, and waits no longer for writes of the others'.
            _begin.Withdraw();
            _commit.Withdraw();
        }
        foreach (Job job in _jobs)
            if (!ReferenceEquals(job, failed))
                job.Fail(new Fault(FaultKind.Canceled), isSource: false);
        foreach (Job job in _jobs)
            job.Abort();
    }

    internal void OnAborted(Job job) => _aborts[Array.IndexOf(_jobs, job)].Begin();

    void FinishAbort(Job job)
    {
        job.AbortQuiesced();
        job.IsFinal = true;
        ConcludeSettled();
    }

    /// <summary>One member's next pieces: others that wait for this thread come first.</summary>
    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        foreach (Job job in _jobs)
        {
            if (!job.IsSettling)
                continue;
            for (int piece = 0; piece < PiecesPerTurn && job.IsSettling; piece++)
                job.Settle();
            break;
        }
        ConcludeSettled();
    }

    void ConcludeSettled()
    {
        foreach (Job job in _jobs)
        {
            if (job.IsSettling && !_isDeferred)
            {
                _isDeferred = true;
                _loop.Defer(this, 0);
            }
            if (job.IsFinal && !job.IsSettling && job.Status is JobStatus.Pending or JobStatus.Aborting)
                job.Conclude();
        }
    }

    /// <summary>A job that was never started ends without having changed anything.</summary>
    internal static void CancelCreated(Job job)
    {
        job.MoveTo(JobStatus.Aborting);
        job.Conclude();
    }

    bool All(JobStatus status)
    {
        foreach (Job job in _jobs)
            if (job.Status != status)
                return false;
        return true;
    }
}
