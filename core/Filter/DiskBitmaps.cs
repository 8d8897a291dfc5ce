// The verbs on a disk's dirty bitmaps: add, remove, clear, enable, disable, merge, and a look at them. Bad input is
// refused at once with a sentence that names the value and the rule, and changes nothing. What is accepted happens
// in the disk's next quiesced moment, so that no guest write falls between two states; if the bitmap has become busy
// by then (a job took it), nothing happens and the caller is told.
// Source of the verbs and their refusals: QEMU 10.2, block/monitor/bitmap-qmp-cmds.c.
using System;
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;

namespace FastBackup.Filter;

/// <summary>One bitmap, as it is now.</summary>
/// <param name="Name">Unique on its disk.</param>
/// <param name="GranularityBytes">Bytes per bit.</param>
/// <param name="DirtyBytes">What is dirty in the bitmap; a busy one's newer writes are not in it yet.</param>
/// <param name="IsEnabled">Whether guest writes are recorded.</param>
/// <param name="IsBusy">Whether a job uses it.</param>
public readonly record struct BitmapPicture(
    string Name,
    ulong GranularityBytes,
    ulong DirtyBytes,
    bool IsEnabled,
    bool IsBusy
);

/// <summary>Threads: the reactor's.</summary>
public sealed class DiskBitmaps(IIoLoop loop, Disk disk)
{
    public const ulong GranularityBytesDefault = 64 * Units.KiB;
    const ulong GranularityBytesMin = 512;
    const ulong GranularityBytesMax = 2 * Units.GiB;
    const int NameBytesMax = 1023;

    /// <summary>A new, clean bitmap; records from the quiesced moment on.</summary>
    /// <param name="name">1..1023 bytes of UTF-8, not in use on this disk.</param>
    /// <param name="granularityBytes">A power of two, 512..2 GiB.</param>
    /// <param name="isEnabled">False: records nothing until enabled.</param>
    /// <param name="onDone">Told of the end; may be null.</param>
    /// <returns>None: onDone will be called. Else why not, and it is never called.</returns>
    public OpenRefusal Add(string name, ulong granularityBytes, bool isEnabled, Action<Fault>? onDone)
    {
        int nameBytes = System.Text.Encoding.UTF8.GetByteCount(name);
        if (nameBytes is < 1 or > NameBytesMax)
            return Refuse(FaultKind.Invalid, $"a bitmap's name has 1 to {NameBytesMax} bytes, not {nameBytes}");
        if (!Units.IsPowerOfTwo(granularityBytes) || granularityBytes is < GranularityBytesMin or > GranularityBytesMax)
            return Refuse(
                FaultKind.Invalid,
                $"granularity {granularityBytes} is not a power of two of 512 bytes to 2 GiB"
            );
        if (disk.FindBitmap(name) != null)
            return Refuse(FaultKind.State, $"disk '{disk.Name}' has a bitmap '{name}' already");
        Fault fault = DirtyBitmap.TryCreate(name, disk.CapacityBytes, granularityBytes, out DirtyBitmap? bitmap);
        if (fault.IsFault)
            return Refuse(fault.Kind, $"cannot make bitmap '{name}': {fault.ToString()}");
        Change(onDone, () => FinishAdd(bitmap!, isEnabled));
        return default;
    }

    /// <summary>Forgets a bitmap that is not busy.</summary>
    /// <inheritdoc cref="Add"/>
    public OpenRefusal Remove(string name, Action<Fault>? onDone) =>
        WithIdle(
            name,
            "removed",
            onDone,
            bitmap =>
            {
                disk.Remove(bitmap);
                bitmap.Dispose();
            }
        );

    /// <summary>Makes a bitmap that is not busy clean.</summary>
    /// <inheritdoc cref="Add"/>
    public OpenRefusal Clear(string name, Action<Fault>? onDone) =>
        WithIdle(name, "cleared", onDone, bitmap => bitmap.Clear());

    /// <summary>Starts or ends the recording of guest writes.</summary>
    /// <inheritdoc cref="Add"/>
    public OpenRefusal SetEnabled(string name, bool isEnabled, Action<Fault>? onDone) =>
        WithIdle(
            name,
            isEnabled ? "enabled" : "disabled",
            onDone,
            bitmap =>
            {
                bitmap.SetEnabled(isEnabled);
                disk.RefreshRecording();
            }
        );

    /// <summary>Adds what other bitmaps name, of this or other disks of the same size and any granularity.</summary>
    /// <param name="name">The bitmap that gains; not busy.</param>
    /// <param name="sources">None of them busy; read in the quiesced moment of this disk.</param>
    /// <param name="onDone">Told of the end; may be null.</param>
    /// <returns>None: onDone will be called. Else why not, and it is never called.</returns>
    public OpenRefusal Merge(string name, IReadOnlyList<DirtyBitmap> sources, Action<Fault>? onDone)
    {
        foreach (DirtyBitmap source in sources)
        {
            if (source.IsBusy)
                return Refuse(FaultKind.State, $"bitmap '{source.Name}' is busy and cannot be merged from");
            if (source.SizeBytes != disk.CapacityBytes)
                return Refuse(
                    FaultKind.Invalid,
                    $"bitmap '{source.Name}' is of a disk of {source.SizeBytes} bytes, not of {disk.CapacityBytes}"
                );
        }
        return WithIdle(
            name,
            "merged into",
            onDone,
            bitmap =>
            {
                foreach (DirtyBitmap source in sources)
                    bitmap.Include(source);
            }
        );
    }

    public IReadOnlyList<BitmapPicture> Query()
    {
        List<BitmapPicture> pictures = [];
        foreach (DirtyBitmap bitmap in disk.Bitmaps)
            pictures.Add(
                new BitmapPicture(
                    bitmap.Name,
                    bitmap.GranularityBytes,
                    bitmap.Bits.CountBytes(),
                    bitmap.IsEnabled,
                    bitmap.IsBusy
                )
            );
        return pictures;
    }

    Fault FinishAdd(DirtyBitmap bitmap, bool isEnabled)
    {
        if (disk.FindBitmap(bitmap.Name) != null) // two adds of one name, both accepted before the moment came
        {
            bitmap.Dispose();
            return new Fault(FaultKind.State);
        }
        bitmap.SetEnabled(isEnabled);
        disk.Add(bitmap);
        return Fault.None;
    }

    OpenRefusal WithIdle(string name, string verb, Action<Fault>? onDone, Action<DirtyBitmap> change)
    {
        if (disk.FindBitmap(name) is not { } bitmap)
            return Refuse(FaultKind.Invalid, $"disk '{disk.Name}' has no bitmap '{name}'");
        if (bitmap.IsBusy)
            return Refuse(FaultKind.State, $"bitmap '{name}' is busy and cannot be {verb}: a job uses it");
        Change(
            onDone,
            () =>
            {
                if (bitmap.IsBusy || !ReferenceEquals(disk.FindBitmap(name), bitmap))
                    return new Fault(FaultKind.State);
                change(bitmap);
                return Fault.None;
            }
        );
        return default;
    }

    void Change(Action<Fault>? onDone, Func<Fault> change) =>
        Disk.Quiesce(
            loop,
            [disk],
            () =>
            {
                Fault fault = change();
                onDone?.Invoke(fault);
            }
        );

    static OpenRefusal Refuse(FaultKind kind, FormattableString sentence) =>
        new(new Fault(kind), sentence.ToString(CultureInfo.InvariantCulture));
}
