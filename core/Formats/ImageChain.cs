// Reads what an image and those below it say of themselves, and nothing of what they hold: also of images that cannot
// be opened as disks (marked as corrupt, with bitmaps or snapshots that make no sense). Files that it names are opened
// under the rules of ImageOpener. Cold.
using System;
using System.Collections.Generic;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Ports;

namespace FastBackup.Formats;

public static class ImageChain
{
    const int LayersMax = 200;

    /// <param name="loop">Drives the devices; it must run.</param>
    /// <param name="options">The topmost file, read-only.</param>
    /// <param name="layers">From the top; as many as could be read.</param>
    /// <returns>None, or why the next could not be read.</returns>
    public static OpenRefusal TryRead(IIoLoop loop, FileOpenOptions options, out List<ImageLayer> layers)
    {
        layers = [];
        bool mayNameFiles = ImageOpener.MayNameFiles(options);
        string? path = options.Path;
        bool isRaw = options.Format == FormatRule.Raw;
        while (path != null)
        {
            if (layers.Count == LayersMax)
                return OpenRefusal.Rule($"'{options.Path}' is based on more than {LayersMax} images, or on itself");
            FileOpenOptions how = options with { Path = path, Format = isRaw ? FormatRule.Raw : FormatRule.Noted };
            OpenRefusal refusal = TryReadOne(loop, how, out ImageLayer? layer);
            if (!refusal.IsNone)
                return refusal;
            layers.Add(layer!);
            string? name = mayNameFiles ? layer!.Header?.BackingName : null;
            isRaw = layer!.Header?.BackingFormat == "raw";
            if (name != null && !NamedFile.TryResolve(path, name, out path))
                return OpenRefusal.Rule($"'{layer.Path}' is based on '{name}', which is on nothing that is known here");
            path = name == null ? null : path;
        }
        return default;
    }

    /// <summary>Opens an image's file for what reads its tables; the rules about its format do not count.</summary>
    /// <param name="loop">Drives the device; it must run.</param>
    /// <param name="options">The file, read-only.</param>
    /// <param name="device">Null when refused. Owner: the caller.</param>
    /// <param name="header">Of a qcow2 image; else null.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryOpenFile(
        IIoLoop loop,
        FileOpenOptions options,
        out IBlockDevice? device,
        out Qcow2Header? header
    )
    {
        header = null;
        OpenRefusal refusal = DeviceSchemes.Known.TryOpen(loop, options, out device);
        if (!refusal.IsNone || device is not FileDevice { ForeignFormat: "qcow2" })
            return refusal;
        using DeviceReader reader = new(loop, device);
        refusal = Qcow2Tables.TryReadHeader(reader, options.Path, out header);
        if (refusal.IsNone)
            return default;
        device.Dispose();
        device = null;
        return refusal;
    }

    static OpenRefusal TryReadOne(IIoLoop loop, FileOpenOptions options, out ImageLayer? layer)
    {
        layer = null;
        OpenRefusal refusal = TryOpenFile(loop, options, out IBlockDevice? device, out Qcow2Header? header);
        if (device == null)
            return refusal;
        ulong bytes = device.Limits.CapacityBytes;
        string format = (device as FileDevice)?.ForeignFormat ?? "raw";
        layer = new ImageLayer(options.Path, format, header?.SizeBytes ?? bytes, bytes) { Header = header };
        if (header != null)
        {
            using DeviceReader reader = new(loop, device);
            _ = Qcow2Snapshot.TryReadAll(reader, header, out List<Qcow2Snapshot> snapshots, out _);
            _ = Qcow2Bitmap.TryReadAll(reader, header, out List<Qcow2Bitmap> bitmaps);
            layer = layer with { Snapshots = snapshots, Bitmaps = bitmaps };
        }
        device.Dispose();
        return default;
    }
}
