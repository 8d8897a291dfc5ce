// A backup that becomes a qcow2 image: when that is meant, what it cannot be together with, and what it is.
using System;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;

namespace FastBackup.Cli;

static class Qcow2Target
{
    /// <summary>
    /// Said so; or by the target's name, unless the source is to be copied as the bytes that it is.
    /// </summary>
    /// <param name="said">Null: nothing was.</param>
    /// <param name="target">As typed.</param>
    /// <param name="format">Of the source.</param>
    public static bool IsMeant(ImageFormat? said, string target, FormatRule format) =>
        said != null
            ? said == ImageFormat.Qcow2
            : format != FormatRule.Raw && target.EndsWith(".qcow2", StringComparison.OrdinalIgnoreCase);

    /// <returns>None, or why the backup cannot become an image.</returns>
    public static OpenRefusal Check(BackupRequest request, ulong sourceBytes)
    {
        if (request.Image is not { } image)
            return default;
        if (DeviceSchemes.Known.IsMeant(request.Target))
            return OpenRefusal.Rule($"target '{request.Target}' is a disk of a server: a qcow2 image goes into a file");
        if (request.IsResumed)
            return OpenRefusal.Rule("a qcow2 image is always written anew: leave --resume out");
        if (image.Backing == null && (request.Bitmap != null || request.Since != null))
            return OpenRefusal.Rule(
                "a qcow2 image is always written anew: what has changed goes into one that is based on the last "
                    + "copy; give that with --backing"
            );
        return NewImageShape.CanHold(sourceBytes)
            ? default
            : OpenRefusal.Rule(
                Phrases.Text($"the source has {sourceBytes} bytes; a qcow2 image holds whole sectors of 512, ")
                    + "up to 64 TiB: give --target-format raw"
            );
    }

    /// <summary>Of the image; null: it does not become one.</summary>
    /// <param name="request">That was checked.</param>
    /// <param name="sourceBytes">Of its disk.</param>
    /// <param name="backing">On which it is based; null: on nothing.</param>
    public static NewImageShape? Shape(BackupRequest request, ulong sourceBytes, BackingImage? backing) =>
        request.Image is { } image
            ? new NewImageShape(
                sourceBytes,
                (backing?.Options ?? new NewImageOptions()) with
                {
                    Packing = image.Packing,
                    IsPreallocated = image.IsPreallocated,
                }
            )
            : null;
}
