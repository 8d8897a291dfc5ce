// The memory of a backup that grows with its disk: the copy map and, for a snapshot, what of it can be read. Taking and
// filling it takes milliseconds for a large disk, so that is done before the job is made, by a thread that no guest
// waits for, and giving it back after the job has gone. What copies everything is marked here already, and what
// a bitmap names is taken over after the point in time: that has only to attach it.
// Does not know the disk: one that has grown meanwhile does not fit any more, and the job takes memory of its own.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Devices.Opening;
using FastBackup.Filter;

namespace FastBackup.Jobs;

/// <summary>Threads: one at a time; the reactor's from where a job takes it.</summary>
public sealed class BackupMemory : IDisposable
{
    readonly bool _isOfAll;
    bool _isTaken;

    BackupMemory(CopyMap map, HierarchicalBitmap? access, bool isOfAll) =>
        (Map, Access, _isOfAll) = (map, access, isOfAll);

    internal CopyMap Map { get; }

    /// <summary>What a snapshot's readers may read; null without a view.</summary>
    internal HierarchicalBitmap? Access { get; }

    /// <summary>Whether options name a size of clusters for which memory can be taken without asking further.</summary>
    /// <param name="options">Not checked yet.</param>
    public static bool IsPossible(BackupOptions options) =>
        Units.IsPowerOfTwo(options.Filter.ClusterBytes) && options.Filter.ClusterBytes >= BackupRules.ClusterBytesMin;

    /// <param name="sizeBytes">Of the disk.</param>
    /// <param name="options">Of the job; <see cref="IsPossible"/>.</param>
    /// <param name="hasView">Whether the job's snapshot is to be read.</param>
    /// <param name="memory">Disposed of by the caller, also after a job took it; null after a fault.</param>
    /// <returns>None or NoMemory.</returns>
    /// <remarks>Cost: in proportion to the clusters; three bits and a little each.</remarks>
    public static Fault TryTake(ulong sizeBytes, BackupOptions options, bool hasView, out BackupMemory? memory)
    {
        memory = null;
        bool isOfAll = options.Sync is not (BackupSync.Incremental or BackupSync.Bitmap);
        Fault fault = CopyMap.TryCreate(sizeBytes, options.Filter.ClusterBytes, out CopyMap? map);
        if (fault.IsFault)
            return fault;
        if (isOfAll)
            map!.MarkAll();
        HierarchicalBitmap? access = null;
        if (hasView)
            fault = HierarchicalBitmap.TryCreate(
                sizeBytes,
                options.Filter.ClusterBytes,
                new BitmapOptions(IsResident: true),
                out access
            );
        if (fault.IsFault)
        {
            map!.Dispose();
            return fault;
        }
        if (isOfAll)
            Check.That(access?.CopyFrom(map!.Protected).IsNone ?? true);
        else
            map!.AwaitName(access);
        memory = new BackupMemory(map!, access, isOfAll);
        return fault;
    }

    /// <summary>Memory that a job has from now on, and gives back.</summary>
    /// <param name="disk">As it is now.</param>
    /// <param name="options">Of the job; checked.</param>
    /// <param name="hasView">Whether the job's snapshot is to be read.</param>
    /// <param name="ready">Taken before, if it fits; or null.</param>
    /// <param name="memory">That, or what was taken now; null when refused.</param>
    /// <returns>None, or a fault and a sentence.</returns>
    internal static OpenRefusal TryTakeFor(
        Disk disk,
        BackupOptions options,
        bool hasView,
        BackupMemory? ready,
        out BackupMemory? memory
    )
    {
        memory = ready;
        if (memory == null || !memory.IsFor(disk.CapacityBytes, options, hasView))
        {
            Fault fault = TryTake(disk.CapacityBytes, options, hasView, out memory);
            if (fault.IsFault)
                return new OpenRefusal(fault, $"cannot take the memory for the copy map of '{disk.Name}': {fault}");
        }
        memory!._isTaken = true;
        return default;
    }

    bool IsFor(ulong sizeBytes, BackupOptions options, bool hasView) =>
        !_isTaken
        && Map.SizeBytes == sizeBytes
        && Map.ClusterBytes == options.Filter.ClusterBytes
        && Access != null == hasView
        && _isOfAll == options.Sync is not (BackupSync.Incremental or BackupSync.Bitmap);

    /// <summary>Gives back what no job has taken.</summary>
    public void Dispose()
    {
        if (!_isTaken)
            Free();
    }

    /// <summary>Threads: any, once nobody uses it.</summary>
    internal void Free()
    {
        Map.Dispose();
        Access?.Dispose();
    }
}
