// What a job's background may start under its speed limit (O18): a bucket that holds a tenth of a second's worth.
// A chunk of any length may start while the bucket has something, and the next waits until that is paid for.
using FastBackup.Base;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Oracle;

sealed class PaceModel
{
    const double BurstSeconds = 0.1;
    const double Tolerance = 1.01; // of rounding to whole nanoseconds

    double _bytesPerSecond;
    double _unpaidBytes;
    ulong _atNs;

    /// <summary>A new limit forgives what was started before.</summary>
    public void Set(ulong bytesPerSecond, ulong nowNs) =>
        (_bytesPerSecond, _unpaidBytes, _atNs) = (bytesPerSecond, 0, nowNs);

    /// <param name="job">Its name.</param>
    /// <param name="lengthBytes">Of data, not of a hole.</param>
    /// <param name="nowNs">When it starts.</param>
    public void OnStart(string job, ulong lengthBytes, ulong nowNs)
    {
        if (_bytesPerSecond == 0)
            return;
        double paidBytes = _bytesPerSecond * (nowNs - _atNs) / Units.NsPerSecond;
        _unpaidBytes = System.Math.Max(0, _unpaidBytes - paidBytes);
        _atNs = nowNs;
        if (_unpaidBytes > _bytesPerSecond * BurstSeconds * Tolerance + 1)
            throw new SimulationFailure(
                "O18",
                $"{job} starts {lengthBytes} bytes with {_unpaidBytes:F0} unpaid at {_bytesPerSecond} a second"
            );
        _unpaidBytes += lengthBytes;
    }
}
