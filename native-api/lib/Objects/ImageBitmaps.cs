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
sealed class ImageBitmaps
{
    readonly EngineObject _engine;
    readonly Qcow2Device _image;
    readonly List<Qcow2Bitmap> _useless = [];
    List<StoredBitmap> _captured = [];

    ImageBitmaps(EngineObject engine, Qcow2Device image) => (_engine, _image) = (engine, image);

    /// <summary>A bitmap that is not right has the name. Threads: any.</summary>
    public bool IsTaken(string name) => _useless.Exists(one => one.Name == name);

    /// <summary>Before the first write of the disk.</summary>
    /// <param name="disk">Over any device.</param>
    /// <returns>None, also where the disk is no such image; or why its bitmaps cannot be kept.</returns>
    public static OpenRefusal TryLoad(DiskObject disk)
    {
        if (disk.Device.Device is not Qcow2Device { KeepsBitmaps: true } image)
            return default;
        ImageBitmaps kept = new(disk.Engine!, image);
        List<DirtyBitmap> bitmaps = [];
        OpenRefusal refusal = kept.TryRead(bitmaps);
        if (refusal.IsNone)
        {
            Answer answer = disk.Engine!.RunUnlessStopped(disk, () => kept.Add(disk, bitmaps));
            refusal = answer.IsOk ? default : OpenRefusal.Rule(answer.Text ?? "the engine has stopped");
        }
        foreach (DirtyBitmap bitmap in bitmaps)
            bitmap.Dispose(); // none, if they are the disk's
        return refusal;
    }

    OpenRefusal TryRead(List<DirtyBitmap> bitmaps)
    {
        using DeviceReader reader = new(_engine.Reactor, _image.File);
        string? wrong = Qcow2Bitmap.TryReadAll(reader, _image.Header, out List<Qcow2Bitmap> all);
        if (wrong != null)
            return OpenRefusal.Rule($"'{_image.Name}' is corrupt: {wrong}");
        foreach (Qcow2Bitmap one in all)
        {
            if (one.UselessBecause != null)
            {
                _useless.Add(one);
                continue;
            }
            OpenRefusal refusal = BitmapReading.TryRead(reader, _image.Header, _image.Name, one, out var bits);
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
                return new OpenRefusal(fault, $"cannot keep bitmap '{one.Name}' of '{_image.Name}': {fault}");
            bitmap!.SetEnabled(one.IsRecording);
        }
        return default;
    }

    /// <summary>On the reactor's thread, with nothing in flight.</summary>
    Answer Add(DiskObject disk, List<DirtyBitmap> bitmaps)
    {
        Disk.Quiesce(
            _engine.Reactor,
            [disk.Core],
            () =>
            {
                foreach (DirtyBitmap bitmap in bitmaps)
                {
                    disk.Core.Add(bitmap);
                    BitmapObject made = new(_engine, disk.Id, bitmap) { IsOfMonitor = true, IsInImage = true };
                    disk.Bitmaps.Add(bitmap.Name, made);
                }
                bitmaps.Clear();
            }
        );
        disk.Image = this;
        return Answer.Ok;
    }

    /// <summary>What the disk has, which is about to close; its memory stays. On the reactor's thread.</summary>
    public void Capture(DiskObject disk)
    {
        _captured = [];
        foreach (BitmapObject bitmap in disk.Bitmaps)
            if (bitmap is { IsInImage: true, Dirty: { } dirty })
                _captured.Add(new StoredBitmap(dirty.Name, dirty.IsEnabled, dirty.Bits));
        foreach (Qcow2Bitmap useless in _useless)
            _captured.Add(new StoredBitmap(useless.Name, useless.IsRecording, null, useless));
    }

    /// <summary>The disk is closed, and its device not yet.</summary>
    /// <returns>None, or why they stay as they are, in use: then nobody takes them for right.</returns>
    public OpenRefusal TryStore()
    {
        if (_image.FailedBecause is { } failed)
            return OpenRefusal.Rule($"the bitmaps of '{_image.Name}' are not stored: it {failed}");
        using DeviceReader whole = new(_engine.Reactor, _image);
        Fault fault = whole.Flush();
        if (fault.IsFault)
            return OpenRefusal.Of(_image.Name, "flush", fault);
        using DeviceReader file = new(_engine.Reactor, _image.File);
        return BitmapStoring.TryStore(file, _image.Name, _image.CanGrow, _captured);
    }
}
