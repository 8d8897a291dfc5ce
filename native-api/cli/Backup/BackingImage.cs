// What a new image is based on: the previous point in time, opened for reading with all that it is based on itself, so
// that what is missing, broken, in a circle or of another size is told before anything is written. It stays open, and
// locked as QEMU locks it, until the new image has its name.
using System;
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
        bool isSource = SourceDisk.FileOf(source)?.Identity is { } own && SourceDisk.FileOf(device)?.Identity == own;
        NewImageOptions options = new();
        refusal = isSource
            ? OpenRefusal.Rule($"backing '{path}' is the source itself; give the copy of an earlier time")
            : NewImageBacking.TryTake(
                request.Target,
                path,
                device,
                source.Limits.CapacityBytes,
                coversFrom,
                out options
            );
        if (refusal.IsNone)
            backing = new BackingImage(device, options);
        else
            device.Dispose();
        return refusal;
    }
}
