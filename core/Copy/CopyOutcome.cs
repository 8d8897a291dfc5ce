// What became of one chunk, and the sums over all of them.
using FastBackup.Base;

namespace FastBackup.Copy;

public enum CopyEnd : byte
{
    /// <summary>The target has it.</summary>
    Done,

    /// <summary>The source could not be read; every cluster was set back.</summary>
    SourceFailed,

    /// <summary>The target failed before anybody could overwrite the old data; every cluster was set back.</summary>
    TargetFailed,

    /// <summary>The target failed, and our memory holds the only copy: it waits for Retry or Abandon.</summary>
    Parked,
}

/// <summary>The end of one chunk's copy, or a stop on its way.</summary>
/// <param name="Extent">The device range, cut at the device end.</param>
/// <param name="Lane">Whom it was for.</param>
/// <param name="End">What happened.</param>
/// <param name="Fault">None when done.</param>
/// <param name="TaskKey">Parked: names the chunk for Retry and Abandon.</param>
public readonly record struct CopyOutcome(Extent Extent, CopyLane Lane, CopyEnd End, Fault Fault, ulong TaskKey)
{
    public bool IsSourceFault => End == CopyEnd.SourceFailed;

    /// <summary>It was read; else the map said that it is a hole, and nothing of it took time.</summary>
    public bool WasRead { get; init; }
}

public interface ICopyOwner
{
    /// <summary>
    /// The clusters' old data is safe: from here on a guest may overwrite them. Called once per cluster, piece by
    /// piece, before the chunk ends (or at its end, for <see cref="ReleasePoint.Done"/>).
    /// </summary>
    void OnReleased(ulong firstCluster, ulong clusterCount);

    /// <summary>
    /// A read of blocks of a cluster has ended, but for one that failed. <see cref="BlockCapture.NotAllowed"/> says
    /// what is in memory now, if it did not come too late.
    /// </summary>
    /// <remarks>Never without <see cref="CopyRules.BlockBytes"/>.</remarks>
    void OnBlocksRead(ulong cluster) { }

    /// <summary>
    /// False once the snapshot is given up: guests write from then on, so a read that ends later may have their data
    /// and does not count.
    /// </summary>
    bool IsSnapshotWhole { get; }

    /// <summary>
    /// Called on the reactor's thread when a chunk, or a run of its pieces, has ended or parked; for a hole inside the
    /// call that started it.
    /// </summary>
    void OnCopied(in CopyOutcome outcome);
}

/// <summary>Sums since the engine was made. Bytes of the disk, each counted once, when its chunk succeeded.</summary>
public struct CopyCounters
{
    /// <summary>Read and written.</summary>
    public ulong WrittenBytes;

    /// <summary>Zero by content or a hole by the map, not written because the target reads as zero there.</summary>
    public ulong SkippedZeroBytes;

    /// <summary>Made zero on the target without being written out.</summary>
    public ulong WrittenZeroBytes;

    /// <summary>Read from the source.</summary>
    public ulong ReadBytes;

    /// <summary>Taken from what guests had read.</summary>
    public ulong OfferedBytes;

    /// <summary>Written to scratch because memory was short.</summary>
    public ulong SpilledBytes;

    /// <summary>The part of the copied bytes that a guest write asked for.</summary>
    public ulong CopyBeforeWriteBytes;

    /// <summary>A chunk has succeeded.</summary>
    internal void Add(CopyTask task, ulong liveBytes)
    {
        WrittenBytes += task.WrittenBytes;
        SkippedZeroBytes += task.SkippedZeroBytes;
        WrittenZeroBytes += task.WrittenZeroBytes;
        if (task.Lane is CopyLane.CopyBeforeWrite or CopyLane.Rest)
            CopyBeforeWriteBytes += liveBytes;
    }
}
