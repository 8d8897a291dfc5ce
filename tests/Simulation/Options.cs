// The command line: --seeds A..B, --seed N, --trace, --seconds S, --bug NAME, --bugs, --threads N.
using System;
using System.Globalization;
using FastBackup.Base;

namespace FastBackup.Tests.Simulation;

sealed record Options
{
    public ulong FirstSeed { get; init; } = 1;
    public ulong LastSeed { get; init; } = 200;
    public bool IsSingle { get; init; }
    public bool HasTrace { get; init; }
    public ulong Seconds { get; init; } = ulong.MaxValue;
    public PlantedBug Bug { get; init; }
    public bool HasBugs { get; init; }
    public int Threads { get; init; } = Environment.ProcessorCount;

    public static Options Parse(string[] arguments)
    {
        Options options = new();
        for (int i = 0; i < arguments.Length; i++)
        {
            string Next() => ++i < arguments.Length ? arguments[i] : throw new ArgumentException("a value is missing");
            ulong Number() => ulong.Parse(Next(), CultureInfo.InvariantCulture);
            options = arguments[i] switch
            {
                "--seeds" => options.WithRange(Next()),
                "--seed" => options.WithSeed(Number()),
                "--trace" => options with { HasTrace = true },
                "--seconds" => options with { Seconds = Number() },
                "--bug" => options with { Bug = Enum.Parse<PlantedBug>(Next()) },
                "--bugs" => options with { HasBugs = true },
                "--threads" => options with { Threads = (int)Number() },
                _ => throw new ArgumentException($"unknown option '{arguments[i]}'"),
            };
        }
        return options;
    }

    Options WithRange(string range)
    {
        string[] ends = range.Split("..");
        return this with
        {
            FirstSeed = ulong.Parse(ends[0], CultureInfo.InvariantCulture),
            LastSeed = ulong.Parse(ends[^1], CultureInfo.InvariantCulture),
        };
    }

    Options WithSeed(ulong seed) => this with { FirstSeed = seed, LastSeed = seed, IsSingle = true };
}
