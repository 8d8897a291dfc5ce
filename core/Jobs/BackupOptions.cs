// What a backup job is asked to do, in the words of the field.
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Pacing;

namespace FastBackup.Jobs;

public enum BackupSync
{
    /// <summary>Everything; holes of the source become holes or zeroes on the target.</summary>
    Full,

    /// <summary>
    /// What is allocated in the top layer: for raw disks the data extents. The rest of the target is untouched.
    /// </summary>
    Top,

    /// <summary>What the bitmap names; the bitmap is cleared on success. The same as Bitmap with OnSuccess.</summary>
    Incremental,

    /// <summary>What the bitmap names; the bitmap-mode says what becomes of the bitmap.</summary>
    Bitmap,

    /// <summary>Nothing in the background: only what the guest is about to overwrite, until cancelled.</summary>
    None,
}

/// <summary>What becomes of the job's bitmap at its end.</summary>
public enum BitmapMode
{
    /// <summary>
    /// Success: it holds only writes since the job's start. Failure: nothing that was dirty is forgotten.
    /// </summary>
    OnSuccess,

    /// <summary>It keeps what it had, and gains the writes since.</summary>
    Never,

    /// <summary>It holds exactly what was not copied, and the writes since.</summary>
    Always,
}

/// <summary>What the background does when a device fails. Source: QEMU, BlockdevOnError.</summary>
public enum ErrorPolicy
{
    /// <summary>The job fails.</summary>
    Report,

    /// <summary>The same again, with back-off, for as long as it takes.</summary>
    Ignore,

    /// <summary>The job pauses; resume tries again.</summary>
    Stop,

    /// <summary>Stop when there is no space left, else report.</summary>
    EnoSpc,

    /// <summary>The same as EnoSpc.</summary>
    Auto,
}

public sealed record BackupOptions
{
    /// <summary>For people and for lookup, unique in its table; the source disk's name by default.</summary>
    public string? Id { get; init; }

    public BackupSync Sync { get; init; } = BackupSync.Full;

    /// <summary>One of the source disk's bitmaps, not busy.</summary>
    public DirtyBitmap? Bitmap { get; init; }

    /// <summary>
    /// The bitmap is put on the disk by whoever starts the job, in the quiesced moment in which it starts.
    /// </summary>
    public bool IsBitmapStillToCome { get; init; }

    /// <summary>
    /// As long as the bitmap has this serial it names all in which the target may differ from the disk, as a copy has
    /// left it that was interrupted: a success makes the target whole. 0: nobody says so.
    /// </summary>
    public ulong CompletingSerial { get; init; }

    /// <summary>Goes with a bitmap and only with one; Incremental has OnSuccess by itself.</summary>
    public BitmapMode? BitmapMode { get; init; }

    /// <summary>
    /// Bytes per second, 0 = unlimited; changeable while running. Guests' copies are never delayed by it.
    /// </summary>
    public ulong SpeedBytesPerSecond { get; init; }

    /// <summary>
    /// Before the point in time: how long guests' writes are looked at, so that it has what they overwrite first. 0 =
    /// not at all; null = up to 200 ms where guests write much through the engine and the job is a long one.
    /// </summary>
    public uint? WarmMs { get; init; }

    /// <summary>Who comes first on the source's disk; changeable while running.</summary>
    public GuestPriority GuestPriority { get; init; } = GuestPriority.Balanced;

    public ErrorPolicy OnSourceError { get; init; } = ErrorPolicy.Report;

    public ErrorPolicy OnTargetError { get; init; } = ErrorPolicy.Report;

    /// <summary>
    /// Takes a target larger than the source and leaves its rest alone: a restore to a larger disk. Otherwise sizes
    /// must be equal, because a target of another size is nearly always the wrong one.
    /// </summary>
    public bool MayTargetBeLarger { get; init; }

    /// <summary>What is copied is discarded on the source: for a source that is a snapshot view.</summary>
    public bool DiscardSource { get; init; }

    /// <summary>False waits for finalize before the results become final.</summary>
    public bool AutoFinalize { get; init; } = true;

    /// <summary>False keeps the concluded job until it is dismissed.</summary>
    public bool AutoDismiss { get; init; } = true;

    /// <summary>
    /// The point in time: cluster size, who suffers when it cannot be kept, and how long a guest may wait.
    /// </summary>
    public FilterOptions Filter { get; init; } = new();
}
