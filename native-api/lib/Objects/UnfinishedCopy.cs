// What is left of an unfinished copy, by its record (JobRecord): whether that is of this disk and this target, and
// whether its checkpoint is still the one that was there before the copy began. What is left, and what has changed
// since that checkpoint, is all in which the target may differ from the disk as it is now.
// Nobody may have written to the target in between: of that nothing is known but that it is the same file or device.
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Resume;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

static class UnfinishedCopy
{
    /// <summary>A second descriptor of a target that is a file or block device of this machine, for whoever looks at
    /// it or flushes it for himself. Threads: the reactor's.</summary>
    /// <returns>The caller's; negative: it is none, or cannot be written to.</returns>
    public static int OpenAgain(DeviceObject target) =>
        target.Device is FileDevice { Fd: var own } ? NameCalls.Kernel.Reopen(own, Files.O_RDWR) : -1;

    /// <param name="path">Of the record.</param>
    /// <param name="disk">The copy's disk.</param>
    /// <param name="targetFd">The copy's target.</param>
    /// <param name="points">Of the disk's tracker, in hand.</param>
    /// <param name="point">The checkpoint since which the disk's changes are to be copied, too.</param>
    /// <param name="left">What is left beside them; the caller's. Null when refused.</param>
    /// <returns>None, or why it cannot be gone on with. Threads: any that may wait.</returns>
    public static OpenRefusal TryRead(
        string path,
        FileDevice disk,
        int targetFd,
        DiskPoints points,
        out string point,
        out HierarchicalBitmap? left
    )
    {
        (point, left) = ("", null);
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, path, Files.O_RDONLY | Files.O_NONBLOCK | Folders.O_NOFOLLOW);
        if (fd < 0)
            return OpenRefusal.Of(path, "open record", Errnos.ToFault(-fd));
        using ResumeFile file = new(fd);
        if (!file.TryRead(out CopySubject? subject, out left))
            return OpenRefusal.Rule($"'{path}' is no whole record of a copy: begin a new one");
        string? wrong = Judge(path, subject!, disk, targetFd, points);
        if (wrong == null)
        {
            point = subject!.Point;
            return default;
        }
        left!.Dispose();
        left = null;
        return OpenRefusal.Rule(wrong);
    }

    static string? Judge(string path, CopySubject subject, FileDevice disk, int targetFd, DiskPoints points)
    {
        (string, ulong) point = (subject.Point, subject.PointNs);
        ulong diskBytes = disk.Limits.CapacityBytes;
        if (subject.DiskBytes != diskBytes)
            return $"the copy of record '{path}' is of {subject.DiskBytes} bytes, the disk has {diskBytes} (resized)";
        if (
            CopySubject.TryTake(disk.Fd, diskBytes, targetFd, subject.ClusterBytes, point, out CopySubject? now).IsFault
        )
            return $"nobody can tell whether record '{path}' is of this disk and this target";
        if (!subject.IsOfSame(now!))
            return $"record '{path}' is of a copy of another disk, or onto another target";
        return points.Has(subject.Point, subject.PointNs)
            ? null
            : $"the disk has no checkpoint '{subject.Point}' of before the copy began (epoch): begin a new copy";
    }
}
