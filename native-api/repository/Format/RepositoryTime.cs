// Times as the documents have them: RFC 3339 with fractions, in UTC when we write.
using System;
using System.Globalization;

namespace FastBackup.Repositories;

static class RepositoryTime
{
    public static string Format(DateTime utc) =>
        utc.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'", CultureInfo.InvariantCulture);

    /// <summary>Nanoseconds, which others write, are cut to ours of a hundred.</summary>
    public static bool TryParse(string? text, out DateTime utc)
    {
        utc = default;
        if (text == null)
            return false;
        int dot = text.IndexOf('.', StringComparison.Ordinal);
        int end = dot < 0 ? 0 : dot + 1;
        while (dot >= 0 && end < text.Length && char.IsAsciiDigit(text[end]))
            end++;
        string cut = dot >= 0 && end - dot > 8 ? text[..(dot + 8)] + text[end..] : text;
        return DateTime.TryParse(
            cut,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal,
            out utc
        );
    }
}
