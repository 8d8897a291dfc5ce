// The bitmaps of disks as the actions of a plan find them, each after those before it. So a whole plan is checked
// before anything of it is done: then nothing can fail half way, and nothing needs to be undone.
using System.Collections.Generic;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's.</summary>
sealed class PlanState
{
    readonly Dictionary<(DiskObject Disk, string Name), PlannedBitmap?> _changed = [];

    /// <summary>Of a disk, for clients: every guest write looks at each.</summary>
    public const int BitmapsMax = 4096;

    /// <summary>What clears and merges make of them.</summary>
    public PlanContents Contents { get; } = new();

    readonly Dictionary<DiskObject, uint> _backups = [];
    readonly Dictionary<DiskObject, int> _added = [];

    /// <summary>The bitmap of a name, or null.</summary>
    public PlannedBitmap? Find(DiskObject disk, string name)
    {
        if (_changed.TryGetValue((disk, name), out PlannedBitmap? planned))
            return planned;
        BitmapObject? bitmap = disk.Bitmaps.Find(name);
        return bitmap != null && ReferenceEquals(disk.Core.FindBitmap(name), bitmap.Dirty)
            ? new PlannedBitmap(bitmap, bitmap.Dirty!.IsBusy, IsToCome: false)
            : null;
    }

    /// <summary>Also of a bitmap that a call of the host is about to add.</summary>
    public bool IsTaken(DiskObject disk, string name)
    {
        if (_changed.TryGetValue((disk, name), out PlannedBitmap? planned))
            return planned != null;
        return disk.Bitmaps.Find(name) != null;
    }

    /// <summary>One more backup of a disk.</summary>
    /// <returns>False: more than can watch it at once.</returns>
    public bool TryAddBackup(DiskObject disk)
    {
        uint count = _backups.GetValueOrDefault(disk) + 1;
        _backups[disk] = count;
        return count <= disk.Core.FilterRoom;
    }

    /// <summary>One more bitmap of a disk.</summary>
    /// <returns>False: more than clients may add.</returns>
    public bool TryAddBitmap(DiskObject disk)
    {
        int count = _added.GetValueOrDefault(disk) + 1;
        _added[disk] = count;
        if (disk.Core.Bitmaps.Count + count > BitmapsMax)
            return false;
        disk.Bitmaps.Reserve(count);
        disk.Core.Bitmaps.Reserve(count);
        return true;
    }

    public void Set(DiskObject disk, string name, PlannedBitmap? planned) => _changed[(disk, name)] = planned;
}
