// fb_disk_grow.
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static partial class DiskCalls
{
    public static int Grow(ulong id, ulong sizeBytes, ulong queueId, ulong userData)
    {
        if (HandleTable.Find<DiskObject>(id) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        if (HandleTable.Find<QueueObject>(queueId) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        if (!ReferenceEquals(queue.Engine, disk.Engine))
            return Answer.Invalid("the queue is of another engine").Tell();
        if (!queue.TryTake(userData, Fb.CompletionDiskChange, 0, out QueueSlot? slot))
            return new Answer(Status.QueueFull).Tell();
        slot!.Work = DiskBitmapCalls.ChangeInProgress.Instance; // a stopped engine ends it
        Answer answer = default;
        try
        {
            answer = DiskEnlargement.Begin(disk, sizeBytes, slot.Complete);
            return answer.Tell();
        }
        finally
        {
            if (answer.Status != Status.Pending)
                queue.Cancel(slot);
        }
    }
}
