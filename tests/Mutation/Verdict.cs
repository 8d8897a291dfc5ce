// What became of a mutant.
namespace FastBackup.Tests.Mutation;

enum Verdict
{
    /// <summary>A test failed.</summary>
    Killed,

    /// <summary>The tests did not end.</summary>
    Hung,

    /// <summary>The unit tests passed, seeds of the simulator did not.</summary>
    KilledBySeeds,

    /// <summary>Everything passed, though the place was reached.</summary>
    Survived,

    /// <summary>Everything passed, and no test comes to the place.</summary>
    NotReached,

    /// <summary>The compiler refused it: it counts as nothing.</summary>
    Refused,
}
