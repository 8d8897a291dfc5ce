// One planted bug, as its file says it:
//
//   # T0 does not wait for writes under way.       lines before the first @ say what is wrong, for people
//   @ QuiescedChange.cs                            a file of the engine; with folders only where its name is not enough
//   -if (place.Disk.WritesInFlight != 0)           lines that stand there, together, exactly once
//   -    return false;
//   +if (place.Disk.WritesInFlight != 0 && !BUG)   what stands there instead; BUG is true while this bug is in force
//   +    return false;
//
// Indentation does not count where lines are looked for. Another group of - and + may follow, with or without a new @.
// A group with no + takes lines away; one with no - has no place, and is an error.
// A file that ends in .seam has the same form and no switch: it leads the engine to the simulated world where it calls
// the system itself.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text.RegularExpressions;

namespace FastBackup.Tests.Planter;

sealed partial class Bug
{
    readonly string _path;
    readonly List<string> _found = [];
    readonly List<string> _planted = [];
    string? _file;
    int _lineNumber;
    int _foundLineNumber;

    /// <param name="path">Of the file; its name without the ending is the bug's.</param>
    /// <param name="lines">What the file says.</param>
    public Bug(string path, IEnumerable<string> lines)
    {
        _path = path;
        Name = Path.GetFileNameWithoutExtension(path);
        foreach (string line in lines)
        {
            _lineNumber++;
            Read(line.TrimEnd());
        }
        Close();
        if (Changes.Count == 0)
            throw Error(1, "it changes nothing");
        if (!IsSeam && !Changes.Exists(change => Array.Exists(change.Planted, SwitchPattern().IsMatch)))
            throw Error(1, "no line of it has the word BUG: it would always be in force");
    }

    /// <summary>A member of the enum PlantedBug, but for a seam.</summary>
    public string Name { get; }

    /// <summary>Always in force.</summary>
    public bool IsSeam => _path.EndsWith(".seam", StringComparison.Ordinal);

    public List<Change> Changes { get; } = [];

    void Read(string line)
    {
        switch (line.Length == 0 ? '#' : line[0])
        {
            case '#':
                break;
            case '@':
                Close();
                _file = line[1..].Trim();
                break;
            case '-':
                if (_planted.Count > 0)
                    Close();
                if (_found.Count == 0)
                    _foundLineNumber = _lineNumber;
                _found.Add(line[1..]);
                break;
            case '+' when _found.Count > 0:
                _planted.Add(line[1..]);
                break;
            case '+':
                throw Error(_lineNumber, "a + line has no - line before it: where does it belong?");
            default:
                throw Error(_lineNumber, $"the line '{line}' begins with none of # @ - +");
        }
    }

    void Close()
    {
        if (_found.Count == 0)
            return;
        if (_file == null)
            throw Error(_foundLineNumber, "a line with @ and a file must come before it");
        Changes.Add(new Change(this, _foundLineNumber, _file, [.. _found], [.. _planted]));
        _found.Clear();
        _planted.Clear();
    }

    /// <summary>A planted line as the compiler sees it.</summary>
    public string Expand(string line) =>
        SwitchPattern()
            .Replace(
                line,
                $"global::FastBackup.Tests.Simulation.Planted.Is(global::FastBackup.Tests.Simulation.PlantedBug.{Name})"
            );

    public PlanterException Error(int lineNumber, string sentence) =>
        new(_path, lineNumber, $"planted bug {Name}: {sentence}");

    [GeneratedRegex(@"\bBUG\b")]
    private static partial Regex SwitchPattern();
}
