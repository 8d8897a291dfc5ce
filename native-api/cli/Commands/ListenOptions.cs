// --socket, --listen and --max-connections of commands that serve NBD clients.
using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;

namespace FastBackup.Cli;

static class ListenOptions
{
    const int ConnectionsDefault = 64;
    const int ConnectionsMost = 1024;

    public static Option<string?> CreateSocket()
    {
        Option<string?> socket = new("--socket")
        {
            Description = "Listen on a unix socket that is made here, for this user only.",
            HelpName = "PATH",
        };
        socket.Validators.Add(CheckSocket);
        return socket;
    }

    public static Option<IPEndPoint?> CreateAddress() =>
        new("--listen")
        {
            Description = "Listen on an address; one that other machines reach needs --tls-certificates.",
            HelpName = "HOST:PORT",
            CustomParser = ParseAddress,
        };

    public static Option<int> CreateConnections() =>
        new("--max-connections")
        {
            Description = $"Clients at once, 1..{ConnectionsMost}; {ConnectionsDefault} if not given.",
            HelpName = "N",
            DefaultValueFactory = _ => ConnectionsDefault,
            CustomParser = ParseConnections,
        };

    /// <summary>Where clients come in is said once: by an option, or by who passes a socket.</summary>
    public static void CheckPlace(CommandResult result, Option<string?> socket, Option<IPEndPoint?> listen)
    {
        int count = (result.GetResult(socket) == null ? 0 : 1) + (result.GetResult(listen) == null ? 0 : 1);
        if (PassedSocket.TryFind(out PassedSocket? passed) is { } wrong)
            result.AddError(wrong);
        else if (passed != null && count > 0)
            result.AddError("the service manager has passed a socket: leave out --socket and --listen");
        else if (passed == null && count != 1)
            result.AddError("give one of --socket PATH and --listen HOST:PORT");
    }

    static int ParseConnections(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count))
            count = 0;
        if (count is < 1 or > ConnectionsMost)
            result.AddError($"--max-connections '{text}' is not a number from 1 to {ConnectionsMost}");
        return count;
    }

    public static void CheckSocket(OptionResult result)
    {
        if (result.Tokens.Count == 1 && PathName.Check(result.Tokens[0].Value) is { } wrong)
            result.AddError($"{result.Option.Name} {wrong}");
    }

    static IPEndPoint? ParseAddress(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        string address = text.StartsWith("localhost:", StringComparison.Ordinal) ? "127.0.0.1" + text[9..] : text;
        bool hasPort = address.LastIndexOf(':') > address.LastIndexOf(']') && address.LastIndexOf(':') > 0;
        if (!hasPort || !IPEndPoint.TryParse(address, out IPEndPoint? found) || found.Port == 0)
        {
            result.AddError($"--listen '{text}' is no address with a port, such as 127.0.0.1:10809 or [::1]:10809");
            return null;
        }
        return found;
    }
}
