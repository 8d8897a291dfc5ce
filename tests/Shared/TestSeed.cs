// The seeds of random tests: new ones or a fixed list, or the one in FASTBACKUP_SEED to replay a failure.
using System;
using System.Globalization;
using Xunit;

namespace FastBackup.Tests;

public static class TestSeed
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

    /// <summary>
    /// Runs the body for seeds 1..count, the same ones in every run, or for the one in FASTBACKUP_SEED.
    /// </summary>
    public static void ForEach(ulong count, Action<ulong> body)
    {
        string? given = Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(given))
        {
            RunOne(ulong.Parse(given, CultureInfo.InvariantCulture), body);
            return;
        }
        for (ulong seed = 1; seed <= count; seed++)
            RunOne(seed, body);
    }

    static void RunOne(ulong seed, Action<ulong> body)
    {
        try
        {
            body(seed);
        }
        catch (Exception exception)
        {
            Assert.Fail($"replay with {Variable}={seed}: {exception}");
        }
    }
}
