// Opens a disk whatever it is: a path or a remote disk, and over it the image format that it has or was said to have.
// Who knows no images (targets, trackers, scratch) opens by DeviceOpener.
//
//   FormatRule.Raw       no look at the content
//   FormatRule.Qcow2     what looks like qcow2 is that, with every file that it names; what looks raw is raw
//   FormatRule.Refused   the content is only probed, and may be a guest's: a regular file that looks so is qcow2
//                        if it names no other file, or if its name ends in ".qcow2"; block devices, whose content is
//                        always a guest's, are not
//   FormatRule.Noted     raw, with ForeignFormat
//
// What was probed to be raw and is open for writing refuses a write that would make another format of it, as QEMU does:
// else a guest could write the header of an image that names a file of the host, and read that by the next open.
// Cost: as DeviceOpener, and of an image some reads. It may wait for storage.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Ports;

namespace FastBackup.Formats;

public static class ImageOpener
{
    const string Qcow2 = "qcow2";

    /// <summary>Any thread but the loop's.</summary>
    /// <param name="loop">Drives the device; it must run.</param>
    /// <param name="options">What to open and how.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller.</param>
    /// <param name="schemes">Of what is no path; null: those that are known here.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryOpen(
        IIoLoop loop,
        FileOpenOptions options,
        out IBlockDevice? device,
        DeviceSchemes? schemes = null
    )
    {
        schemes ??= DeviceSchemes.Known;
        bool isPlain = options.Format is FormatRule.Raw or FormatRule.Noted || options.CreateBytes != null;
        if (isPlain || schemes.IsMeant(options.Path))
            return schemes.TryOpen(loop, options, out device);
        device = null;
        FileOpenOptions noted = options with { Format = FormatRule.Noted, IsHeadGuarded = true };
        OpenRefusal refusal = DeviceOpener.TryOpen(loop, noted, out FileDevice? file);
        if (!refusal.IsNone)
            return refusal;
        if (file!.ForeignFormat is not { } format)
        {
            device = file;
            return default;
        }
        bool isSaid = options.Format == FormatRule.Qcow2;
        refusal = Check(options, file, format, isSaid);
        if (!refusal.IsNone)
        {
            file.Dispose();
            return refusal;
        }
        return new Qcow2Opening(loop, options, MayNameFiles(options)).TryOpen(file, out device);
    }

    /// <summary>As TryOpen with FormatRule.Qcow2, over a file that is open; what is no such image is refused.</summary>
    /// <param name="loop">Drives the device; it must run.</param>
    /// <param name="options">As for the file.</param>
    /// <param name="file">Owned from here.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryOpenOver(
        IIoLoop loop,
        FileOpenOptions options,
        IBlockDevice file,
        out IBlockDevice? device
    ) => new Qcow2Opening(loop, options with { Format = FormatRule.Qcow2 }, true).TryOpen(file, out device);

    /// <summary>What the image names may be opened: somebody has said what it is, at least by its name.</summary>
    internal static bool MayNameFiles(FileOpenOptions options) =>
        options.Format == FormatRule.Qcow2 || options.Path.EndsWith("." + Qcow2, StringComparison.OrdinalIgnoreCase);

    static OpenRefusal Check(FileOpenOptions options, FileDevice file, string format, bool isSaid)
    {
        if (format != Qcow2 || file.IsBlockDevice && !isSaid)
            return FormatProbe.NotRaw(options.Path, format);
        return default;
    }
}
