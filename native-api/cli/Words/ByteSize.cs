// Sizes as people write them: 4096, 64KiB, 64K, 1.5GiB, 200MB. K, M, G, T, P and E alone, and with iB, are
// powers of 1024; with B they are powers of 1000. Capitals do not matter. A size is a whole number of bytes
// that fits 64 bits; everything else is refused with the reason.
using System;
using System.Globalization;

namespace FastBackup.Cli;

static class ByteSize
{
    const string Letters = "KMGTPE";

    /// <param name="text">As typed.</param>
    /// <param name="bytes">The size, 0 included: whether zero makes sense is the option's affair.</param>
    /// <returns>Null, or what is wrong with the text, as the end of a sentence that begins with it.</returns>
    public static string? TryParse(string text, out ulong bytes)
    {
        bytes = 0;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.StartsWith("-") && rest.Length > 1 && char.IsAsciiDigit(rest[1]))
            return "is negative; sizes are above zero";
        int end = 0;
        while (end < rest.Length && (char.IsAsciiDigit(rest[end]) || rest[end] == '.'))
            end++;
        bool isNumber = decimal.TryParse(
            rest[..end],
            NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture,
            out decimal number
        );
        if (!isNumber && end > 20)
            return "is too large: sizes must fit 64 bits";
        if (!isNumber || !TryUnit(rest[end..].Trim(), out ulong unitBytes))
            return "is not a size; write a number with an optional unit, for example 4096, 64KiB, 1.5GiB or 200MB";
        if (number > (decimal)ulong.MaxValue / unitBytes)
            return "is too large: sizes must fit 64 bits";
        decimal product = number * unitBytes;
        if (product != decimal.Truncate(product))
            return "is not a whole number of bytes";
        bytes = (ulong)product;
        return null;
    }

    /// <summary>For people: at most one decimal, in the unit that gives 1..1023.9; exact below 1 KiB.</summary>
    public static string Format(double bytes)
    {
        if (bytes < 1023.5)
            return string.Create(CultureInfo.InvariantCulture, $"{bytes:0} B");
        int unit = -1;
        while (bytes >= 1023.95 && unit < Letters.Length - 1)
        {
            bytes /= 1024;
            unit++;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{bytes:0.0} {Letters[unit]}iB");
    }

    static bool TryUnit(ReadOnlySpan<char> unit, out ulong unitBytes)
    {
        unitBytes = 1;
        if (unit.IsEmpty || unit.Equals("B", StringComparison.OrdinalIgnoreCase))
            return true;
        int power = Letters.IndexOf(char.ToUpperInvariant(unit[0]), StringComparison.Ordinal) + 1;
        ReadOnlySpan<char> ending = unit[1..];
        bool isBinary = ending.IsEmpty || ending.Equals("iB", StringComparison.OrdinalIgnoreCase);
        bool isDecimal = ending.Equals("B", StringComparison.OrdinalIgnoreCase);
        if (power == 0 || !(isBinary || isDecimal))
            return false;
        for (int i = 0; i < power; i++)
            unitBytes *= isBinary ? 1024UL : 1000UL;
        return true;
    }
}
