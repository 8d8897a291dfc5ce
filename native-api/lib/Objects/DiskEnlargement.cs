// A disk becomes larger, for the host or for a client of its monitor. What takes its time is done on the caller's
// thread: the file is made larger, memory for larger bitmaps is taken. An image is made larger by its device, while
// guests write, before the moment in which the disk has its new size.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Formats.Qcow2;
using FastBackup.Interop.Linux;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Ports.Linux;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any.</summary>
static class DiskEnlargement
{
    /// <summary>Checks, makes ready, and begins.</summary>
    /// <param name="disk">Open.</param>
    /// <param name="sizeBytes">What it is to have.</param>
    /// <param name="onDone">Told of the end when the answer is Pending; on the reactor's thread.</param>
    /// <returns>Pending, or why not: then nothing has changed but, perhaps, the length of the file.</returns>
    public static Answer Begin(DiskObject disk, ulong sizeBytes, Action<Fault> onDone)
    {
        EngineObject engine = disk.Engine!;
        DirtyBitmap[] bitmaps = [];
        TrackerEnlargement? tracker = null;
        uint trackerCount = 0;
        Answer answer = engine.RunUnlessStopped(
            disk,
            () =>
            {
                Answer check = Check(disk, sizeBytes);
                if (check.IsOk && sizeBytes > disk.Core.CapacityBytes)
                    check = TrackerEnlargement.TryTake(disk, out tracker);
                if (!check.IsOk)
                    return check;
                trackerCount = disk.Tracker == null ? 0u : 1u;
                bitmaps = [.. disk.Core.Bitmaps];
                disk.ChangeCount++; // it stays open
                return Answer.Ok;
            }
        );
        if (!answer.IsOk)
            return answer;
        void OnEnd(Fault fault) => End(disk, tracker, fault, onDone);
        DiskGrowth growth = new(
            disk.Core,
            sizeBytes,
            () => disk.JobCount > 0,
            OnEnd,
            trackerCount,
            () => tracker?.Hold()
        );
        Answer ready = tracker?.Prepare(sizeBytes) ?? Answer.Ok;
        Qcow2Growth? image = null;
        if (ready.IsOk)
            ready = disk.Device.Device is Qcow2Device device
                ? Enlarge(device, sizeBytes, out image)
                : Enlarge(disk.Device.Device, sizeBytes, isFlushed: tracker != null);
        if (ready.IsOk)
            ready = TakeMemory(growth, bitmaps);
        Answer begun = engine.RunUnlessStopped(disk, () => Start(disk, growth, tracker, image, OnEnd, ready));
        if (begun.Status != Status.Pending)
            image?.Dispose();
        return begun;
    }

    static void End(DiskObject disk, TrackerEnlargement? tracker, Fault fault, Action<Fault> onDone)
    {
        void Tell()
        {
            disk.ChangeCount--;
            onDone(fault);
        }
        if (fault.IsNone && tracker != null)
        {
            tracker.OnGrown(Tell);
            return;
        }
        tracker?.GiveBack();
        Tell();
    }

    static Answer Check(DiskObject disk, ulong sizeBytes)
    {
        string name = disk.Core.Name;
        if (sizeBytes < disk.Core.CapacityBytes)
            return Answer.Invalid(
                $"disk '{name}' has {disk.Core.CapacityBytes} bytes and cannot shrink to {sizeBytes}"
            );
        if (sizeBytes > long.MaxValue)
            return Answer.Invalid($"{sizeBytes} bytes are more than a disk can have: 2^63 - 1");
        uint align = disk.Device.Device.Limits.RequestAlignBytes;
        bool isAny = disk.Device.Device is FileDevice or Qcow2Device;
        if (!isAny && !Units.IsAligned(sizeBytes, align))
            return Answer.Invalid($"{sizeBytes} bytes are not a multiple of the device's alignment, {align}");
        foreach (BitmapObject bitmap in disk.Bitmaps)
            if (bitmap is { IsInImage: true, Dirty: { } dirty } && !disk.Image!.Fits(sizeBytes, dirty.GranularityBytes))
                return Answer.Invalid(
                    $"bitmap '{dirty.Name}' of disk '{name}' would have more bits than an image can hold: "
                        + "remove it first"
                );
        return disk.JobCount > 0
            ? Answer.State($"jobs of disk '{name}' are open: it can grow when they are closed")
            : Answer.Ok;
    }

    /// <summary>A file is made longer; a block device, and what the host brings, has grown already.</summary>
    /// <param name="device">The disk's.</param>
    /// <param name="sizeBytes">What it is to have.</param>
    /// <param name="isFlushed">A power cut leaves the new length: a tracker is about to have it.</param>
    static Answer Enlarge(IBlockDevice device, ulong sizeBytes, bool isFlushed)
    {
        if (device is not FileDevice file)
            return Answer.Ok;
        long lengthBytes = Files.Lseek(file.Fd, 0, Files.SEEK_END);
        if (lengthBytes >= 0 && (ulong)lengthBytes >= sizeBytes)
            return Answer.Ok;
        if (file.IsBlockDevice || file.Limits.IsReadOnly)
            return Answer.Invalid(
                $"'{file.Name}' has {lengthBytes} bytes, fewer than {sizeBytes}, and is not ours to make larger"
            );
        using FileSizeSignal.Scope quiet = FileSizeSignal.Block();
        if (Files.Ftruncate(file.Fd, (long)sizeBytes) == 0 && (!isFlushed || Files.Fdatasync(file.Fd) == 0))
            return Answer.Ok;
        int errno = System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
        Fault fault = new(errno == Errnos.ENOSPC ? FaultKind.NoSpace : FaultKind.Io, errno, sizeBytes);
        return Answer.Of(fault);
    }

    /// <summary>The image's own file becomes longer as it needs; a data file here.</summary>
    /// <param name="image">The disk's.</param>
    /// <param name="sizeBytes">What it is to have.</param>
    /// <param name="growth">Null where it has that, or cannot.</param>
    static Answer Enlarge(Qcow2Device image, ulong sizeBytes, out Qcow2Growth? growth)
    {
        growth = null;
        if (sizeBytes <= image.NamedBytes)
            return Answer.Ok;
        if (image.Limits.IsReadOnly)
            return Answer.Invalid(
                $"'{image.Name}' has {image.NamedBytes} bytes, fewer than {sizeBytes}, and is not ours to make larger"
            );
        OpenRefusal refusal = Qcow2Growth.TryCreate(image, sizeBytes, out growth);
        if (!refusal.IsNone)
            return Answer.Of(refusal);
        return image.DataFile is { } data
            ? Enlarge(BorrowedDevice.Behind(data), sizeBytes, isFlushed: true)
            : Answer.Ok;
    }

    static Answer TakeMemory(DiskGrowth growth, DirtyBitmap[] bitmaps)
    {
        Fault fault = growth.TakeMemory(InSteps(bitmaps));
        return fault.IsNone ? Answer.Ok : Answer.Of(fault);
    }

    static IEnumerable<DirtyBitmap> InSteps(DirtyBitmap[] bitmaps)
    {
        foreach (DirtyBitmap bitmap in bitmaps)
        {
            ShortPauses.Step();
            yield return bitmap;
        }
    }

    static Answer Start(
        DiskObject disk,
        DiskGrowth growth,
        TrackerEnlargement? tracker,
        Qcow2Growth? image,
        Action<Fault> onFailed,
        Answer ready
    )
    {
        void Follow(Fault fault)
        {
            if (fault.IsNone)
                growth.Begin(disk.Engine!.Reactor);
            else
                onFailed(fault);
        }

        if (ready.IsOk && image != null && !((Qcow2Device)disk.Device.Device).TryBegin(image, Follow))
            ready = Answer.State($"disk '{disk.Core.Name}' is becoming larger already");
        if (!ready.IsOk)
        {
            tracker?.GiveBack();
            disk.ChangeCount--;
            return ready;
        }
        if (image == null)
            growth.Begin(disk.Engine!.Reactor);
        return Answer.Pending;
    }
}
