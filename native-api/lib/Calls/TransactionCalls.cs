// fb_transaction_start, and fb_job_start, which is one of one job.
using System;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static class TransactionCalls
{
    const uint JobCountMax = 256;

    public static unsafe int Start(ulong* ids, ulong* userData, uint count, uint flags, ulong queueId)
    {
        if (ids == null || userData == null || count is 0 or > JobCountMax)
            return Answer.Invalid($"NULL, or {count} jobs: 1 to {JobCountMax}").Tell();
        if ((flags & ~Fb.TransactionSequential) != 0)
            return Answer.Unsupported($"transaction flags {flags:x} are not known").Tell();
        if (HandleTable.Find<QueueObject>(queueId) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        EngineObject engine = queue.Engine!;
        JobObject[] jobs = new JobObject[count];
        QueueSlot?[] slots = new QueueSlot?[count];
        // SAFETY: the host vouches for count elements in both arrays.
        for (uint i = 0; i < count; i++)
        {
            if (HandleTable.Find<JobObject>(ids[i]) is not { } job)
                return Answer.Handle(JobObject.Noun).Tell();
            if (!ReferenceEquals(job.Engine, engine))
                return Answer.Invalid("a job and the queue are of different engines").Tell();
            if (Array.IndexOf(jobs, job) >= 0)
                return Answer.Invalid("a job is named twice").Tell();
            jobs[i] = job;
        }
        Answer answer = Answer.Ok;
        for (uint i = 0; i < count && answer.IsOk; i++)
            if (!queue.TryTake(userData[i], Fb.CompletionJob, 0, out slots[i]))
                answer = new Answer(Status.QueueFull);
        try
        {
            if (answer.IsOk)
                answer = engine.RunUnlessStopped(
                    queue,
                    () => Begin(engine, jobs, slots, (flags & Fb.TransactionSequential) != 0)
                );
            return answer.Tell();
        }
        finally
        {
            if (answer.Status != Status.Pending)
                foreach (QueueSlot? slot in slots)
                    if (slot != null)
                        queue.Cancel(slot);
        }
    }

    static Answer Begin(EngineObject engine, JobObject[] jobs, QueueSlot?[] slots, bool isSequential)
    {
        foreach (JobObject job in jobs)
            if (job.IsClosed || job.IsStarted || job.IsPlanned)
                return job.IsClosed ? Answer.Handle(JobObject.Noun)
                    : job.IsStarted ? Answer.State("a job was started before")
                    : Answer.State("a job belongs to a client of a monitor, which starts it");
        for (int i = 0; i < jobs.Length; i++)
            jobs[i].SetStarter(slots[i]!);
        new Transaction(engine.Reactor, Array.ConvertAll(jobs, job => (Job)job.Core), isSequential).Start();
        return Answer.Pending;
    }
}
