// fb_checkpoint_*: points of a disk's tracker. What waits for storage waits on the caller's thread.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Calls;

static class CheckpointCalls
{
    const int EndMaxMs = 30_000;

    static readonly PatientThreads s_fills = new(atOnceMax: 16);

    public static unsafe int Add(
        ulong* diskIds,
        uint diskCount,
        byte* name,
        uint nameLength,
        ulong* jobIds,
        ulong* jobUserData,
        uint jobCount,
        uint transactionFlags,
        ulong queueId,
        ulong userData
    )
    {
        if (HandleTable.Find<QueueObject>(queueId) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        Answer answer = ReadName(name, nameLength, out string text);
        if (answer.IsOk)
            answer = HandleList.TryFind(diskIds, diskCount, queue, out DiskObject[] disks) is { IsOk: false } wrong
                ? wrong
                : Add(disks, text, jobIds, jobUserData, jobCount, transactionFlags, queue, userData);
        return answer.Tell();
    }

    static unsafe Answer Add(
        DiskObject[] disks,
        string name,
        ulong* jobIds,
        ulong* jobUserData,
        uint jobCount,
        uint transactionFlags,
        QueueObject queue,
        ulong userData
    )
    {
        JobsToStart? jobs = null;
        Answer answer =
            jobCount == 0
                ? Answer.Ok
                : JobsToStart.TryFind(jobIds, jobUserData, jobCount, transactionFlags, queue, out jobs);
        CheckpointMaking? making = null;
        if (answer.IsOk)
            answer = CheckpointMaking.TryPrepare(queue.Engine!, disks, name, out making);
        if (!answer.IsOk)
            return answer;
        QueueSlot? slot = null;
        try
        {
            if (!queue.TryTake(userData, Fb.CompletionDiskChange, 0, out slot))
                return answer = new Answer(Status.QueueFull);
            slot!.Work = DiskBitmapCalls.ChangeInProgress.Instance; // a stopped engine ends it
            making!.SetStarter(slot);
            answer = jobs == null ? BeginAlone(queue, making) : jobs.Start(making);
            return answer;
        }
        finally
        {
            if (answer.Status != Status.Pending)
            {
                if (slot != null)
                    queue.Cancel(slot);
                making!.GiveUp();
            }
        }
    }

    static Answer BeginAlone(QueueObject queue, CheckpointMaking making) =>
        queue.Engine!.RunUnlessStopped(
            queue,
            () =>
            {
                making.BeginAlone();
                return Answer.Pending;
            }
        );

    static unsafe Answer ReadName(byte* name, uint length, out string text) =>
        Utf8Name.TryRead(name, length, 1, DirtyBitmap.NameBytesMax, out text);

    public static unsafe int Delete(ulong diskId, byte* name, uint nameLength)
    {
        Answer answer = ReadName(name, nameLength, out string text);
        if (answer.IsOk)
            answer = Take(diskId, out DiskObject? disk, out DiskPoints? points) is { IsOk: false } wrong
                ? wrong
                : Delete(disk!, points!, text);
        return answer.Tell();
    }

    static Answer Delete(DiskObject disk, DiskPoints points, string name)
    {
        bool hasEnded = false;
        Fault end = Fault.None;
        void OnEnd(Fault fault) => (hasEnded, end) = (true, fault);
        if (points.IsBitmap(name))
        {
            PointsInHand.GiveBackInTurn(disk, points);
            return Answer.State(PersistentBitmaps.Rule(name));
        }
        if (!PointsInHand.TryBeginDelete(disk, points, name, OnEnd, out Answer answer))
            return answer.IsOk ? PointsInHand.Inconsistent(disk.Tracker!) : answer;
        if (!EngineTurns.WaitUntil(disk.Engine!, disk, () => hasEnded, EndMaxMs))
            return Answer.Of(new Fault(FaultKind.TimedOut));
        return end.IsNone ? Answer.Ok : Answer.Of(end);
    }

    public static unsafe int Get(ulong diskId, uint index, byte* name, uint capacity, CheckpointStruct* result)
    {
        if (name == null || capacity == 0 || result == null)
            return Answer.Invalid("name or out is NULL, or the capacity 0").Tell();
        Answer answer = Take(diskId, out DiskObject? disk, out DiskPoints? points);
        if (!answer.IsOk)
            return answer.Tell();
        answer = Look(points!, index, out TrackedPoint? point, out ulong changedBytes);
        PointsInHand.GiveBackInTurn(disk!, points!);
        if (!answer.IsOk)
            return answer.Tell();
        CheckpointStruct found = new()
        {
            NameLength = (uint)System.Text.Encoding.UTF8.GetByteCount(point!.Name),
            CreatedNs = point.CreatedNs,
            ChangedBytes = changedBytes,
        };
        answer = StructSize.TryWrite(result, CheckpointStruct.SizeFirst, found);
        // SAFETY: the host vouches for capacity bytes.
        if (answer.IsOk)
            _ = Utf8Name.Write(point.Name, new Span<byte>(name, (int)Math.Min(capacity, int.MaxValue)));
        return answer.Tell();
    }

    static Answer Look(DiskPoints points, uint index, out TrackedPoint? point, out ulong changedBytes)
    {
        (point, changedBytes) = (null, 0);
        IReadOnlyList<(TrackedPoint Point, ulong ChangedBytes)> named = points.CountSinceNamed();
        if (index >= (uint)named.Count)
            return new Answer(Status.Range, default, $"there are {named.Count} checkpoints, and no number {index}");
        (point, changedBytes) = named[(int)index];
        return Answer.Ok;
    }

    public static unsafe int Bitmap(
        ulong diskId,
        byte* since,
        uint sinceLength,
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
        Answer answer = ReadName(since, sinceLength, out string point);
        if (!answer.IsOk)
            return answer.Tell();
        answer = Take(diskId, out DiskObject? disk, out DiskPoints? points);
        if (!answer.IsOk)
            return answer.Tell();
        if (!points!.Has(point))
            answer = Answer.Invalid($"the disk has no checkpoint '{point}'");
        int status = answer.IsOk
            ? DiskBitmapCalls.AddFilled(
                diskId,
                name,
                nameLength,
                granularity,
                queueId,
                userData,
                result,
                (bitmap, end) => Fill(disk!, points, point, left: null, bitmap.Dirty!, end),
                () => PointsInHand.GiveBack(disk!, points)
            )
            : answer.Tell();
        if (status != Status.Pending)
            PointsInHand.GiveBackInTurn(disk!, points);
        return status;
    }

    /// <summary>In the moment.</summary>
    /// <param name="disk">Of the bitmap.</param>
    /// <param name="points">Of its tracker, in hand; given back at the end.</param>
    /// <param name="since">One that is there.</param>
    /// <param name="left">What the bitmap gains beside; null: nothing. Used up.</param>
    /// <param name="bitmap">Has begun to record.</param>
    /// <param name="end">Told once.</param>
    internal static void Fill(
        DiskObject disk,
        DiskPoints points,
        string since,
        HierarchicalBitmap? left,
        DirtyBitmap bitmap,
        Action<Fault> end
    )
    {
        bitmap.BeginFill();
        if (!SinceFill.Begin(disk, points, since, left, bitmap, s_fills, () => end(Fault.None)))
            end(Fault.None);
    }

    static Answer Take(ulong diskId, out DiskObject? disk, out DiskPoints? points)
    {
        points = null;
        disk = HandleTable.Find<DiskObject>(diskId);
        return disk == null ? Answer.Handle(DiskObject.Noun) : Take(disk, out points);
    }

    /// <summary>Takes a disk's points in hand. Threads: any that may wait.</summary>
    internal static Answer Take(DiskObject disk, out DiskPoints? points)
    {
        DiskPoints? taken = null;
        Answer answer = disk.Engine!.RunUnlessStopped(disk, () => PointsInHand.TryTake(disk, out taken));
        points = taken;
        return answer;
    }
}
