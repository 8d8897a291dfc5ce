// --reconnect SECONDS: how long a server may be gone in the middle of the work.
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

static class ReconnectOption
{
    const uint SecondsMax = 86_400;

    public static Option<uint?> Create() =>
        new("--reconnect")
        {
            Description =
                "So long a server may be gone, and is asked again for what it has not answered; 0: not at all. "
                + $"{RemoteOpenOptions.ReconnectNsDefault / Units.NsPerSecond} if not given.",
            HelpName = "SECONDS",
            CustomParser = Parse,
        };

    public static RemoteOpenOptions Options(uint? seconds) =>
        seconds is { } given ? new RemoteOpenOptions { ReconnectNs = given * Units.NsPerSecond } : new();

    static uint? Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint seconds))
            if (seconds <= SecondsMax)
                return seconds;
        result.AddError($"--reconnect '{text}' is not a number of seconds, 0..{SecondsMax}; give for example 60");
        return null;
    }
}
