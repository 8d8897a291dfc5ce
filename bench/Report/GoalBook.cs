// The goals of this report's own figures: goals.json, by the names of the figures. What other benchmarks measure brings
// its goals along, where this book has none.
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Text.Json;
using FastBackup.Bench.Peers;
using static System.StringComparison;

namespace FastBackup.Bench.Report;

static class GoalBook
{
    sealed record Bounds(double? AtLeast, double? AtMost);

    static readonly JsonSerializerOptions s_options = new() { PropertyNameCaseInsensitive = true };
    static readonly Dictionary<string, Bounds> s_bounds = Read();

    /// <param name="name">Of the figure.</param>
    /// <param name="value">Measured.</param>
    /// <param name="isSmallerBetter">As of the figure; where there is a goal, that tells.</param>
    public static Figure Judge(string name, Spread value, bool? isSmallerBetter) =>
        Judge(name, value, null, null, isSmallerBetter);

    /// <param name="name">Of the figure.</param>
    /// <param name="value">Measured.</param>
    /// <param name="atLeast">Where the book has nothing.</param>
    /// <param name="atMost">Where the book has nothing.</param>
    /// <param name="isSmallerBetter">As of the figure; where there is a goal, that tells.</param>
    public static Figure Judge(string name, Spread value, double? atLeast, double? atMost, bool? isSmallerBetter)
    {
        if (Find(name) is { } bounds)
            (atLeast, atMost) = (bounds.AtLeast, bounds.AtMost);
        bool? isLess =
            atMost != null ? true
            : atLeast != null ? false
            : isSmallerBetter;
        return new Figure(name, value, atLeast, atMost, isLess);
    }

    /// <summary>By the whole name, else by its beginning: the book writes that with a star behind it.</summary>
    static Bounds? Find(string name) =>
        s_bounds.TryGetValue(name, out Bounds? bounds)
            ? bounds
            : s_bounds.FirstOrDefault(one => one.Key[^1] == '*' && name.StartsWith(one.Key[..^1], Ordinal)).Value;

    static Dictionary<string, Bounds> Read()
    {
        using System.IO.Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("goals.json")!;
        return JsonSerializer.Deserialize<Dictionary<string, Bounds>>(stream, s_options)!;
    }
}
