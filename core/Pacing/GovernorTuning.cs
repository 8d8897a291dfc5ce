// The numbers of the latency governor that depend on the guest's priority; the others are at the head of its class.
namespace FastBackup.Pacing;

/// <param name="TailFactor">A guest request slower than this many times the idle 99th percentile is late.</param>
/// <param name="MeanFactor">So many times the idle mean is too much for the mean of requests that needed no copy.
/// Where the host does the I/O, only a mean is known: the same for all its writes.</param>
/// <param name="CopiedFactor">A write that waited for a copy is late above so many times what is usual for one on the
/// otherwise idle disk, where that is more.</param>
/// <param name="FloorChunks">The window never falls below so many of the smallest chunks.</param>
/// <param name="FloorShare">Of the time, while requests of guests are always out: one chunk at a time.</param>
/// <param name="UnitGrowBelow">A chunk may be doubled while its read and its write take less than so many times a small
/// request on the idle disk.</param>
readonly record struct GovernorTuning(
    double TailFactor,
    double MeanFactor,
    double CopiedFactor,
    uint FloorChunks,
    double FloorShare,
    double UnitGrowBelow
)
{
    public static GovernorTuning Of(GuestPriority priority) =>
        priority == GuestPriority.Strict
            ? new GovernorTuning(
                TailFactor: 1.5,
                MeanFactor: 1.3,
                CopiedFactor: 1.2,
                FloorChunks: 1,
                FloorShare: 0.1,
                UnitGrowBelow: 1.15
            )
            : new GovernorTuning(
                TailFactor: 2.8,
                MeanFactor: 2.1,
                CopiedFactor: 1.8,
                FloorChunks: 2,
                FloorShare: 0.6,
                UnitGrowBelow: 1.5
            );
}
