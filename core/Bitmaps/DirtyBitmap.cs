// A named dirty bitmap of a disk: what the guest has written since it was made, cleared, or last backed up.
//
// While a job uses it (busy), it is frozen and an anonymous successor records new writes. At the job's end one
// of three things happens to the pair:
//   abdicate   success: the successor's bits become the bitmap's, the frozen ones are forgotten
//   reclaim    failure: the successor's bits are added to the frozen ones
//   keep rest  (mode always) the successor's bits plus what the job did not copy become the bitmap's
// Every change of what records happens while the disk is quiesced, so no guest write falls between two bitmaps.
// In memory only; a bitmap that lost its history would be marked inconsistent by whoever loads it.
// Source: QEMU 10.2 block/dirty-bitmap.c (freeze, abdicate, reclaim), whose states these are.
using System;
using FastBackup.Base;

namespace FastBackup.Bitmaps;

/// <summary>Threads: the reactor's, except <see cref="Recording"/>'s bits, which any thread may set.</summary>
public sealed class DirtyBitmap : IDisposable
{
    readonly HierarchicalBitmap _bits;
    readonly HierarchicalBitmap _successor;

    DirtyBitmap(string name, HierarchicalBitmap bits, HierarchicalBitmap successor) =>
        (Name, _bits, _successor) = (name, bits, successor);

    public string Name { get; }

    public ulong GranularityBytes => _bits.GranularityBytes;

    public ulong SizeBytes => _bits.SizeBytes;

    /// <summary>Whether guest writes are recorded; a busy bitmap records them in its successor.</summary>
    public bool IsEnabled { get; private set; } = true;

    /// <summary>
    /// A job uses it: it cannot be removed, cleared, merged into, enabled, disabled or used by another job.
    /// </summary>
    public bool IsBusy { get; private set; }

    /// <summary>What a job reads while busy, what is reported otherwise.</summary>
    public HierarchicalBitmap Bits => _bits;

    /// <summary>The bits that guest writes go to now, or null when disabled.</summary>
    public HierarchicalBitmap? Recording =>
        !IsEnabled ? null
        : IsBusy ? _successor
        : _bits;

    /// <summary>An enabled, clean bitmap. Takes address space for both generations; pages at first set.</summary>
    /// <param name="name">1..1023 bytes of UTF-8; unique on its disk (checked there).</param>
    /// <param name="sizeBytes">The disk's size.</param>
    /// <param name="granularityBytes">A power of two, 512 B..2 GiB.</param>
    /// <param name="bitmap">The bitmap, or null after a fault.</param>
    /// <returns>None, Invalid, Range or NoMemory.</returns>
    public static Fault TryCreate(string name, ulong sizeBytes, ulong granularityBytes, out DirtyBitmap? bitmap)
    {
        bitmap = null;
        int nameBytes = System.Text.Encoding.UTF8.GetByteCount(name);
        if (nameBytes is < 1 or > 1023)
            return new Fault(FaultKind.Invalid);
        if (granularityBytes < 512)
            return new Fault(FaultKind.Invalid);
        Fault fault = HierarchicalBitmap.TryCreate(sizeBytes, granularityBytes, default, out HierarchicalBitmap? bits);
        if (fault.IsFault)
            return fault;
        fault = HierarchicalBitmap.TryCreate(sizeBytes, granularityBytes, default, out HierarchicalBitmap? successor);
        if (fault.IsFault)
        {
            bits!.Dispose();
            return fault;
        }
        bitmap = new DirtyBitmap(name, bits!, successor!);
        return Fault.None;
    }

    /// <summary>The disk must be quiesced.</summary>
    public void SetEnabled(bool isEnabled)
    {
        Check.That(!IsBusy);
        IsEnabled = isEnabled;
    }

    /// <summary>The disk must be quiesced.</summary>
    public void Clear()
    {
        Check.That(!IsBusy);
        _bits.ResetAll();
    }

    /// <summary>
    /// Gains what another one names, rounded outwards. The disk must be quiesced; neither may be busy.
    /// </summary>
    /// <param name="source">Of a disk of the same size; any granularity; may be this bitmap.</param>
    public void Include(DirtyBitmap source)
    {
        Check.That(!IsBusy);
        Check.That(!source.IsBusy);
        Check.That(_bits.Merge(source._bits).IsNone);
    }

    /// <summary>Hands the bitmap to a job; new writes go to the successor. The disk must be quiesced.</summary>
    public void Freeze()
    {
        Check.That(!IsBusy);
        Check.That(_successor.CountBits() == 0);
        IsBusy = true;
    }

    /// <summary>
    /// The job succeeded: only what was written since the freeze stays dirty. The disk must be quiesced.
    /// </summary>
    public void Abdicate()
    {
        Check.That(IsBusy);
        _bits.ResetAll();
        if (Planted.Is(PlantedBug.R47SuccessForgetsSuccessor))
            _successor.ResetAll();
        Thaw();
    }

    /// <summary>The job failed: nothing that was dirty is forgotten. The disk must be quiesced.</summary>
    public void Reclaim()
    {
        Check.That(IsBusy);
        if (Planted.Is(PlantedBug.R47FailureForgetsSuccessor))
            _successor.ResetAll();
        Thaw();
    }

    /// <summary>
    /// The job ended early in mode always: dirty is what it did not copy, and what was written since.
    /// </summary>
    /// <param name="remaining">The copy bitmap's bits, of any granularity; rounded outwards.</param>
    public void KeepRest(HierarchicalBitmap remaining)
    {
        Check.That(IsBusy);
        Check.That(remaining.SizeBytes == SizeBytes);
        Check.That(_bits.CopyFrom(remaining).IsNone);
        Thaw();
    }

    public void Dispose()
    {
        Check.That(!IsBusy);
        _bits.Dispose();
        _successor.Dispose();
    }

    void Thaw()
    {
        Check.That(_bits.Merge(_successor).IsNone);
        _successor.ResetAll();
        IsBusy = false;
    }
}
