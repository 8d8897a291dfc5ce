// What a run of the benchmark was asked to do.
using System.Globalization;
using FastBackup.Base;

namespace FastBackup.Bench.Throughput;

/// <param name="Folder">Where the disks are made; null chooses one that is not in memory.</param>
/// <param name="SizeBytes">Of the source, a multiple of 1 MiB.</param>
/// <param name="RoundCount">How often everybody copies in each state of the target.</param>
/// <param name="IsThorough">Whether the ceiling is searched over many block sizes and depths.</param>
/// <param name="IsKept">Whether the source stays for the next run.</param>
/// <param name="IsTmpfs">Whether the folder is in memory, where other goals hold.</param>
/// <param name="IsSmoke">Whether time does not matter.</param>
sealed record BenchSettings(
    string? Folder,
    ulong SizeBytes,
    int RoundCount,
    bool IsThorough,
    bool IsKept,
    bool IsTmpfs,
    bool IsSmoke = false
)
{
    /// <summary>"4GiB", "64MiB", "1.5GiB", or plain bytes; a whole number of MiB.</summary>
    public static bool TryParseSize(string text, out ulong sizeBytes)
    {
        sizeBytes = 0;
        (string Suffix, ulong Factor)[] units =
        [
            ("TiB", Units.TiB),
            ("GiB", Units.GiB),
            ("MiB", Units.MiB),
            ("KiB", Units.KiB),
            ("", 1),
        ];
        foreach ((string suffix, ulong factor) in units)
        {
            if (!text.EndsWith(suffix, System.StringComparison.OrdinalIgnoreCase))
                continue;
            string number = text[..^suffix.Length].Trim();
            if (
                !decimal.TryParse(
                    number,
                    NumberStyles.AllowDecimalPoint,
                    CultureInfo.InvariantCulture,
                    out decimal count
                )
            )
                return false;
            if (count <= 0 || count > 16 * Units.TiB / factor)
                return false;
            sizeBytes = (ulong)(count * factor);
            return sizeBytes > 0 && sizeBytes % Units.MiB == 0;
        }
        return false;
    }
}
