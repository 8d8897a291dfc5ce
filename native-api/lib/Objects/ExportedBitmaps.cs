// A disk's dirty bitmaps as clients of a server are told of them: as they are when they ask. What a job has frozen is
// told as it was frozen.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Serving;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the loop's.</summary>
/// <param name="disk">Whose they are.</param>
/// <param name="chosen">Those of them that are shown, while the disk has them; null: all.</param>
sealed class ExportedBitmaps(Disk disk, IReadOnlySet<string>? chosen = null) : IServedBitmaps
{
    public IEnumerable<string> Names =>
        chosen?.Where(name => disk.FindBitmap(name) != null) ?? disk.Bitmaps.Select(bitmap => bitmap.Name);

    public HierarchicalBitmap? Find(string name) =>
        chosen?.Contains(name) == false ? null : disk.FindBitmap(name)?.Bits;
}
