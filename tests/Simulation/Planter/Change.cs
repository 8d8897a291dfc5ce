// One replacement of a planted bug: lines that stand together in one file of the engine, and what stands there instead.
// The first and the last lines that are the same on both sides only say where it is: they may be those of other bugs.
using System;
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Tests.Planter;

/// <param name="Bug">Whose it is.</param>
/// <param name="LineNumber">Of its first - line in the bug's file, from 1.</param>
/// <param name="File">A file of the engine: its name, with as many folders before it as make it the only one.</param>
/// <param name="Found">Lines that must stand there, whatever their indentation; at least one.</param>
/// <param name="Planted">Lines in their place, indented from the first found one's on; none takes them away.</param>
sealed record Change(Bug Bug, int LineNumber, string File, string[] Found, string[] Planted)
{
    int SameBefore => Same(Found, Planted);

    int SameAfter => Math.Min(Same(Enumerable.Reverse(Found), Enumerable.Reverse(Planted)), Shorter - SameBefore);

    int Shorter => Math.Min(Found.Length, Planted.Length);

    /// <summary>Where it changes the sources.</summary>
    /// <param name="sources">By path below the engine's folder: the lines of each file.</param>
    public Edit Place(Dictionary<string, string[]> sources)
    {
        string path = PathIn(sources.Keys);
        string[] lines = sources[path];
        int[] places = [.. Enumerable.Range(0, lines.Length).Where(at => StandsAt(lines, at))];
        string text = string.Join(" / ", Found.Select(line => line.Trim()));
        if (places.Length == 0)
            throw Bug.Error(LineNumber, $"it no longer applies: no lines of {path} read '{text}'");
        if (places.Length > 1)
            throw Bug.Error(LineNumber, $"it is ambiguous: {places.Length} places of {path} read '{text}'");
        string first = lines[places[0]];
        string indent = first[..^first.TrimStart().Length];
        return new Edit(
            this,
            path,
            places[0] + SameBefore,
            Found.Length - SameBefore - SameAfter,
            [.. Planted[SameBefore..^SameAfter].Select(line => Bug.Expand(indent + line).TrimEnd())]
        );
    }

    string PathIn(IEnumerable<string> paths)
    {
        string[] fits = [.. paths.Where(path => ("/" + path).EndsWith("/" + File, StringComparison.Ordinal)).Order()];
        return fits.Length switch
        {
            0 => throw Bug.Error(LineNumber, $"it no longer applies: the engine has no file {File}"),
            1 => fits[0],
            _ => throw Bug.Error(LineNumber, $"it is ambiguous: {File} may be {string.Join(" or ", fits)}"),
        };
    }

    bool StandsAt(string[] lines, int at) =>
        at + Found.Length <= lines.Length
        && Found.Index().All(one => lines[at + one.Index].AsSpan().Trim().SequenceEqual(one.Item.AsSpan().Trim()));

    static int Same(IEnumerable<string> found, IEnumerable<string> planted) =>
        found.Zip(planted).TakeWhile(pair => pair.First == pair.Second).Count();
}
