// The numbers of the latency governor that depend on the guest's priority; the others are at the head of its class.
namespace FastBackup.Copy;

/// <param name="TailFactor">A guest request slower than this many times the idle 99th percentile is late.</param>
/// <param name="MeanFactor">Hook mode, where only a mean is known: the same for the mean.</param>
/// <param name="FloorChunks">The window never falls below so many of the smallest chunks.</param>
/// <param name="FloorShare">Of the time, while requests of guests are always out: one chunk at a time.</param>
readonly record struct GovernorTuning(double TailFactor, double MeanFactor, uint FloorChunks, double FloorShare)
{
    public static GovernorTuning Of(GuestPriority priority) =>
        priority == GuestPriority.Strict
            ? new GovernorTuning(TailFactor: 1.5, MeanFactor: 1.3, FloorChunks: 1, FloorShare: 0.1)
            : new GovernorTuning(TailFactor: 2.8, MeanFactor: 1.8, FloorChunks: 2, FloorShare: 0.4);
}
