// New qcow2 images for who makes them by the C interface or the monitor: what they are based on is opened and looked at
// first, then the file is made, then the image is put over it.
using System.Globalization;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Ports;

namespace FastBackup.Native.Objects;

/// <param name="SizeBytes">Of the disk.</param>
/// <param name="Packing">Null: it is not packed.</param>
/// <param name="Backing">Path; null: on nothing.</param>
/// <param name="BackingFormat">What that is taken for.</param>
sealed record ImageMaking(ulong SizeBytes, NewImagePacking? Packing, string? Backing, FormatRule BackingFormat)
{
    /// <summary>All its clusters have a place.</summary>
    public bool IsPreallocated { get; init; }

    /// <summary>Opens what it is based on. Blocks for some reads; any thread but the loop's.</summary>
    /// <param name="loop">Drives it; must run.</param>
    /// <param name="target">Where the image will lie.</param>
    /// <param name="isLockIgnored">Nobody is asked whether the backing is in use.</param>
    /// <param name="shape">Of the image; null when refused.</param>
    /// <param name="backing">Owner: the caller. Null when refused, and where there is none.</param>
    /// <returns>None, or why not.</returns>
    public OpenRefusal TryBegin(
        IIoLoop loop,
        string target,
        bool isLockIgnored,
        out NewImageShape? shape,
        out IBlockDevice? backing
    )
    {
        (shape, backing) = (null, null);
        if (!NewImageShape.CanHold(SizeBytes))
            return OpenRefusal.Rule(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"a qcow2 image holds whole sectors of 512 bytes, up to 64 TiB, not {SizeBytes} bytes"
                )
            );
        if (IsPreallocated && (Packing != null || Backing != null))
            return OpenRefusal.Rule(
                "an image whose clusters all have a place is neither packed nor based on another: leave the "
                    + "preallocation out"
            );
        NewImageOptions options = new();
        if (Backing is { } path)
        {
            if (DeviceSchemes.Known.IsMeant(path))
                return OpenRefusal.Rule($"backing '{path}' is a disk of a server: an image is based on a file");
            FileOpenOptions how = new()
            {
                Path = path,
                IsReadOnly = true,
                IsLockIgnored = isLockIgnored,
                Format = BackingFormat,
            };
            OpenRefusal refusal = ImageOpener.TryOpen(loop, how, out IBlockDevice? device);
            if (device == null)
                return refusal with { Sentence = $"backing: {refusal.Sentence}" };
            refusal = NewImageBacking.TryTake(target, path, device, SizeBytes, coversFrom: null, out options);
            if (!refusal.IsNone)
            {
                device.Dispose();
                return refusal;
            }
            backing = device;
        }
        shape = new NewImageShape(SizeBytes, options with { Packing = Packing, IsPreallocated = IsPreallocated });
        return default;
    }
}
