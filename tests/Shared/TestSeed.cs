// The seed of a random test: a new one each run, or the one in FASTBACKUP_SEED to replay a failure.
using System;
using System.Globalization;
using Xunit;

namespace FastBackup.Tests;

static class TestSeed
{
    const string Variable = "FASTBACKUP_SEED";

    /// <summary>Picks the seed and writes it to the test's output, which a failure shows.</summary>
    public static ulong Next()
    {
        string? given = Environment.GetEnvironmentVariable(Variable);
        ulong seed = string.IsNullOrEmpty(given)
            ? (ulong)Random.Shared.NextInt64()
            : ulong.Parse(given, CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"{Variable}={seed}");
        return seed;
    }
}
