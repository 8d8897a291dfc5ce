// Files of /proc and /sys: what is not there, or may not be read, is empty.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace FastBackup.Ports.Linux;

static class SystemText
{
    public static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    public static IEnumerable<string> Folders(string folder, string pattern = "*")
    {
        try
        {
            return Directory.GetDirectories(folder, pattern);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Where a link leads in the end; the path itself when it is none.</summary>
    public static string Resolve(string path)
    {
        try
        {
            return Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return path;
        }
    }

    /// <summary>Spaces and the like are written as \040 there. Source: proc(5), fstab(5).</summary>
    public static string Unescape(string text)
    {
        if (!text.Contains('\\'))
            return text;
        List<byte> bytes = [];
        ReadOnlySpan<byte> given = Encoding.UTF8.GetBytes(text);
        for (int i = 0; i < given.Length; i++)
        {
            bool isEscape = given[i] == '\\' && i + 3 < given.Length && IsOctal(given.Slice(i + 1, 3));
            bytes.Add(
                isEscape ? (byte)((given[i + 1] - '0') * 64 + (given[i + 2] - '0') * 8 + given[i + 3] - '0') : given[i]
            );
            i += isEscape ? 3 : 0;
        }
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    /// <summary>"8:16".</summary>
    public static bool TryParseDevice(string text, out uint major, out uint minor)
    {
        minor = 0;
        string[] parts = text.Trim().Split(':');
        return uint.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out major)
            && parts.Length == 2
            && uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out minor);
    }

    static bool IsOctal(ReadOnlySpan<byte> digits) => digits.IndexOfAnyExceptInRange((byte)'0', (byte)'7') < 0;
}
