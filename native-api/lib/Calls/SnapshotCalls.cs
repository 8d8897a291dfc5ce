// fb_snapshot_*: reads, discards and maps of the disk as it was at a job's point in time.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static class SnapshotCalls
{
    public static unsafe int Read(ulong id, ulong queueId, void* buffer, ulong offset, ulong length, ulong userData) =>
        buffer == null && length > 0
            ? Answer.Invalid("buffer is NULL").Tell()
            : Submit(id, queueId, BlockOperation.Read, (nint)buffer, 0, offset, length, userData);

    public static int Discard(ulong id, ulong queueId, ulong offset, ulong length, ulong userData) =>
        Submit(id, queueId, BlockOperation.Discard, 0, 0, offset, length, userData);

    public static unsafe int Extents(
        ulong id,
        ulong queueId,
        ulong offset,
        ulong length,
        SnapshotExtentStruct* extents,
        uint capacity,
        ulong userData
    ) =>
        extents == null || capacity == 0
            ? Answer.Invalid("extents is NULL, or capacity 0").Tell()
            : Submit(id, queueId, BlockOperation.Map, (nint)extents, capacity, offset, length, userData);

    static int Submit(
        ulong id,
        ulong queueId,
        BlockOperation operation,
        nint buffer,
        uint capacity,
        ulong offset,
        ulong length,
        ulong userData
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
        if (!queue.TryTake(userData, Fb.CompletionSnapshotIo, length, out QueueSlot? slot))
            return new Answer(Status.QueueFull).Tell();
        slot!.Work = job;
        slot.Request = new BlockRequest
        {
            Operation = operation,
            OffsetBytes = offset,
            LengthBytes = length,
            Buffer = buffer,
            MapCapacity = capacity,
            Owner = slot,
        };
        if (job.Engine.Reactor.TryPost(slot, 0))
            return Status.Pending;
        queue.Cancel(slot);
        return new Answer(Status.QueueFull).Tell();
    }
}
