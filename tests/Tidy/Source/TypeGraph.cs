// Which files of a project name which: an arrow goes from a file to the one that declares a type that it names. Parts
// of a type are one node. Names are looked up as the compiler does it: in the namespaces of the file and in those that
// it uses; a name behind a dot counts when a namespace stands before the dot.
//
// Does not know members: a property that is called like a type of the project counts as naming it. Code in holes of
// strings is not seen.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;

namespace FastBackup.Tests.Tidy.Source;

sealed partial class TypeGraph
{
    readonly Dictionary<string, List<(string Space, string Node)>> _declared = [];
    readonly Dictionary<string, string> _nodes = [];
    readonly Dictionary<(string From, string To), string> _arrows = [];

    /// <param name="files">Of one project.</param>
    public TypeGraph(IReadOnlyCollection<SourceFile> files)
    {
        foreach (SourceFile file in files)
            Declare(file);
        foreach (SourceFile file in files)
            Draw(file);
    }

    /// <summary>From file to file, each with a type that is named.</summary>
    public IEnumerable<(string From, string To, string Type)> Arrows =>
        _arrows.Select(arrow => (arrow.Key.From, arrow.Key.To, arrow.Value));

    /// <summary>Sets of files of which each can be reached from each other one: no file is in two.</summary>
    public IEnumerable<string[]> Circles()
    {
        Dictionary<string, HashSet<string>> seen = [];
        string[] nodes = [.. _nodes.Values.Distinct()];
        foreach (string node in nodes)
            seen[node] = Reach(node);
        HashSet<string> told = [];
        foreach (string node in nodes)
        {
            string[] circle =
            [
                .. seen[node].Where(other => seen[other].Contains(node)).Append(node).Distinct().Order(),
            ];
            if (circle.Length > 1 && told.Add(circle[0]))
                yield return circle;
        }
    }

    HashSet<string> Reach(string node)
    {
        HashSet<string> reached = [];
        Stack<string> open = new([node]);
        while (open.TryPop(out string? at))
            foreach ((string from, string to) in _arrows.Keys)
                if (from == at && reached.Add(to))
                    open.Push(to);
        return reached;
    }

    void Declare(SourceFile file)
    {
        string space = SpaceOf(file);
        string node = file.Path;
        foreach (Match match in TypePattern().Matches(file.Code))
        {
            string name = match.Groups["name"].Value;
            List<(string Space, string Node)> places = _declared.TryGetValue(name, out var found) ? found : [];
            _declared[name] = places;
            if (places.Find(place => place.Space == space) is { Node: { } other })
                node = other; // another part of it
            else
                places.Add((space, node));
        }
        _nodes[file.Path] = node;
    }

    void Draw(SourceFile file)
    {
        string node = _nodes[file.Path];
        HashSet<string> spaces = [.. UsingPattern().Matches(file.Code).Select(match => match.Groups[1].Value)];
        for (string space = SpaceOf(file); space.Length > 0; space = space[..Math.Max(0, space.LastIndexOf('.'))])
            _ = spaces.Add(space);
        foreach (Match match in NamePattern().Matches(file.Code))
        {
            string[] names = match.Value.Split('.', StringSplitOptions.TrimEntries);
            for (int i = 0; i < names.Length; i++)
                Draw(node, spaces, string.Join('.', names[..i]), names[i]);
        }
    }

    /// <param name="node">From here.</param>
    /// <param name="spaces">Whose names need nothing in front.</param>
    /// <param name="before">What stands in front of the name, without the last dot.</param>
    /// <param name="name">Perhaps a type's.</param>
    void Draw(string node, HashSet<string> spaces, string before, string name)
    {
        if (!_declared.TryGetValue(name, out List<(string Space, string Node)>? places))
            return;
        foreach ((string space, string to) in places)
        {
            bool isMeant =
                before.Length == 0
                    ? spaces.Contains(space)
                    : space == before || space.EndsWith("." + before, StringComparison.Ordinal);
            if (isMeant && to != node)
                _arrows[(node, to)] = name;
        }
    }

    static string SpaceOf(SourceFile file) => SpacePattern().Match(file.Code).Groups[1].Value;

    [GeneratedRegex(
        @"^(?:\w+ )*(?:class|struct|interface|enum|record|record struct|record class) (?<name>\w+)"
            + @"|^(?:\w+ )*delegate [\w<>?*.]+ (?<name>\w+)",
        RegexOptions.Multiline
    )]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"^using (?:static )?([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex UsingPattern();

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex SpacePattern();

    [GeneratedRegex(@"(?<![\w@.])[A-Z]\w*(?:\s*\.\s*\w+)*")]
    private static partial Regex NamePattern();
}
