// Sizes as people write them on a command line.
using System.Globalization;
using FastBackup.Base;

namespace FastBackup.Bench.Peers;

public static class SizeText
{
    /// <summary>"4GiB", "64MiB", "1.5GiB", or plain bytes; a whole number of MiB.</summary>
    public static bool TryParse(string text, out ulong sizeBytes)
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
