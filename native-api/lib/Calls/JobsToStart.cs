// The jobs of one start: found by their handles, each with a completion to come; they start together or not at all.
using System;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Calls;

/// <summary>Threads: any.</summary>
sealed class JobsToStart
{
    readonly QueueObject _queue;
    readonly JobObject[] _jobs;
    readonly ulong[] _userData;
    readonly bool _isSequential;

    JobsToStart(QueueObject queue, JobObject[] jobs, ulong[] userData, bool isSequential) =>
        (_queue, _jobs, _userData, _isSequential) = (queue, jobs, userData, isSequential);

    /// <param name="ids">Of jobs, count of them.</param>
    /// <param name="userData">For their completions.</param>
    /// <param name="count">1 to 256.</param>
    /// <param name="flags">FB_TRANSACTION_*.</param>
    /// <param name="queue">Of their engine.</param>
    /// <param name="jobs">Null when the answer is not Ok.</param>
    public static unsafe Answer TryFind(
        ulong* ids,
        ulong* userData,
        uint count,
        uint flags,
        QueueObject queue,
        out JobsToStart? jobs
    )
    {
        jobs = null;
        Answer answer = HandleList.TryFind(userData == null ? null : ids, count, queue, out JobObject[] found);
        if (answer.IsOk && (flags & ~Fb.TransactionSequential) != 0)
            answer = Answer.Unsupported($"transaction flags {flags:x} are not known");
        if (!answer.IsOk)
            return answer;
        // SAFETY: the host vouches for count elements in both arrays.
        ulong[] words = new ReadOnlySpan<ulong>(userData, (int)count).ToArray();
        jobs = new JobsToStart(queue, found, words, (flags & Fb.TransactionSequential) != 0);
        return Answer.Ok;
    }

    /// <param name="startWork">Of the same instant; null: nothing else is.</param>
    /// <returns>Pending, or why not: then nothing was started.</returns>
    public Answer Start(IStartWork? startWork)
    {
        if (startWork is CheckpointMaking checkpoint)
            foreach (JobObject job in _jobs)
                checkpoint.Name(job);
        QueueSlot?[] slots = new QueueSlot?[_jobs.Length];
        Answer answer = Answer.Ok;
        for (int i = 0; i < slots.Length && answer.IsOk; i++)
            if (!_queue.TryTake(_userData[i], Fb.CompletionJob, 0, out slots[i]))
                answer = new Answer(Status.QueueFull);
        try
        {
            if (answer.IsOk)
                answer = _queue.Engine!.RunUnlessStopped(_queue, () => Begin(slots, startWork));
            return answer;
        }
        finally
        {
            if (answer.Status != Status.Pending)
                foreach (QueueSlot? slot in slots)
                    if (slot != null)
                        _queue.Cancel(slot);
        }
    }

    Answer Begin(QueueSlot?[] slots, IStartWork? startWork)
    {
        foreach (JobObject job in _jobs)
            if (job.IsClosed || job.IsStarted || job.IsPlanned)
                return job.IsClosed ? Answer.Handle(JobObject.Noun)
                    : job.IsStarted ? Answer.State("a job was started before")
                    : Answer.State("a job belongs to a client of a monitor, which starts it");
        for (int i = 0; i < _jobs.Length; i++)
            _jobs[i].SetStarter(slots[i]!);
        Job[] jobs = Array.ConvertAll(_jobs, job => (Job)job.Core);
        new Transaction(_queue.Engine!.Reactor, jobs, _isSequential, startWork).Start();
        return Answer.Pending;
    }
}
