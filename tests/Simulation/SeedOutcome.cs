// What one seed ended with.
namespace FastBackup.Tests.Simulation;

/// <param name="Seed">Which.</param>
/// <param name="Rule">Name of the broken invariant; empty when all held.</param>
/// <param name="What">The sentence that says how.</param>
/// <param name="Hash">Of everything that happened.</param>
readonly record struct SeedOutcome(ulong Seed, string Rule, string What, ulong Hash)
{
    public bool IsGood => Rule.Length == 0;
}
