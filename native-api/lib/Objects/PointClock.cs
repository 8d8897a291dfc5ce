// When a checkpoint was made, for people who list them.
using System;

namespace FastBackup.Native.Objects;

static class PointClock
{
    /// <summary>Ns since 1970. Threads: any.</summary>
    public static ulong NowNs() => (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
