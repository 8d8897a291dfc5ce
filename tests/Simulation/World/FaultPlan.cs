// Which faults exist in one simulation and how often: a swarm member. Each is a chance in 65,536 per command of its
// kind; most seeds have few kinds, so that each kind meets a calm world too.
using FastBackup.Base;

namespace FastBackup.Tests.Simulation.World;

sealed class FaultPlan
{
    public uint ReadError;
    public uint WriteError;
    public uint FlushError;
    public uint NoSpace;
    public uint Short;
    public uint Again;
    public uint Interrupted;
    public uint Spike;
    public uint Hung;
    public uint Misaligned;
    public uint MapError;

    /// <summary>Blocks in the longest entry of an allocation map, the same all the time; 0 = no limit.</summary>
    public uint MapSplit;
    public uint GuestError;
    public bool RefusesAllocate;

    /// <summary>A change of a target that fails leaves garbage somewhere in its range.</summary>
    public bool LeavesGarbage;

    /// <summary>A write of a target that ends well and is not on the medium, or somewhere else on it.</summary>
    public uint Lie;

    /// <summary>Latencies: mean, how they are spread, and what a spike is.</summary>
    public ulong LatencyNs;
    public bool IsExponential;
    public ulong SpikeNs;

    /// <summary>Part of the transfers whose data moves at submission, not at completion.</summary>
    public uint EarlyPart;

    /// <summary>Chance in 65,536 per round of the world that something larger happens: see Havoc.</summary>
    public uint Havoc;

    public static FaultPlan Draw(Prng prng)
    {
        bool isCalm = prng.Chance(1, 6);
        FaultPlan plan = new()
        {
            Short = Harmless(prng),
            Again = Harmless(prng),
            Interrupted = Harmless(prng),
            Misaligned = Harmless(prng),
            MapSplit = prng.Chance(1, 3) ? 1 + (uint)prng.Below(12) : 0,
            Spike = prng.Chance(1, 3) ? 1u << (int)prng.Below(10) : 0,
            RefusesAllocate = prng.Chance(1, 5),
            LatencyNs = 1000UL << (int)prng.Below(11),
            IsExponential = prng.Chance(1, 2),
            EarlyPart = (uint)prng.Below(3) * 32768,
            SpikeNs = Units.NsPerMs << (int)prng.Below(9),
        };
        if (isCalm)
            return plan;
        plan.LeavesGarbage = prng.Chance(1, 2);
        plan.ReadError = Hard(prng);
        plan.WriteError = Hard(prng);
        plan.FlushError = prng.Chance(1, 4) ? 8192u << (int)prng.Below(3) : 0;
        plan.NoSpace = Hard(prng);
        plan.MapError = prng.Chance(1, 5) ? 16384u : 0;
        plan.GuestError = Hard(prng);
        plan.Hung = prng.Chance(1, 4) ? 1u << (int)prng.Below(7) : 0;
        plan.Lie = prng.Chance(1, 3) ? 256u << (int)prng.Below(5) : 0;
        plan.Havoc = prng.Chance(1, 2) ? 8u << (int)prng.Below(6) : 0;
        return plan;
    }

    /// <summary>Nothing is wrong any more; latencies stay.</summary>
    public void Heal()
    {
        ReadError = WriteError = FlushError = NoSpace = MapError = GuestError = Hung = Spike = Havoc = 0;
        Lie = 0;
        Short = Again = Interrupted = Misaligned = 0;
        RefusesAllocate = false;
    }

    static uint Harmless(Prng prng) => prng.Chance(1, 3) ? 64u << (int)prng.Below(7) : 0;

    static uint Hard(Prng prng) => prng.Chance(1, 4) ? 8u << (int)prng.Below(8) : 0;
}
