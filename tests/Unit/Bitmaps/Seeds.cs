using System;
using System.Globalization;

namespace FastBackup.Tests.Unit.Bitmaps;

/// <summary>The seed of a random test: fresh each run, or the one given in FASTBACKUP_SEED.</summary>
static class Seeds
{
    public static ulong Next()
    {
        string? given = Environment.GetEnvironmentVariable("FASTBACKUP_SEED");
        return string.IsNullOrEmpty(given)
            ? (ulong)Random.Shared.NextInt64()
            : ulong.Parse(given, CultureInfo.InvariantCulture);
    }
}
