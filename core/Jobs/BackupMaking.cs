// How a backup job is made: by the rules, from memory of the disk's size and of the engine's, or not at all. What was
// taken before something was missing is given back at once: nobody knows when a collection would, and there is too
// little of it.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Jobs;

static class BackupMaking
{
    /// <summary>See <c>BackupJob.TryCreate</c>.</summary>
    public static OpenRefusal TryMake(
        IIoLoop loop,
        Disk disk,
        IBlockDevice target,
        BufferPool pool,
        BackupOptions options,
        bool hasView,
        BackupMemory? ready,
        out BackupJob? job
    )
    {
        job = null;
        OpenRefusal refusal = BackupRules.Check(disk, target, pool, options, hasView);
        if (refusal.IsNone)
            refusal = BackupMemory.TryTakeFor(disk, options, hasView, ready, out ready);
        if (!refusal.IsNone)
            return refusal;
        BackupMemory memory = ready!;
        CopyBeforeWriteFilter? filter = null;
        try
        {
            filter = CopyBeforeWriteFilter.Create(disk, target, pool, memory.Map, options.Filter);
            SnapshotView? view =
                memory.Access == null ? null : SnapshotView.Create(loop, filter, disk.Device, memory.Access);
            job = new BackupJob(loop, disk, memory, filter, view, pool, options);
            return default;
        }
        catch (InsufficientMemoryException exception)
        {
            filter?.Dispose();
            memory.Free();
            Fault fault = new(FaultKind.NoMemory, Errnos.ENOMEM);
            return new OpenRefusal(fault, $"cannot take the memory for a backup of '{disk.Name}': {exception.Message}");
        }
    }
}
