// The dirty bitmaps of a disk that a client of the monitor has chosen for an export.
using System.Collections.Generic;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Serving;

namespace FastBackup.Native.Monitor.Nbd;

/// <summary>Threads: the loop's.</summary>
sealed class ExportedBitmaps(Disk disk, HashSet<string> names) : IServedBitmaps
{
    /// <summary>Those that the disk still has.</summary>
    public IEnumerable<string> Names
    {
        get
        {
            foreach (string name in names)
                if (disk.FindBitmap(name) != null)
                    yield return name;
        }
    }

    public HierarchicalBitmap? Find(string name) => names.Contains(name) ? disk.FindBitmap(name)?.Bits : null;
}
