// What a new image is based on: whether it can be, and how it is named there.
//
//   its name    the file's alone where both lie in one folder, so that the folder can be moved; else the whole path
//   its format  as it was opened: recorded, so that no reader has to guess
//
// Nothing here writes to it. Cold: looks at the target's path.
using System;
using System.Globalization;
using System.IO;
using System.Text;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Ports.Linux;

namespace FastBackup.Formats.Qcow2;

public static class NewImageBacking
{
    /// <param name="target">Where the image will lie.</param>
    /// <param name="path">Of the backing.</param>
    /// <param name="backing">The same, open for reading with all that it is based on.</param>
    /// <param name="sizeBytes">Of the image's disk.</param>
    /// <param name="coversFrom">Whether all behind an offset will be in the image itself; null: it will not.</param>
    /// <param name="options">With the backing, where there is no refusal.</param>
    /// <returns>None, or why it cannot be the backing.</returns>
    public static OpenRefusal TryTake(
        string target,
        string path,
        IBlockDevice backing,
        ulong sizeBytes,
        Func<ulong, bool>? coversFrom,
        out NewImageOptions options
    )
    {
        options = new NewImageOptions
        {
            BackingName = NameFor(target, path),
            BackingFormat = backing is Qcow2Device ? "qcow2" : "raw",
        };
        if (
            NameCalls.Kernel.LookThrough(target, out NameLook look) >= 0
            && look.IsFile
            && backing.Storage?.Shares(StorageKin.OfFile(look.Identity)) == true
        )
            return OpenRefusal.Rule($"target '{target}' is a part of backing '{path}'; give another target");
        ulong bytes = backing.Limits.CapacityBytes;
        if (bytes > sizeBytes || bytes < sizeBytes && coversFrom?.Invoke(bytes) != true)
            return OpenRefusal.Rule(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"backing '{path}' has {bytes} bytes, the disk {sizeBytes}: it is no copy of it"
                )
            );
        return Encoding.UTF8.GetByteCount(options.BackingName) > NewImageOptions.BackingNameBytesMax
            ? OpenRefusal.Rule($"backing '{path}' has a longer path than an image can name, 1023 bytes")
            : default;
    }

    /// <summary>As its readers will find it. A link to the image lies in another folder than the file.</summary>
    static string NameFor(string target, string backing)
    {
        string full = Path.GetFullPath(backing);
        bool isLink = new FileInfo(target).LinkTarget != null;
        if (isLink || Path.GetDirectoryName(full) != Path.GetDirectoryName(Path.GetFullPath(target)))
            return full;
        string name = Path.GetFileName(full);
        return name.Contains(':', StringComparison.Ordinal) ? "./" + name : name; // else it looks like a protocol
    }
}
