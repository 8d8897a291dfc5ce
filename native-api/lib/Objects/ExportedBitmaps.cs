// A disk's dirty bitmaps as clients of a server are told of them: as they are when they ask. What a job has frozen is
// told as it was frozen.
using System.Collections.Generic;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Serving;

namespace FastBackup.Native.Hosting;

/// <summary>Threads: the loop's.</summary>
sealed class HostedBitmaps(Disk disk) : IServedBitmaps
{
    public IEnumerable<string> Names
    {
        get
        {
            foreach (DirtyBitmap bitmap in disk.Bitmaps)
                yield return bitmap.Name;
        }
    }

    public HierarchicalBitmap? Find(string name) => disk.FindBitmap(name)?.Bits;
}
