// What a backup job refuses, each with a sentence that names the value and the rule. Nothing is changed by a
// refusal: all of these are asked before anything is taken.
// Source of the sync x bitmap-mode table: QEMU 10.2 blockdev.c (do_backup_common) and block/backup.c.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Memory;

namespace FastBackup.Jobs;

static class BackupRules
{
    public const uint ClusterBytesMin = (uint)(4 * Units.KiB);
    public const ulong SpeedMax = long.MaxValue;

    public static OpenRefusal Check(
        Disk disk,
        IBlockDevice target,
        BufferPool pool,
        BackupOptions options,
        bool hasView
    )
    {
        OpenRefusal refusal = CheckDevices(disk, target, options);
        if (refusal.IsNone)
            refusal = CheckCluster(disk, target, pool, options.Filter.ClusterBytes);
        if (refusal.IsNone && options.Filter.Scratch is { } scratch)
            refusal = CheckScratch(disk, target, scratch, options.Filter.ClusterBytes);
        if (refusal.IsNone)
            refusal = CheckBitmap(disk, options);
        if (refusal.IsNone && hasView && options.Sync == BackupSync.Top)
            refusal = Refuse(FaultKind.Invalid, $"sync top keeps only allocated clusters: it has no snapshot view");
        if (refusal.IsNone && options.Filter.TaskMax == 0)
            refusal = Refuse(FaultKind.Invalid, $"max-workers {options.Filter.TaskMax} is below the smallest, 1");
        if (refusal.IsNone && options.WarmMs > WarmUp.MsMax)
            refusal = Refuse(FaultKind.Invalid, $"warm-up of {options.WarmMs} ms is above {WarmUp.MsMax}");
        if (refusal.IsNone && options.SpeedBytesPerSecond > SpeedMax)
            refusal = Refuse(FaultKind.Invalid, $"speed {options.SpeedBytesPerSecond} is above {SpeedMax}");
        if (refusal.IsNone && options.Id is { Length: 0 })
            refusal = Refuse(FaultKind.Invalid, $"the job id is empty");
        return refusal;
    }

    static OpenRefusal CheckDevices(Disk disk, IBlockDevice target, BackupOptions options)
    {
        if (disk.FilterRoom == 0)
            return Refuse(FaultKind.QueueFull, $"disk '{disk.Name}' has as many backups at once as it can watch");
        if (ReferenceEquals(disk.Device, target))
            return Refuse(FaultKind.Invalid, $"target '{target.Name}' is the source itself");
        if (IsSameStorage(disk.Device, target))
            return Refuse(FaultKind.Invalid, $"target '{target.Name}' is the same storage as the source");
        if (target.InFlightCount > 0)
            return Refuse(
                FaultKind.State,
                $"target '{target.Name}' still has {target.InFlightCount} requests of another job: it does not answer"
            );
        if (target.Limits.IsReadOnly)
            return Refuse(FaultKind.Unsupported, $"target '{target.Name}' is read-only");
        if (options.DiscardSource && disk.Device is not SnapshotView)
            return Refuse(
                FaultKind.Invalid,
                $"discard-source goes with a snapshot as the source, not with '{disk.Name}'"
            );
        ulong sourceBytes = disk.CapacityBytes;
        ulong targetBytes = target.Limits.CapacityBytes;
        if (targetBytes < sourceBytes)
            return Refuse(
                FaultKind.NoSpace,
                $"target '{target.Name}' has {targetBytes} bytes, the source needs {sourceBytes}"
            );
        return targetBytes > sourceBytes && !options.MayTargetBeLarger
            ? Refuse(
                FaultKind.Invalid,
                $"target '{target.Name}' has {targetBytes} bytes, the source {sourceBytes}: they must be equal"
            )
            : default;
    }

    static OpenRefusal CheckCluster(Disk disk, IBlockDevice target, BufferPool pool, uint cluster)
    {
        if (!Units.IsPowerOfTwo(cluster))
            return Refuse(FaultKind.Invalid, $"cluster size {cluster} is not a power of two");
        if (cluster < ClusterBytesMin)
            return Refuse(FaultKind.Invalid, $"cluster size {cluster} is below the smallest, {ClusterBytesMin}");
        if (cluster > pool.BufferBytes)
            return Refuse(
                FaultKind.Invalid,
                $"cluster size {cluster} is above the I/O buffer size, {pool.BufferBytes}"
            );
        uint align = Math.Max(disk.Device.Limits.RequestAlignBytes, target.Limits.RequestAlignBytes);
        return cluster < align
            ? Refuse(FaultKind.Align, $"cluster size {cluster} is below the sector size, {align}")
            : default;
    }

    static OpenRefusal CheckScratch(Disk disk, IBlockDevice target, ScratchSpace scratch, uint cluster)
    {
        IBlockDevice device = scratch.Device;
        if (scratch.ClusterBytes != cluster)
            return Refuse(
                FaultKind.Invalid,
                $"scratch space '{device.Name}' has clusters of {scratch.ClusterBytes} bytes, the job of {cluster}"
            );
        if (IsSameStorage(device, disk.Device))
            return Refuse(FaultKind.Invalid, $"scratch space '{device.Name}' is the same storage as the source");
        if (IsSameStorage(device, target))
            return Refuse(FaultKind.Invalid, $"scratch space '{device.Name}' is the same storage as the target");
        if (device.Limits.IsReadOnly)
            return Refuse(FaultKind.Unsupported, $"scratch space '{device.Name}' is read-only");
        if (cluster % device.Limits.RequestAlignBytes != 0)
            return Refuse(
                FaultKind.Align,
                $"cluster size {cluster} is below the sector size of '{device.Name}', {device.Limits.RequestAlignBytes}"
            );
        return device.InFlightCount > 0
            ? Refuse(
                FaultKind.State,
                $"scratch space '{device.Name}' still has {device.InFlightCount} requests: they could land in new data"
            )
            : default;
    }

    static bool IsSameStorage(IBlockDevice a, IBlockDevice b) =>
        ReferenceEquals(a, b) || a.Storage is { } one && b.Storage is { } other && one.Shares(other);

    static OpenRefusal CheckBitmap(Disk disk, BackupOptions options)
    {
        (BackupSync sync, BitmapMode? mode) = (options.Sync, options.BitmapMode);
        bool needsBitmap = sync is BackupSync.Incremental or BackupSync.Bitmap;
        if (options.Bitmap is not { } bitmap)
        {
            if (needsBitmap)
                return Refuse(FaultKind.Invalid, $"sync {BackupWords.Sync.Of(sync)} needs a bitmap");
            return mode is { } lonely
                ? Refuse(
                    FaultKind.Invalid,
                    $"bitmap-mode {BackupWords.BitmapMode.Of(lonely)} is given without a bitmap"
                )
                : default;
        }
        if (sync == BackupSync.Incremental && mode is not (null or BitmapMode.OnSuccess))
            return Refuse(
                FaultKind.Invalid,
                $"sync incremental has bitmap-mode on-success, not {BackupWords.BitmapMode.Of(mode.Value)}"
            );
        if (sync != BackupSync.Incremental && mode == null)
            return Refuse(FaultKind.Invalid, $"bitmap '{bitmap.Name}' is given without a bitmap-mode");
        if (sync == BackupSync.None)
            return Refuse(FaultKind.Invalid, $"sync none takes no bitmap, '{bitmap.Name}' was given");
        if (sync is BackupSync.Full or BackupSync.Top && mode == BitmapMode.Never)
            return Refuse(FaultKind.Invalid, $"bitmap-mode never has no meaning with sync {BackupWords.Sync.Of(sync)}");
        if (!options.IsBitmapStillToCome && !ReferenceEquals(disk.FindBitmap(bitmap.Name), bitmap))
            return Refuse(FaultKind.Invalid, $"bitmap '{bitmap.Name}' is not a bitmap of disk '{disk.Name}'");
        return bitmap.IsBusy
            ? Refuse(FaultKind.State, $"bitmap '{bitmap.Name}' is busy: another job uses it")
            : default;
    }

    static OpenRefusal Refuse(FaultKind kind, FormattableString sentence) =>
        new(new Fault(kind), sentence.ToString(CultureInfo.InvariantCulture));
}
