// One write of the guest as fio logged it.
namespace FastBackup.Bench.GuestLatency;

/// <param name="EndMs">When it ended, milliseconds of the system's time of day.</param>
/// <param name="LatencyNs">From its submission to its end.</param>
readonly record struct GuestWrite(double EndMs, double LatencyNs)
{
    public double StartMs => EndMs - LatencyNs / 1e6;
}
