// The rate of the last few seconds and the time that is left at it. A ring of samples: the rate is what was
// done between the oldest and the newest, so that a stall shows after seconds and one slow moment does not.
using System.Diagnostics;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
/// <param name="firstBytes">Done before the first sample.</param>
sealed class RateMeter(ulong firstBytes = 0)
{
    const int SampleCount = 50;
    const double SampleSeconds = 0.1;

    readonly long _start = Stopwatch.GetTimestamp();
    readonly (double Seconds, ulong Bytes)[] _samples = new (double, ulong)[SampleCount];
    int _next;
    int _count;

    public double Seconds => Stopwatch.GetElapsedTime(_start).TotalSeconds;

    public double BytesPerSecond { get; private set; }

    /// <param name="doneBytes">In total so far.</param>
    public void Add(ulong doneBytes)
    {
        double now = Seconds;
        (double Seconds, ulong Bytes) oldest =
            _count == 0 ? (0, firstBytes)
            : _count < SampleCount ? _samples[0]
            : _samples[_next];
        if (now - oldest.Seconds > 0)
            BytesPerSecond = (doneBytes - oldest.Bytes) / (now - oldest.Seconds);
        int last = (_next + SampleCount - 1) % SampleCount;
        if (_count > 0 && now - _samples[last].Seconds < SampleSeconds)
            return;
        _samples[_next] = (now, doneBytes);
        _next = (_next + 1) % SampleCount;
        if (_count < SampleCount)
            _count++;
    }

    /// <returns>Seconds, or null while nothing moves.</returns>
    public double? SecondsLeft(in WorkProgress progress) =>
        BytesPerSecond > 0 ? (progress.TotalBytes - progress.DoneBytes) / BytesPerSecond : null;
}
