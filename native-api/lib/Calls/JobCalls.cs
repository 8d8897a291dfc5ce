// fb_job_*.
using System;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Pacing;

namespace FastBackup.Native.Calls;

static partial class JobCalls
{
    const uint IdBytesMax = 255;
    const int RecordMaxMs = 10_000;

    public static unsafe int Start(ulong id, ulong queueId, ulong userData) =>
        TransactionCalls.Start(&id, &userData, 1, 0, queueId);

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
            Flags = picture.IsSourceFault ? Fb.JobIsSourceFault : 0,
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
        if (job.Record is { } record && !engine.Reactor.MustNotWait) // it asks the job once more what is left
            _ = EngineTurns.WaitUntil(engine, job, () => !job.HasEnded || record.IsClosed, RecordMaxMs);
        Answer answer = engine.Run(job, job.CloseIfOver);
        if (!answer.IsOk)
            return answer.Tell();
        job.FreeMemory();
        engine.Release(isChild: true);
        return answer.Tell();
    }
}
