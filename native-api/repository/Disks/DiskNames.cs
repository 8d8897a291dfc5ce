// Names of hosts and disks in a repository: parts of a path there, in letters that every program writes the same way.
using System;
using System.Linq;

namespace FastBackup.Repositories;

static class DiskNames
{
    public const int CharsMax = 200;

    /// <returns>Null, or what is wrong with it, as the end of a sentence.</returns>
    public static string? Check(string name) =>
        name.Length == 0 ? "is empty; give a name"
        : name is "." or ".." ? "is no name; give another one"
        : name.Length > CharsMax ? $"has {name.Length} letters; {CharsMax} are the most"
        : name.Any(one => !IsPlain(one))
            ? "has a letter that is none of a-z, A-Z, 0-9 and . _ - + @ : =; give a name of these"
        : null;

    /// <summary>What a disk is called when nobody says: the last part of its path, other letters as '_'.</summary>
    public static string Of(string source)
    {
        string last = source.TrimEnd('/');
        last = last[(last.LastIndexOf('/') + 1)..];
        string name = new([.. last.Take(CharsMax).Select(one => IsPlain(one) ? one : '_')]);
        return Check(name) == null ? name : "disk";
    }

    public static string Host() => Of(Environment.MachineName);

    static bool IsPlain(char one) =>
        char.IsAsciiLetterOrDigit(one) || "._-+@:=".Contains(one, StringComparison.Ordinal);
}
