// One request of the guest as fio logged it.
namespace FastBackup.Bench.GuestLatency;

/// <param name="EndMs">When it ended, milliseconds of the system's time of day.</param>
/// <param name="LatencyNs">From its submission to its end.</param>
/// <param name="IsRead">Else a write.</param>
readonly record struct GuestWrite(double EndMs, double LatencyNs, bool IsRead)
{
    public double StartMs => EndMs - LatencyNs / 1e6;
}
