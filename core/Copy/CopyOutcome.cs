// What became of one chunk, and the sums over all of them.
using FastBackup.Base;

namespace FastBackup.Copy;

/// <summary>The end of one chunk's copy.</summary>
/// <param name="Extent">The device range, cut at the device end.</param>
/// <param name="Fault">None on success; then every bit of the range stays clear. Else they were all set back.</param>
/// <param name="IsSourceFault">Whether the source failed or the target.</param>
public readonly record struct CopyOutcome(Extent Extent, Fault Fault, bool IsSourceFault);

public interface ICopyOwner
{
    /// <summary>Called once per chunk that was started, on the reactor's thread, for a hole inside the call that started it.</summary>
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
}
