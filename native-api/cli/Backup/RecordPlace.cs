// Where the record of a copy lies: beside the partial of a file, or where --record says, for a block device, which has
// no folder of its own. The first is whose the partial is; the second has a lock of its own.
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Resume;

namespace FastBackup.Cli;

/// <summary>Threads: one at a time, that may wait.</summary>
/// <param name="place">Of the copy.</param>
/// <param name="path">As typed; null: beside the partial.</param>
sealed class RecordPlace(TargetPlace place, string? path)
{
    /// <summary>For people.</summary>
    public string Path => path ?? place.RecordPath;

    /// <summary>What is written meanwhile, for people.</summary>
    public string CopyPath => place.PartialPath ?? place.Path;

    /// <summary>It is there from the beginning, or the copy is refused.</summary>
    public bool IsAskedFor => path != null;

    /// <summary>Opens the record of an unfinished copy.</summary>
    /// <param name="file">Null when refused.</param>
    public OpenRefusal TryOpen(out ResumeFile? file)
    {
        if (path != null)
            return ResumeFile.TryOpen(path, mayMake: false, out file, out _);
        Fault fault = place.TryOpenRecord(out int fd);
        file = fault.IsNone ? new ResumeFile(fd) : null;
        return fault.IsNone
            ? default
            : OpenRefusal.Rule($"'{CopyPath}' has no record of what is in it ('{place.RecordPath}': {fault})");
    }

    /// <summary>A new file, or the one of an earlier copy to the same name. Only beside a partial.</summary>
    /// <returns>Null: it cannot be written.</returns>
    public ResumeFile? Make()
    {
        Fault fault = place.TryMakeRecord(out int fd);
        if (fault.IsNone)
            return new ResumeFile(fd);
        if (fault.Errno != Errnos.EEXIST || OpenOld() is not { } old)
            return null;
        old.Forget();
        return old;
    }

    /// <returns>Null: there is none, or what is there is no record.</returns>
    public ResumeFile? OpenOld()
    {
        if (!TryOpen(out ResumeFile? old).IsNone)
            return null;
        bool isRecord = old!.TryRead(out _, out Bitmaps.HierarchicalBitmap? left);
        left?.Dispose();
        if (isRecord)
            return old;
        old.Dispose();
        return null;
    }

    /// <summary>Takes the name of a record away that is open.</summary>
    public void Remove(ResumeFile file)
    {
        if (path != null)
            _ = NamedFile.Remove(path, file.Fd);
        else
            place.RemoveRecord(file.Fd);
    }
}
