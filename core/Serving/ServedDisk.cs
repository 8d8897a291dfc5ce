// What a server offers under a name: a device, how it may be used, and what it tells of its areas.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Bitmaps;
using FastBackup.Devices;

namespace FastBackup.Serving;

/// <summary>Fixed while a server has it. Owner of device and bitmaps: the caller, who keeps the device until the server
/// has closed.</summary>
/// <param name="Name">At most 4096 bytes; the one without a name is what clients get that give none.</param>
/// <param name="Device">Takes requests of any alignment.</param>
public sealed record ServedDisk(string Name, IBlockDevice Device)
{
    /// <summary>For people, in a list of what there is.</summary>
    public string Description { get; init; } = "";

    /// <summary>Writes are refused, whatever the device takes.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Told as the contexts qemu:dirty-bitmap:NAME.</summary>
    public IServedBitmaps? Bitmaps { get; init; }

    internal IEnumerable<string> BitmapNames => Bitmaps?.Names ?? Enumerable.Empty<string>();
}

/// <summary>Dirty bitmaps of a disk, which may come and go. Threads: the loop's.</summary>
public interface IServedBitmaps
{
    IEnumerable<string> Names { get; }

    /// <param name="name">One of them, or one that has gone.</param>
    /// <param name="bits">Gains the bitmaps whose union is told, for this turn of the loop: each of the disk's size, or
    /// of what it had before it grew.</param>
    /// <returns>False: there is none of this name now.</returns>
    bool TryFind(string name, List<HierarchicalBitmap> bits);
}
