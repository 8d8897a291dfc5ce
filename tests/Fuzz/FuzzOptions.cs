// What one run does, from the command line.
using System;
using System.Globalization;

namespace FastBackup.Tests.Fuzz;

sealed record FuzzOptions
{
    public bool HasServer { get; private init; } = true;

    public bool HasClient { get; private init; } = true;

    public bool HasImage { get; private init; } = true;

    const string LongVariable = "FASTBACKUP_FUZZ";

    /// <summary>Of each end, those that are cut at every byte included.</summary>
    public ulong SessionCount { get; private init; } = 20_000;

    /// <summary>Of each end, at most.</summary>
    public double Seconds { get; private init; } = double.MaxValue;

    public ulong Seed { get; private init; } = (ulong)Random.Shared.Next();

    /// <summary>Gets what was found to reach something new; null: it is forgotten.</summary>
    public string? KeepFolder { get; private init; }

    /// <summary>Hex of the one input to run; null: all.</summary>
    public string? InputPath { get; private init; }

    public static FuzzOptions Parse(string[] arguments)
    {
        FuzzOptions options = new();
        if (arguments.Length % 2 != 0)
            throw new ArgumentException($"'{arguments[^1]}' has no value");
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string value = arguments[i + 1];
            options = arguments[i] switch
            {
                "--end" when value is "server" or "client" or "both" or "image" or "all" => options with
                {
                    HasServer = value is "server" or "both" or "all",
                    HasClient = value is "client" or "both" or "all",
                    HasImage = value is "image" or "all",
                },
                "--sessions" => options with { SessionCount = ulong.Parse(value, CultureInfo.InvariantCulture) },
                "--seconds" => options with { Seconds = double.Parse(value, CultureInfo.InvariantCulture) },
                "--seed" => options with { Seed = ulong.Parse(value, CultureInfo.InvariantCulture) },
                "--keep" => options with { KeepFolder = value },
                "--input" => options with { InputPath = value },
                _ => throw new ArgumentException($"'{arguments[i]} {value}' is not known"),
            };
        }
        return Environment.GetEnvironmentVariable(LongVariable) is { } count
            ? options with
            {
                SessionCount = ulong.Parse(count, CultureInfo.InvariantCulture),
            }
            : options;
    }
}
