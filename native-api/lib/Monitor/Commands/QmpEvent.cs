// What clients are told without having asked: a name, a time of day and some content.
using System;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Commands;

static class QmpEvent
{
    /// <summary>As it is sent; the time is now.</summary>
    public static JsonValue Of(string name, JsonValue content)
    {
        long ticks = DateTime.UtcNow.Ticks - DateTime.UnixEpoch.Ticks;
        return JsonValue.Object(
            (
                "timestamp",
                JsonValue.Object(
                    ("seconds", JsonValue.Of(ticks / TimeSpan.TicksPerSecond)),
                    ("microseconds", JsonValue.Of(ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond))
                )
            ),
            ("event", JsonValue.Of(name)),
            ("data", content)
        );
    }
}
