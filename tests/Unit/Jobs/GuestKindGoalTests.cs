// What the governor promises guests that do more than write at random, on modelled devices in virtual time: ratios of a
// guest's figures beside a backup to those without one, and of the copy's rate to that without a guest.
//
// Reads, flushes after each write, few places written often (zipf), hosts that report their own requests, writes that
// are answered from memory, and a target that is slow: then the copy's rate is compared with the target's.
using System;
using FastBackup.Base;
using FastBackup.Pacing;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

[Trait("System", "None")] // a governor over a simulated disk
public sealed class GuestKindGoalTests(ITestOutputHelper output)
{
    const ulong HotBytes = 256 * Units.MiB;
    const ulong AbsorbBytes = 16 * Units.MiB;

    /// <summary>
    /// Bounds: p99 at most so many times the idle one; the guest's and the copy's rate at least so much of that alone.
    /// </summary>
    [Theory]
    [InlineData("nvme", "mixed", 3.0, 0.95, 0.85)]
    [InlineData("cloud", "mixed", 3.0, 0.95, 0.70)]
    [InlineData("nvme", "mixed, reported", 3.0, 0.95, 0.70)]
    [InlineData("cloud", "mixed, reported", 3.0, 0.95, 0.70)]
    [InlineData("nvme", "flush", 3.5, 0.40, 0.50)]
    [InlineData("cloud", "flush", 3.5, 0.40, 0.50)]
    [InlineData("nvme", "zipf", 3.5, 0.40, 0.30)]
    [InlineData("cloud", "zipf", 3.5, 0.40, 0.30)]
    [InlineData("nvme", "absorb", 1.5, 0.95, 0.70)]
    [InlineData("cloud", "absorb", 1.5, 0.95, 0.70)]
    [InlineData("nvme", "absorb qd1", 1.5, 3.00, 0.40)]
    [InlineData("cloud", "absorb qd1", 1.5, 3.00, 0.25)]
    [InlineData("nvme", "absorb qd16", 6.5, 0.50, 0.17)] // five seeds: 0.18 to 0.32, the guest 1.23 to 1.02
    [InlineData("cloud", "absorb qd16", 9.0, 0.50, 0.20)]
    [InlineData("nvme", "slow target", 2.0, 0.95, 0.85)]
    [InlineData("cloud", "slow target", 2.0, 0.95, 0.85)]
    public void Balanced_KeepsGuestAndCopy(
        string profileName,
        string loadName,
        double tailMax,
        double guestMin,
        double copyMin
    )
    {
        DeviceProfile profile = DeviceProfile.Of(profileName);
        double targetBytesPerSecond = loadName == "slow target" ? 50e6 : 0;
        ulong absorbBytes = loadName.StartsWith("absorb", StringComparison.Ordinal) ? AbsorbBytes : 0;
        GovernorBench alone = new(profile, LoadOf(loadName), targetBytesPerSecond: targetBytesPerSecond);
        alone.StartJob(GuestPriority.Balanced);
        alone.RunFor(Units.NsPerSecond);
        Stretch copy = alone.Measure(Units.NsPerSecond);
        GovernorBench bench = new(
            profile,
            LoadOf(loadName),
            targetBytesPerSecond: targetBytesPerSecond,
            absorbBytes: absorbBytes
        );
        bench.Guest.SetOn(true);
        Stretch idle = bench.Measure(2 * Units.NsPerSecond);
        bench.StartJob(GuestPriority.Balanced);
        // Until memory for old data has become short, and the drained blocks have their part of the target.
        Stretch both = bench.Measure((targetBytesPerSecond > 0 ? 12u : 2u) * Units.NsPerSecond);
        output.WriteLine($"idle  {idle}\nalone {copy}\nboth  {both}");
        Assert.True(both.P99 <= tailMax * idle.P99, $"p99 {both.P99 / idle.P99:0.0} times {idle.P99:0} us");
        Assert.True(both.PerSecond >= guestMin * idle.PerSecond, $"{both.PerSecond:0} of {idle.PerSecond:0} IOPS");
        Assert.True(
            both.MiBPerSecond >= copyMin * copy.MiBPerSecond,
            $"{both.MiBPerSecond:0} of {copy.MiBPerSecond:0}"
        );
    }

    static ModelLoad LoadOf(string name) =>
        name switch
        {
            "mixed" => new ModelLoad(500, 0, IsHook: false, HotBytes, ReadPercent: 70),
            "mixed, reported" => new ModelLoad(500, 0, IsHook: true, HotBytes, ReadPercent: 70, Reports: true),
            "flush" => new ModelLoad(0, 1, IsHook: false, HotBytes, FlushesEach: true),
            "zipf" => new ModelLoad(0, 4, IsHook: false, 6 * Units.GiB, ZipfExponent: 1.1),
            "absorb qd1" => new ModelLoad(0, 1, IsHook: false, HotBytes, 32 * Units.GiB),
            "absorb qd16" => new ModelLoad(0, 16, IsHook: false, HotBytes, 32 * Units.GiB),
            _ => new ModelLoad(500, 0, IsHook: false),
        };
}
