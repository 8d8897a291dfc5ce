// A disk becomes larger, for the host or for a client of its monitor. What takes its time is done on the caller's
// thread: the file is made larger, memory for larger bitmaps is taken.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
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
        DiskGrowth growth = new(
            disk.Core,
            sizeBytes,
            () => disk.JobCount > 0,
            fault => End(disk, tracker, fault, onDone),
            trackerCount,
            () => tracker?.Hold()
        );
        Answer ready = tracker?.Prepare(sizeBytes) ?? Answer.Ok;
        if (ready.IsOk)
            ready = Enlarge(disk.Device.Device, sizeBytes, isFlushed: tracker != null);
        if (ready.IsOk)
            ready = TakeMemory(growth, bitmaps);
        return engine.RunUnlessStopped(disk, () => Start(disk, growth, tracker, ready));
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
        if (sizeBytes > disk.Core.CapacityBytes && disk.Device.Device is Qcow2Device)
            return Answer.Unsupported(
                $"disk '{name}' is a qcow2 image, which does not grow while it is open: end its use, run 'qemu-img "
                    + $"resize IMAGE {sizeBytes}', and open it again"
            );
        uint align = disk.Device.Device.Limits.RequestAlignBytes;
        if (disk.Device.Device is not FileDevice && !Units.IsAligned(sizeBytes, align))
            return Answer.Invalid($"{sizeBytes} bytes are not a multiple of the device's alignment, {align}");
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

    static Answer Start(DiskObject disk, DiskGrowth growth, TrackerEnlargement? tracker, Answer ready)
    {
        if (!ready.IsOk)
        {
            tracker?.GiveBack();
            disk.ChangeCount--;
            return ready;
        }
        growth.Begin(disk.Engine!.Reactor);
        return Answer.Pending;
    }
}
