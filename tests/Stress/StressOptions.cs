// What one stress run does, from the command line.
using System;
using System.Globalization;
using System.IO;

namespace FastBackup.Tests.Stress;

sealed record StressOptions
{
    public int GuestThreads { get; private init; } = 6;

    public int ReaderThreads { get; private init; } = 2;

    public double Seconds { get; private init; } = 10;

    public ulong SizeBytes { get; private init; } = 32 << 20;

    /// <summary>The run keeps to this many cores; 0 = all.</summary>
    public int Cores { get; private init; }

    public ulong Seed { get; private init; } = 1;

    /// <summary>
    /// Whether guests do their own I/O, the engine does it, or both at once. Both only in memory: on a file a
    /// guest's buffered write and the engine's direct write may share a page, which no kernel promises to order.
    /// </summary>
    public string Mode { get; private init; } = "mixed";

    /// <summary>Null: the disks are in memory; else files in this folder.</summary>
    public string? Folder { get; private init; }

    public static StressOptions Parse(string[] arguments)
    {
        StressOptions options = new();
        for (int i = 0; i + 1 < arguments.Length; i += 2)
        {
            string value = arguments[i + 1];
            options = arguments[i] switch
            {
                "--guests" => options with { GuestThreads = int.Parse(value, CultureInfo.InvariantCulture) },
                "--readers" => options with { ReaderThreads = int.Parse(value, CultureInfo.InvariantCulture) },
                "--cores" => options with { Cores = int.Parse(value, CultureInfo.InvariantCulture) },
                "--seconds" => options with { Seconds = double.Parse(value, CultureInfo.InvariantCulture) },
                "--size" => options with { SizeBytes = ulong.Parse(value, CultureInfo.InvariantCulture) },
                "--seed" => options with { Seed = ulong.Parse(value, CultureInfo.InvariantCulture) },
                "--disk" when value == "memory" => options with { Folder = null },
                "--disk" when value == "file" => options with { Folder = Path.GetTempPath(), Mode = "hook" },
                "--mode" when value is "hook" or "device" or "mixed" => options with { Mode = value },
                "--dir" => options with { Folder = value },
                _ => throw new ArgumentException("unknown argument " + arguments[i]),
            };
        }
        return options;
    }
}
