// Records of copies, so that an interrupted one can be gone on with: of a job that is to be made, and what one says of
// an unfinished copy, as a bitmap of the disk.
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Calls;

static partial class BackupCalls
{
    const uint PathBytesMax = 4095;

    /// <summary>Waits for storage.</summary>
    /// <param name="disk">Of the job.</param>
    /// <param name="target">Of the job.</param>
    /// <param name="given">Its options, whose other numbers are right.</param>
    /// <param name="record">Null: none is wanted, or the answer is not Ok.</param>
    static unsafe Answer TryOpenRecord(
        DiskObject disk,
        DeviceObject target,
        in BackupOptionsStruct given,
        out JobRecord? record
    )
    {
        record = null;
        if (given.Record == null)
            return (given.RecordLength | given.RecordSinceLength) == 0 && given.RecordSince == null
                ? Answer.Ok
                : Answer.Invalid("record is NULL, and its length or record_since is not");
        Answer answer = Utf8Name.TryRead(given.Record, given.RecordLength, 1, PathBytesMax, out string path);
        string since = "";
        if (answer.IsOk)
            answer = Utf8Name.TryRead(
                given.RecordSince,
                given.RecordSinceLength,
                1,
                DirtyBitmap.NameBytesMax,
                out since
            );
        if (answer.IsOk && (BackupSync)given.Sync is BackupSync.Top or BackupSync.None)
            answer = Answer.Invalid("a record does not go with sync top or none: they copy no whole disk");
        if (answer.IsOk)
            answer = TryFindPoint(disk, since, out ulong createdNs) is { IsOk: false } wrong
                ? wrong
                : TryOpenRecord(disk, target, path, ClusterBytesOf(given), (since, createdNs), out record);
        return answer;
    }

    static Answer TryFindPoint(DiskObject disk, string name, out ulong createdNs)
    {
        createdNs = 0;
        Answer answer = CheckpointCalls.Take(disk, out DiskPoints? points);
        if (!answer.IsOk)
            return answer;
        bool isThere = points!.TryGetTime(name, out createdNs);
        PointsInHand.GiveBackInTurn(disk, points);
        return isThere ? Answer.Ok : Answer.Invalid($"disk '{disk.Core.Name}' has no checkpoint '{name}' (epoch)");
    }

    static Answer TryOpenRecord(
        DiskObject disk,
        DeviceObject target,
        string path,
        uint clusterBytes,
        (string Name, ulong CreatedNs) point,
        out JobRecord? record
    )
    {
        record = null;
        Answer answer = TryOpenAgain(target, out int fd);
        if (!answer.IsOk)
            return answer;
        FileDevice source = (FileDevice)disk.Core.Device; // it has a tracker
        OpenRefusal refusal = JobRecord.TryOpen(source, target, fd, path, clusterBytes, point, out record);
        return refusal.IsNone ? Answer.Ok : Answer.Of(refusal);
    }

    static Answer TryOpenAgain(DeviceObject target, out int fd)
    {
        int again = -1;
        Answer answer = target.Engine!.RunUnlessStopped(
            target,
            () =>
            {
                again = UnfinishedCopy.OpenAgain(target);
                return again >= 0
                    ? Answer.Ok
                    : Answer.Invalid(
                        $"target '{target.Device.Name}' is no file or block device of this machine that can be written "
                            + "to: nobody could tell later whether it is the same one"
                    );
            }
        );
        fd = again;
        return answer;
    }

    public static unsafe int Unfinished(
        ulong diskId,
        ulong targetId,
        byte* record,
        uint recordLength,
        byte* name,
        uint nameLength,
        ulong granularity,
        ulong queueId,
        ulong userData,
        ulong* result
    )
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<DiskObject>(diskId) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        if (HandleTable.Find<DeviceObject>(targetId) is not { } target)
            return Answer.Handle(DeviceObject.Noun).Tell();
        if (!ReferenceEquals(disk.Engine, target.Engine))
            return Answer.Invalid("disk and target are of different engines").Tell();
        Answer answer = Utf8Name.TryRead(record, recordLength, 1, PathBytesMax, out string path);
        DiskPoints? points = null;
        if (answer.IsOk)
            answer = CheckpointCalls.Take(disk, out points);
        if (!answer.IsOk)
            return answer.Tell();
        answer = TryReadUnfinished(disk, target, path, points!, out string since, out HierarchicalBitmap? left);
        int status = answer.IsOk
            ? DiskBitmapCalls.AddFilled(
                diskId,
                name,
                nameLength,
                granularity,
                queueId,
                userData,
                result,
                (bitmap, end) =>
                {
                    bitmap.SetCompleting(target);
                    CheckpointCalls.Fill(disk, points!, since, left, bitmap.Dirty!, end);
                },
                () =>
                {
                    left!.Dispose();
                    PointsInHand.GiveBack(disk, points!);
                }
            )
            : answer.Tell();
        if (status == Status.Pending)
            return status;
        left?.Dispose();
        PointsInHand.GiveBackInTurn(disk, points!);
        return status;
    }

    static Answer TryReadUnfinished(
        DiskObject disk,
        DeviceObject target,
        string path,
        DiskPoints points,
        out string since,
        out HierarchicalBitmap? left
    )
    {
        (since, left) = ("", null);
        Answer answer = TryOpenAgain(target, out int fd);
        if (!answer.IsOk)
            return answer;
        FileDevice source = (FileDevice)disk.Core.Device; // it has a tracker
        OpenRefusal refusal = UnfinishedCopy.TryRead(path, source, fd, points, out since, out left);
        NameCalls.Close(fd);
        return refusal.IsNone ? Answer.Ok : Answer.Of(refusal);
    }
}
