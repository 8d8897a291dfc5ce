// Two mirrors at once, while a point is made: whichever map the header names after a kill, its mirror has every bit.
namespace FastBackup.Tracking.Live;

/// <summary>Threads: any.</summary>
/// <param name="before">Of the map that the header names; null: there is none.</param>
/// <param name="next">Of the map that it will name; null: there is none.</param>
sealed class TwinMirror(ILiveMirror? before, ILiveMirror? next) : ILiveMirror
{
    public bool TrySet(ulong granule) => before?.TrySet(granule) != false && next?.TrySet(granule) != false;

    public bool TrySetRange(ulong firstGranule, ulong granuleCount) =>
        before?.TrySetRange(firstGranule, granuleCount) != false
        && next?.TrySetRange(firstGranule, granuleCount) != false;

    /// <summary>Each goes with its own header already.</summary>
    public void Restamp(ulong sequence) { }

    public void Void()
    {
        before?.Void();
        next?.Void();
    }
}
