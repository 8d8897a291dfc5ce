// The decisions of one run, and the next run: depth first through all of them. A run is repeated from its start with
// the same decisions up to the last one that has an alternative left, and takes that.
// Cost: one entry a decision with more than one way; nothing is kept of runs that are over.
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Tests.Schedules.Machine;

sealed class Choices
{
    readonly List<(int Taken, int Count)> _path = [];
    int _depth;

    /// <summary>Which of so many ways to go: 0 the first time, each once in the runs to come.</summary>
    public int Next(int count)
    {
        if (count == 1)
            return 0;
        if (_depth == _path.Count)
            _path.Add((0, count));
        Check.That(_path[_depth].Count == count); // else a run does not repeat itself
        return _path[_depth++].Taken;
    }

    /// <summary>Makes ready for the next run.</summary>
    /// <returns>False when all have been.</returns>
    public bool TryAdvance()
    {
        _depth = 0;
        while (_path.Count > 0)
        {
            (int taken, int count) = _path[^1];
            if (taken + 1 < count)
            {
                _path[^1] = (taken + 1, count);
                return true;
            }
            _path.RemoveAt(_path.Count - 1);
        }
        return false;
    }
}
