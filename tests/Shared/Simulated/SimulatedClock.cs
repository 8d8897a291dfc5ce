// Virtual time: moves only when the simulated port waits.
using FastBackup.Base;

namespace FastBackup.Tests.Simulated;

sealed class SimulatedClock : IClock
{
    public ulong NowNs { get; private set; } = Units.NsPerSecond;

    public void AdvanceTo(ulong timeNs)
    {
        if (timeNs > NowNs)
            NowNs = timeNs;
    }
}
