// A kind of disk, as a queueing model: one pipe that serves one request after the other, and a delay that all requests
// have at the same time.
using FastBackup.Base;

namespace FastBackup.Tests.Simulated;

/// <param name="Name">For people.</param>
/// <param name="BytesPerSecond">Of the pipe, reads and writes together.</param>
/// <param name="RequestNs">The pipe's time for any request.</param>
/// <param name="SeekNs">The pipe's time more, on average, for a request that does not follow the last one.</param>
/// <param name="DelayNs">After the pipe, without keeping others waiting; up to half as much again by chance.</param>
/// <param name="SlowDelayNs">The same for one request in fifty: what makes the tail of an idle disk.</param>
/// <param name="IsReadFirst">A throttle that starves writers once reads saturate it.</param>
sealed record DeviceProfile(
    string Name,
    ulong BytesPerSecond,
    ulong RequestNs,
    ulong SeekNs,
    ulong DelayNs,
    ulong SlowDelayNs,
    bool IsReadFirst = false
)
{
    public static DeviceProfile Nvme { get; } = new("nvme", 3_000_000_000, 2_000, 0, 60_000, 120_000);

    public static DeviceProfile Cloud { get; } = new("cloud", 1_200_000_000, 4_000, 0, 60_000, 140_000, true);

    public static DeviceProfile Network { get; } = new("network", 120_000_000, 10_000, 0, 500_000, 900_000);

    public static DeviceProfile Hdd { get; } = new("hdd", 180_000_000, 50_000, 6 * Units.NsPerMs, 100_000, 4_000_000);

    public static DeviceProfile Of(string name) =>
        name switch
        {
            "nvme" => Nvme,
            "cloud" => Cloud,
            "network" => Network,
            _ => Hdd,
        };
}
