// What kind of world a seed is, beside its disks and faults: most have a ring, a thread of their own and files of usual
// sizes; some have not. Drawn apart from all else, so that the others are what they would be without it.
using FastBackup.Base;

namespace FastBackup.Tests.Simulation.World;

sealed class Shape(Prng prng, Prng laterPrng)
{
    /// <summary>Clusters that a vast target or scratch file has room for.</summary>
    public const int VastClustersLog2 = 40;

    /// <summary>Threads that the host drives the engine from; 0 = it has its own.</summary>
    public int PollerCount { get; } = prng.Chance(1, 8) ? 2 + (int)prng.Below(3) : 0;

    /// <summary>Without a ring: threads of each file, and what hangs keeps one of them; 0 = there is a ring.</summary>
    public int ThreadsPerFile { get; } = prng.Chance(1, 8) ? 2 << (int)prng.Below(4) : 0;

    /// <summary>Targets and scratch files have room for 2^40 clusters.</summary>
    public bool IsVast { get; } = prng.Chance(1, 8);

    /// <summary>Memory for guests' writes that are answered before they land; 0 = none is.</summary>
    public ulong AbsorbBytes { get; } = laterPrng.Chance(1, 3) ? 4096ul << (int)laterPrng.Below(8) : 0;

    /// <summary>For so long guests' writes are looked at before each point in time; 0 = not at all.</summary>
    public uint WarmMs { get; } = laterPrng.Chance(1, 2) ? 1u << (int)laterPrng.Below(6) : 0;
}
