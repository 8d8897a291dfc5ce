// The persistent bitmaps of a qcow2 image that is a guest's disk, as QEMU keeps them: read when it is opened, recorded
// in like any others of the disk, stored when it is closed. In between the file says that they are in use, from the
// first write on; so after a kill nobody takes them for right. Those that were not right when it was opened stay as
// they are.
// Memory: that of the bitmaps.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Errors;

namespace FastBackup.Native.Objects;

/// <summary>Threads: one, that may wait, but for what says otherwise.</summary>
static class ImageBitmaps
{
    /// <summary>Before the first write of the disk.</summary>
    /// <param name="disk">Over any device.</param>
    /// <returns>None, also where the disk is no such image; or why its bitmaps cannot be kept.</returns>
    public static OpenRefusal TryLoad(DiskObject disk)
    {
        if (disk.Device.Device is not Qcow2Device { KeepsBitmaps: true } image)
            return default;
        List<Qcow2Bitmap> useless = [];
        List<DirtyBitmap> bitmaps = [];
        OpenRefusal refusal = TryRead(disk.Engine!, image, useless, bitmaps);
        if (refusal.IsNone)
        {
            KeptBitmaps kept = new(image, useless);
            Answer answer = disk.Engine!.RunUnlessStopped(disk, () => Add(disk, kept, bitmaps));
            refusal = answer.IsOk ? default : OpenRefusal.Rule(answer.Text ?? "the engine has stopped");
        }
        foreach (DirtyBitmap bitmap in bitmaps)
            bitmap.Dispose(); // none, if they are the disk's
        return refusal;
    }

    static OpenRefusal TryRead(
        EngineObject engine,
        Qcow2Device image,
        List<Qcow2Bitmap> useless,
        List<DirtyBitmap> bitmaps
    )
    {
        using DeviceReader reader = new(engine.Reactor, image.File);
        string? wrong = Qcow2Bitmap.TryReadAll(reader, image.Header, out List<Qcow2Bitmap> all);
        if (wrong != null)
            return OpenRefusal.Rule($"'{image.Name}' is corrupt: {wrong}");
        foreach (Qcow2Bitmap one in all)
        {
            if (one.UselessBecause != null)
            {
                useless.Add(one);
                continue;
            }
            OpenRefusal refusal = BitmapReading.TryRead(reader, image.Header, image.Name, one, out var bits);
            if (bits == null)
                return refusal;
            using HierarchicalBitmap read = bits;
            Fault fault = DirtyBitmap.TryCreate(one.Name, bits.SizeBytes, bits.GranularityBytes, out var bitmap);
            if (fault.IsNone)
            {
                bitmaps.Add(bitmap!);
                fault = bitmap!.Bits.CopyFrom(bits);
            }
            if (fault.IsFault)
                return new OpenRefusal(fault, $"cannot keep bitmap '{one.Name}' of '{image.Name}': {fault}");
            bitmap!.SetEnabled(one.IsRecording);
        }
        return default;
    }

    /// <summary>On the reactor's thread, with nothing in flight.</summary>
    static Answer Add(DiskObject disk, KeptBitmaps kept, List<DirtyBitmap> bitmaps)
    {
        Disk.Quiesce(
            disk.Engine!.Reactor,
            [disk.Core],
            () =>
            {
                foreach (DirtyBitmap bitmap in bitmaps)
                {
                    disk.Core.Add(bitmap);
                    BitmapObject made = new(disk.Engine!, disk.Id, bitmap) { IsOfMonitor = true, IsInImage = true };
                    disk.Bitmaps.Add(bitmap.Name, made);
                }
                bitmaps.Clear();
            }
        );
        disk.Image = kept;
        return Answer.Ok;
    }

    /// <summary>What the disk has, which is about to close; its memory stays. On the reactor's thread.</summary>
    public static void Capture(DiskObject disk)
    {
        if (disk.Image is not { } kept)
            return;
        List<StoredBitmap> captured = [];
        foreach (BitmapObject bitmap in disk.Bitmaps)
            if (bitmap is { IsInImage: true, Dirty: { } dirty })
                captured.Add(new StoredBitmap(dirty.Name, dirty.IsEnabled, dirty.Bits));
        foreach (Qcow2Bitmap useless in kept.Useless)
            captured.Add(new StoredBitmap(useless.Name, useless.IsRecording, null, useless));
        kept.Captured = captured;
    }

    /// <summary>The disk is closed, and its device not yet.</summary>
    /// <param name="engine">Drives it.</param>
    /// <param name="kept">Of the disk.</param>
    /// <returns>None, or why they stay as they are, in use: then nobody takes them for right.</returns>
    public static OpenRefusal TryStore(EngineObject engine, KeptBitmaps kept)
    {
        Qcow2Device image = kept.Image;
        if (image.FailedBecause is { } failed)
            return OpenRefusal.Rule($"the bitmaps of '{image.Name}' are not stored: it {failed}");
        using DeviceReader whole = new(engine.Reactor, image);
        Fault fault = whole.Flush();
        if (fault.IsFault)
            return OpenRefusal.Of(image.Name, "flush", fault);
        using DeviceReader file = new(engine.Reactor, image.File);
        return BitmapStoring.TryStore(file, image.Name, image.CanGrow, kept.Captured);
    }
}
