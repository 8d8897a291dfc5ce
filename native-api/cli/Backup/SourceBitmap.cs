// What a persistent dirty bitmap of a qcow2 image marks, as QEMU has recorded it; and its new beginning once that is
// copied. From the first look to that the image is open for writing, so that nobody records in between what would be
// forgotten then.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one, any but the reactor's.</summary>
static class SourceBitmap
{
    /// <param name="engine">Drives the image.</param>
    /// <param name="request">The bitmap, and the unit in which is copied.</param>
    /// <param name="source">Open.</param>
    /// <param name="changed">What is marked, or null. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryRead(
        Engine engine,
        BackupRequest request,
        Qcow2Device source,
        out HierarchicalBitmap? changed
    )
    {
        changed = null;
        using DeviceReader reader = new(engine.Reactor, source.File);
        OpenRefusal refusal = TryFind(reader, source, request.Bitmap!, out List<Qcow2Bitmap> all, out int number);
        if (!refusal.IsNone)
            return refusal;
        refusal = BitmapReading.TryRead(reader, source.Header, source.Name, all[number], out HierarchicalBitmap? bits);
        if (bits == null)
            return refusal.Fault.Kind == FaultKind.Invalid
                ? refusal with
                {
                    Sentence =
                        $"source: {refusal.Sentence}; make a full copy, with --clear-bitmap {request.Bitmap} to have "
                        + "it begin anew",
                }
                : refusal;
        using HierarchicalBitmap marked = bits;
        Fault fault = HierarchicalBitmap.TryCreate(
            source.Limits.CapacityBytes,
            request.ClusterBytes,
            default,
            out HierarchicalBitmap? units
        );
        if (fault.IsNone)
            fault = units!.Merge(marked);
        if (fault.IsNone)
        {
            changed = units;
            return default;
        }
        units?.Dispose();
        return new OpenRefusal(fault, $"cannot take the memory for what bitmap '{request.Bitmap}' marks: {fault}");
    }

    /// <summary>Whether a bitmap is there that can begin anew; an inconsistent one can, after a full copy.</summary>
    /// <param name="engine">Drives the image.</param>
    /// <param name="request">Names the bitmap.</param>
    /// <param name="source">Open.</param>
    public static OpenRefusal CanClear(Engine engine, BackupRequest request, IBlockDevice source)
    {
        if (source is not Qcow2Device image)
            return OpenRefusal.Rule($"source '{request.Source}' is no qcow2 image: it has no bitmap to clear");
        using DeviceReader reader = new(engine.Reactor, image.File);
        return TryFind(reader, image, request.ClearedBitmap!, out _, out _);
    }

    /// <summary>The copy is whole: nothing is marked any more.</summary>
    /// <param name="engine">Drives the image.</param>
    /// <param name="request">Names the bitmap.</param>
    /// <param name="source">Open for writing, and nobody has written.</param>
    public static OpenRefusal Clear(Engine engine, BackupRequest request, IBlockDevice source)
    {
        Qcow2Device image = (Qcow2Device)source;
        string name = request.ClearedBitmap!;
        using DeviceReader file = new(engine.Reactor, image.File);
        OpenRefusal refusal = TryFind(file, image, name, out List<Qcow2Bitmap> all, out int number);
        if (!refusal.IsNone)
            return refusal;
        Fault fault = HierarchicalBitmap.TryCreate(
            image.Limits.CapacityBytes,
            all[number].GranularityBytes,
            default,
            out HierarchicalBitmap? empty
        );
        if (fault.IsFault)
            return new OpenRefusal(fault, $"the copy is whole, but bitmap '{name}' could not be cleared: {fault}");
        using HierarchicalBitmap bits = empty!;
        List<StoredBitmap> stored = [];
        foreach (Qcow2Bitmap one in all)
            stored.Add(
                one.Name == name
                    ? new StoredBitmap(name, one.IsRecording, bits)
                    : new StoredBitmap(one.Name, one.IsRecording, null, one)
            );
        refusal = BitmapStoring.TryStore(file, image.Name, image.CanGrow, stored);
        return refusal.IsNone
            ? default
            : refusal with
            {
                Sentence = $"the copy is whole, but bitmap '{name}' could not be cleared: {refusal.Sentence}",
            };
    }

    static OpenRefusal TryFind(
        DeviceReader reader,
        Qcow2Device image,
        string name,
        out List<Qcow2Bitmap> all,
        out int number
    )
    {
        string? wrong = Qcow2Bitmap.TryReadAll(reader, image.Header, out all);
        number = all.FindIndex(one => one.Name == name);
        if (wrong != null)
            return OpenRefusal.Rule($"source '{image.Name}' is corrupt: {wrong}");
        return number >= 0
            ? default
            : OpenRefusal.Rule(
                $"source '{image.Name}' has no bitmap '{name}': 'fastbackup info' shows those that it has, and "
                    + $"'qemu-img bitmap --add {image.Name} {name}' makes one"
            );
    }
}
