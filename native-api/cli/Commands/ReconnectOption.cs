// --reconnect SECONDS: how long a server may be gone in the middle of the work.
using System.CommandLine;
using FastBackup.Base;
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

static class ReconnectOption
{
    const uint SecondsMax = 86_400;

    public static Option<uint?> Create() =>
        NumberOption.Create(
            "--reconnect",
            "SECONDS",
            "So long a server may be gone, and is asked again for what it has not answered; 0: not at all. "
                + $"{RemoteOpenOptions.ReconnectNsDefault / Units.NsPerSecond} if not given.",
            SecondsMax,
            $"a number of seconds, 0..{SecondsMax}; give for example 60"
        );

    public static RemoteOpenOptions Options(uint? seconds) =>
        seconds is { } given ? new RemoteOpenOptions { ReconnectNs = given * Units.NsPerSecond } : new();
}
