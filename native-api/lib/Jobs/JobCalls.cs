// fb_job_*, fb_transaction_start, fb_snapshot_*.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Jobs;
using FastBackup.Native.Disks;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Queues;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Jobs;

static class JobCalls
{
    const uint FlagSequential = 1;
    const uint JobCountMax = 256;
    const uint IdBytesMax = 255;
    const uint IsSourceFault = 1;

    public static unsafe int Start(ulong id, ulong queueId, ulong userToken) =>
        StartAll(&id, &userToken, 1, 0, queueId);

    public static unsafe int StartAll(ulong* ids, ulong* userTokens, uint count, uint flags, ulong queueId)
    {
        if (ids == null || userTokens == null || count is 0 or > JobCountMax)
            return Answer.Invalid($"NULL, or {count} jobs: 1 to {JobCountMax}").Tell();
        if ((flags & ~FlagSequential) != 0)
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
            if (!queue.TryTake(userTokens[i], CompletionKind.Job, 0, out slots[i]))
                answer = new Answer(Status.QueueFull);
        try
        {
            if (answer.IsOk)
                answer = engine.RunUnlessStopped(
                    queue,
                    () => Begin(engine, jobs, slots, (flags & FlagSequential) != 0)
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

    public static int Pause(ulong id) => Verb(id, job => job.Pause());

    public static int Resume(ulong id) => Verb(id, job => job.Resume());

    public static int Cancel(ulong id) => Verb(id, job => job.Cancel());

    public static int SetSpeed(ulong id, ulong bytesPerSecond) => Verb(id, job => job.SetSpeed(bytesPerSecond));

    public static int Finalize(ulong id) => Verb(id, job => job.Finalize());

    public static int Dismiss(ulong id) => Verb(id, job => job.Dismiss());

    public static int SetGuestPriority(ulong id, uint number) =>
        Verb(
            id,
            job =>
            {
                if (!HostGuestPriority.TryRead(number, out GuestPriority priority))
                    return new Fault(FaultKind.Invalid);
                job.SetGuestPriority(priority);
                return Fault.None;
            }
        );

    static int Verb(ulong id, Func<BackupJob, Fault> verb)
    {
        if (HandleTable.Find<JobObject>(id) is not { } job)
            return Answer.Handle(JobObject.Noun).Tell();
        return job.Engine!.RunUnlessStopped(
                job,
                () =>
                {
                    Fault fault = verb(job.Core);
                    return fault.IsNone ? Answer.Ok : Answer.Of(fault);
                }
            )
            .Tell();
    }

    public static unsafe int Query(ulong id, JobStateStruct* host)
    {
        if (HandleTable.Find<JobObject>(id) is not { } job)
            return Answer.Handle(JobObject.Noun).Tell();
        JobProgress picture = job.Core.Query();
        JobStateStruct state = new()
        {
            Flags = picture.IsSourceFault ? IsSourceFault : 0,
            State = (uint)picture.Status,
            Status = Status.Of(picture.Fault.Kind),
            SysErrno = picture.Fault.Errno,
            PausedBy = Status.Of(picture.StoppedBy.Kind),
            Offset = picture.Fault.IsFault ? picture.Fault.OffsetBytes : Fault.NoOffset,
            TotalBytes = picture.TotalBytes,
            DoneBytes = picture.DoneBytes,
            WrittenBytes = picture.WrittenBytes,
            SkippedZeroBytes = picture.SkippedZeroBytes,
            WrittenZeroBytes = picture.WrittenZeroBytes,
            CbwBytes = picture.CopyBeforeWriteBytes,
            InFlightBytes = picture.InFlightBytes,
        };
        return StructSize.TryWrite(host, JobStateStruct.SizeFirst, state).Tell();
    }

    public static unsafe int Latency(ulong id, LatencyStruct* host)
    {
        if (HandleTable.Find<JobObject>(id) is not { } job)
            return Answer.Handle(JobObject.Noun).Tell();
        LatencyHistogram waits = job.Core.GuestWaits;
        LatencyStruct state = new()
        {
            Count = waits.Count,
            SumNs = waits.SumNs,
            MaxNs = waits.MaxNs,
            P50Ns = waits.PercentileNs(500),
            P90Ns = waits.PercentileNs(900),
            P99Ns = waits.PercentileNs(990),
            P999Ns = waits.PercentileNs(999),
        };
        return StructSize.TryWrite(host, LatencyStruct.SizeFirst, state).Tell();
    }

    public static unsafe int Find(ulong engineId, byte* name, uint nameLength, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<EngineObject>(engineId) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        Answer answer = Utf8Name.TryRead(name, nameLength, 1, IdBytesMax, out string text);
        ulong found = 0;
        if (answer.IsOk)
            answer = engine.Run(
                engine,
                () =>
                {
                    found = (engine.Jobs.Find(text)?.Listener as JobObject)?.Id ?? 0;
                    return found == 0 ? Answer.State("no job of this id lives") : Answer.Ok;
                }
            );
        *result = found;
        return answer.Tell();
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<JobObject>(id) is not { } job)
            return Answer.Handle(JobObject.Noun).Tell();
        EngineObject engine = job.Engine!;
        Answer answer = engine.Run(job, () => TryClose(engine, job));
        if (answer.IsOk)
            engine.Release(isChild: true);
        return answer.Tell();
    }

    /// <summary>On the reactor's thread; the caller releases the engine.</summary>
    public static Answer TryClose(EngineObject engine, JobObject job)
    {
        if (job.IsStarted && !job.HasEnded)
            return Answer.State("the job has started and not ended: cancel it and wait for its completion");
        if (job.ReadCount > 0 && !engine.Reactor.HasFailed)
            return Answer.State("snapshot reads have not ended");
        _ = job.TryClose();
        HandleTable.Close(job);
        job.Dispose();
        return Answer.Ok;
    }

    /// <summary>The newest job of a disk whose point in time can be read now.</summary>
    public static unsafe int FindSnapshot(ulong diskId, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<DiskObject>(diskId) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        JobObject? newest = null;
        Answer answer = disk.Engine!.Run(
            disk,
            () =>
            {
                foreach (Job job in disk.Engine.Jobs.Jobs)
                    if (job.Listener is JobObject { IsReadable: true } one && ReferenceEquals(one.Disk, disk))
                        newest = newest == null || one.Number > newest.Number ? one : newest;
                return newest == null ? Answer.State("no running job of the disk has a snapshot") : Answer.Ok;
            }
        );
        *result = newest?.Id ?? 0;
        return answer.Tell();
    }

    public static unsafe int SnapshotRead(
        ulong id,
        ulong queueId,
        void* buffer,
        ulong offset,
        ulong length,
        ulong userToken
    ) =>
        buffer == null && length > 0
            ? Answer.Invalid("buffer is NULL").Tell()
            : Snapshot(id, queueId, BlockOperation.Read, (nint)buffer, offset, length, userToken);

    public static int SnapshotDiscard(ulong id, ulong queueId, ulong offset, ulong length, ulong userToken) =>
        Snapshot(id, queueId, BlockOperation.Discard, 0, offset, length, userToken);

    static int Snapshot(
        ulong id,
        ulong queueId,
        BlockOperation operation,
        nint buffer,
        ulong offset,
        ulong length,
        ulong userToken
    )
    {
        if (HandleTable.Find<JobObject>(id) is not { } job)
            return Answer.Handle(JobObject.Noun).Tell();
        if (HandleTable.Find<QueueObject>(queueId) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        if (!ReferenceEquals(queue.Engine, job.Engine))
            return Answer.Invalid("the queue is of another engine").Tell();
        if (job.Core.View == null)
            return Answer.State("the job was made without FB_BACKUP_SNAPSHOT").Tell();
        if (!job.Core.View.IsOpen)
            return Answer.State("the job's point in time has not been taken yet").Tell();
        if (!new Extent(offset, length).IsWithin(job.Core.View.Limits.CapacityBytes))
            return LastError.Set(Status.Range, "the range passes the end of the disk", offset);
        if (job.Engine!.IsStopped)
            return EngineObject.StoppedAnswer().Tell();
        if (!queue.TryTake(userToken, CompletionKind.SnapshotIo, length, out QueueSlot? slot))
            return new Answer(Status.QueueFull).Tell();
        slot!.Work = job;
        slot.Request = new BlockRequest
        {
            Operation = operation,
            OffsetBytes = offset,
            LengthBytes = length,
            Buffer = buffer,
            Owner = slot,
        };
        if (job.Engine.Reactor.TryPost(slot, 0))
            return Status.Pending;
        queue.Cancel(slot);
        return new Answer(Status.QueueFull).Tell();
    }
}
