// Time is injected, so that the simulator can run the engine on a clock of its own.
using System.Diagnostics;

namespace FastBackup.Base;

/// <summary>A clock that never goes backwards. Threads: any.</summary>
public interface IClock
{
    /// <summary>Nanoseconds since an arbitrary start.</summary>
    ulong NowNs { get; }
}

#pragma warning disable RS0030 // the one place that reads the machine's clock; all others are handed an IClock
/// <summary>The machine's monotonic clock.</summary>
public sealed class MonotonicClock : IClock
{
    static readonly double NsPerTick = 1e9 / Stopwatch.Frequency;

    public static MonotonicClock Instance { get; } = new();

    public ulong NowNs =>
        Stopwatch.Frequency == 1_000_000_000
            ? (ulong)Stopwatch.GetTimestamp()
            : (ulong)(Stopwatch.GetTimestamp() * NsPerTick);
}
#pragma warning restore RS0030
