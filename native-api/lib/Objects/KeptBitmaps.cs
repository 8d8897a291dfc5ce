// What is kept of the persistent bitmaps of an image while it is a guest's disk: those that were not right when it was
// opened, and, when it closes, all as it is to have them (ImageBitmaps).
using System.Collections.Generic;
using FastBackup.Formats.Qcow2;

namespace FastBackup.Native.Objects;

/// <summary>Threads: one at a time.</summary>
/// <param name="image">Outlives this.</param>
/// <param name="useless">Of its directory: they stay as they are.</param>
sealed class KeptBitmaps(Qcow2Device image, List<Qcow2Bitmap> useless)
{
    public Qcow2Device Image => image;

    public IReadOnlyList<Qcow2Bitmap> Useless => useless;

    /// <summary>As the disk had them when it closed; none before.</summary>
    public IReadOnlyCollection<StoredBitmap> Captured { get; set; } = [];

    /// <summary>The image can have such a bitmap of a disk of this size. Threads: any.</summary>
    public bool Fits(ulong diskBytes, ulong granularityBytes) =>
        Qcow2Bitmap.Fits(image.Header, diskBytes, granularityBytes);

    /// <summary>A bitmap that is not right has the name. Threads: any.</summary>
    public bool IsTaken(string name) => useless.Exists(one => one.Name == name);
}
