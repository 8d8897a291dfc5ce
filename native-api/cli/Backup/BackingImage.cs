// What a new image is based on: the previous point in time, opened for reading with all that it is based on itself, so
// that what is missing, broken, in a circle or of another size is told before anything is written. It stays open, and
// locked as QEMU locks it, until the new image has its name.
//
//   its name    the file's alone where both lie in one folder, so that the folder can be moved; else the whole path
//   its format  as it was opened: recorded, so that no reader has to guess
//
// Nothing here writes to it.
using System;
using System.IO;
using System.Text;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Ports;

namespace FastBackup.Cli;

/// <param name="Device">Open for reading. Owner: whoever took it.</param>
/// <param name="Options">Of the new image.</param>
sealed record BackingImage(IBlockDevice Device, NewImageOptions Options)
{
    /// <summary>Blocks for some reads. Threads: any but the loop's.</summary>
    /// <param name="loop">Drives it; must run.</param>
    /// <param name="request">With a backing.</param>
    /// <param name="source">Open.</param>
    /// <param name="coversFrom">Whether all behind an offset will be in the image itself.</param>
    /// <param name="backing">Null when refused.</param>
    /// <returns>None, or why it cannot be the backing.</returns>
    public static OpenRefusal TryTake(
        IIoLoop loop,
        BackupRequest request,
        IBlockDevice source,
        Func<ulong, bool> coversFrom,
        out BackingImage? backing
    )
    {
        backing = null;
        string path = request.Image!.Backing!;
        if (DeviceSchemes.Known.IsMeant(path))
            return OpenRefusal.Rule($"backing '{path}' is a disk of a server: an image is based on a file");
        OpenRefusal refusal = SourceDisk.TryOpen(
            loop,
            path,
            "backing",
            request.IsLockIgnored,
            request.Image.BackingFormat,
            out IBlockDevice? device,
            formatWord: "--backing-format"
        );
        if (device == null)
            return refusal;
        refusal = Check(request, source, device, coversFrom, out string name);
        if (!refusal.IsNone)
        {
            device.Dispose();
            return refusal;
        }
        string format = device is Qcow2Device ? "qcow2" : "raw";
        backing = new BackingImage(device, new NewImageOptions { BackingName = name, BackingFormat = format });
        return default;
    }

    static OpenRefusal Check(
        BackupRequest request,
        IBlockDevice source,
        IBlockDevice device,
        Func<ulong, bool> coversFrom,
        out string name
    )
    {
        string path = request.Image!.Backing!;
        name = NameFor(request.Target, path);
        if (SourceDisk.FileOf(source)?.Identity is { } own && SourceDisk.FileOf(device)?.Identity == own)
            return OpenRefusal.Rule($"backing '{path}' is the source itself; give the copy of an earlier time");
        if (
            PathLook.TryLook(request.Target, out PathLook look).IsNone
            && look.Kind == PathKind.File
            && device.Storage?.Shares(StorageKin.OfFile(look.Identity)) == true
        )
            return OpenRefusal.Rule($"target '{request.Target}' is a part of backing '{path}'; give another target");
        (ulong bytes, ulong sourceBytes) = (device.Limits.CapacityBytes, source.Limits.CapacityBytes);
        if (bytes > sourceBytes || bytes < sourceBytes && !coversFrom(bytes))
            return OpenRefusal.Rule(
                Phrases.Text($"backing '{path}' has {bytes} bytes, the source {sourceBytes}: it is no copy of it")
            );
        return Encoding.UTF8.GetByteCount(name) > NewImageOptions.BackingNameBytesMax
            ? OpenRefusal.Rule($"backing '{path}' has a longer path than an image can name, 1023 bytes")
            : default;
    }

    /// <summary>As its readers will find it. A link to TARGET lies in another folder than the file.</summary>
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
