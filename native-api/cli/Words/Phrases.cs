// Numbers as words for people, the same in every view.
using System;
using System.Globalization;
using System.Linq;
using System.Runtime.CompilerServices;

namespace FastBackup.Cli;

static class Phrases
{
    public static string Rate(double bytesPerSecond) => ByteSize.Format(bytesPerSecond) + "/s";

    /// <summary>"1 point", "2 points".</summary>
    /// <param name="number">How many.</param>
    /// <param name="one">The word for one.</param>
    public static string Number(long number, string one) => Text($"{number} {one}{(number == 1 ? "" : "s")}");

    /// <summary>12.3 s below a minute, then 4:05 or 1:02:03.</summary>
    public static string Duration(double seconds)
    {
        if (seconds < 60)
            return Text($"{seconds:0.0} s");
        TimeSpan span = TimeSpan.FromSeconds(Math.Min(seconds, 1e9));
        int hours = (int)span.TotalHours;
        return hours > 0
            ? Text($"{hours}:{span.Minutes:00}:{span.Seconds:00}")
            : Text($"{span.Minutes}:{span.Seconds:00}");
    }

    /// <summary>
    /// A sentence stays one line and moves no cursor, whatever names it has: control characters as \x1b and the like.
    /// </summary>
    public static string OneLine(string text)
    {
        if (!text.Any(char.IsControl))
            return text;
        return string.Concat(text.Select(one => char.IsControl(one) ? Text($"\\x{(int)one:x2}") : one.ToString()));
    }

    public static string Left(double? secondsLeft) =>
        secondsLeft is { } seconds
            ? Duration(Math.Ceiling(seconds)).Replace(".0 s", " s", StringComparison.Ordinal)
            : "?";

    /// <summary>Interpolated text whose numbers look the same in every country.</summary>
    public static string Text(ref DefaultInterpolatedStringHandler text) =>
        string.Create(CultureInfo.InvariantCulture, ref text);
}
