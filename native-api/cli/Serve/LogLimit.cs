// How many lines a log may get of what strangers do: a few at once, then one a second, with the number of those that
// were left out.
using System.Diagnostics;

namespace FastBackup.Cli;

/// <summary>Threads: one at a time.</summary>
sealed class LogLimit
{
    const int AtOnceMax = 20;

    int _left = AtOnceMax;
    int _leftOut;
    long _last = Stopwatch.GetTimestamp();

    /// <param name="leftOut">Since the last line.</param>
    /// <returns>False: this one is left out.</returns>
    public bool TryCount(out int leftOut)
    {
        long now = Stopwatch.GetTimestamp();
        double seconds = Stopwatch.GetElapsedTime(_last, now).TotalSeconds;
        if (seconds >= 1)
            (_left, _last) = (seconds >= AtOnceMax ? AtOnceMax : System.Math.Min(AtOnceMax, _left + (int)seconds), now);
        leftOut = _leftOut;
        if (_left == 0)
        {
            _leftOut++;
            return false;
        }
        _left--;
        _leftOut = 0;
        return true;
    }
}
