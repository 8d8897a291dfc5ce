// Where the bits of a live map are kept beside this process's memory, so that they outlive it.
namespace FastBackup.Tracking.Live;

/// <summary>Threads: any. No call waits for storage, or harms the process, whatever became of it.</summary>
interface ILiveMirror
{
    /// <returns>False: it may not have the bit, and never will again.</returns>
    bool TrySet(ulong granule);

    /// <param name="firstGranule">The first.</param>
    /// <param name="granuleCount">1 at least.</param>
    /// <returns>As above.</returns>
    bool TrySetRange(ulong firstGranule, ulong granuleCount);

    /// <summary>The header of this sequence is about to be written, and its map is this one.</summary>
    void Restamp(ulong sequence);

    /// <summary>Says in it that the tracker is inconsistent: nothing in it may be believed.</summary>
    void Void();
}
