// An invariant of the oracle does not hold: ends the seed.
using System;

namespace FastBackup.Tests.Simulation.World;

sealed class SimulationFailure(string rule, string what) : Exception($"{rule}: {what}")
{
    /// <summary>Which one: O1 to O17.</summary>
    public string Rule { get; } = rule;
}
