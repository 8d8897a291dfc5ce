// A kind of storage that is no path: its names begin with a scheme, "nbd://...", and it opens itself.
using FastBackup.Ports;

namespace FastBackup.Devices.Opening;

/// <summary>Without state. Threads: any.</summary>
public interface IDeviceScheme
{
    /// <summary>Whether a name means such a disk, well written or not.</summary>
    bool IsMeant(string name);

    /// <param name="name">One that IsMeant.</param>
    /// <returns>Null, or what is wrong, as the end of a sentence that begins with the name.</returns>
    string? Check(string name);

    /// <summary>Opens it. Any thread but the loop's: it may wait.</summary>
    /// <param name="loop">Drives the device; it must run.</param>
    /// <param name="options">Path is a name that IsMeant; IsReadOnly. The rest is for files.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions options, out IBlockDevice? device);
}
