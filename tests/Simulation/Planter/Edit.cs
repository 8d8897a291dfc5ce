// A change whose place in the sources is known.
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Tests.Planter;

/// <param name="Change">Whose.</param>
/// <param name="Path">Below the engine's folder.</param>
/// <param name="LineIndex">The first line that is replaced, or before which lines are put.</param>
/// <param name="LineCount">Lines that are replaced; 0: none.</param>
/// <param name="Lines">What is there instead.</param>
sealed record Edit(Change Change, string Path, int LineIndex, int LineCount, string[] Lines)
{
    int EndIndex => LineIndex + LineCount;

    bool Overlaps(Edit other) => LineIndex < other.EndIndex && other.LineIndex < EndIndex;

    /// <summary>All of one file, whatever the order in which they come.</summary>
    /// <param name="lines">The file.</param>
    /// <param name="edits">Of the file.</param>
    /// <returns>The file with them.</returns>
    public static string[] Apply(string[] lines, IEnumerable<Edit> edits)
    {
        List<string> changed = [.. lines];
        Edit? below = null;
        foreach (Edit edit in edits.OrderBy(edit => edit.LineIndex).ThenBy(edit => edit.LineCount).Reverse())
        {
            if (below != null && edit.Overlaps(below))
                throw below.Change.Bug.Error(
                    below.Change.LineNumber,
                    $"it changes line {below.LineIndex + 1} of {edit.Path}, as bug {edit.Change.Bug.Name} does"
                );
            changed.RemoveRange(edit.LineIndex, edit.LineCount);
            changed.InsertRange(edit.LineIndex, edit.Lines);
            below = edit;
        }
        return [.. changed];
    }
}
