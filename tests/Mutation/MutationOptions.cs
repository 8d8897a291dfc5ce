// The command line: --file PATH... [--most N] [--line N] [--seeds N] [--list] [--table PATH].
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace FastBackup.Tests.Mutation;

sealed record MutationOptions
{
    /// <summary>From the root of the tree, for example core/Pacing/RateLimit.cs; all whose paths begin so.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>So many mutants at most, spread evenly over the file.</summary>
    public int Most { get; init; } = int.MaxValue;

    /// <summary>Only those of this line; 0 = of all.</summary>
    public int LineNumber { get; init; }

    /// <summary>What the unit tests let live meets so many seeds of the simulator; 0 = none.</summary>
    public int SeedCount { get; init; }

    /// <summary>Says what the mutants are, and runs nothing.</summary>
    public bool IsList { get; init; }

    /// <summary>Rows of those that live are added to this file.</summary>
    public string? TablePath { get; init; }

    public static MutationOptions Parse(string[] arguments)
    {
        MutationOptions options = new();
        for (int i = 0; i < arguments.Length; i++)
        {
            string option = arguments[i];
            string Next() =>
                ++i < arguments.Length ? arguments[i] : throw new ArgumentException($"{option} needs a value");
            int Number() =>
                int.TryParse(Next(), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0
                    ? number
                    : throw new ArgumentException($"{option} {arguments[i]}: a number from 1 on is needed");
            options = option switch
            {
                "--file" => options with { Files = [.. options.Files, Next()] },
                "--most" => options with { Most = Number() },
                "--line" => options with { LineNumber = Number() },
                "--seeds" => options with { SeedCount = Number() },
                "--list" => options with { IsList = true },
                "--table" => options with { TablePath = Next() },
                _ => throw new ArgumentException($"unknown option '{option}'"),
            };
        }
        if (options.Files.Count == 0 || options.Files.Any(file => !file.StartsWith("core/", StringComparison.Ordinal)))
            throw new ArgumentException("--file: a file in core/ is needed, or the beginning of some, from the root");
        return options;
    }
}
