// Which faults a simulated port throws, and how often: each a chance in 1,000 per command.
namespace FastBackup.Tests.Simulated;

sealed record SimulatedFaults
{
    public uint ShortCount { get; init; }

    public uint Again { get; init; }

    public uint Interrupted { get; init; }

    public uint ReadError { get; init; }

    public uint WriteError { get; init; }

    public uint NoSpace { get; init; }

    public uint FlushError { get; init; }

    public uint SizeError { get; init; }

    public uint MapError { get; init; }

    /// <summary>Punch and zero-range answer EOPNOTSUPP, every time.</summary>
    public bool RefusesAllocate { get; init; }

    /// <summary>Punch and zero-range answer EINVAL.</summary>
    public uint MisalignedAllocate { get; init; }

    public ulong LatencyNsMax { get; init; } = 1_000_000;
}
