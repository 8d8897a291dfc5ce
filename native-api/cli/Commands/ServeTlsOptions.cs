// --tls, --tls-certificates and --tls-client of serve. An address that other machines reach requires TLS unless
// somebody says otherwise.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Linq;
using System.Net;

namespace FastBackup.Cli;

sealed class ServeTlsOptions
{
    readonly Option<IPEndPoint?> _listen;

    readonly Option<TlsRule?> _rule = new("--tls")
    {
        Description =
            "require: nobody is served without, the default for an address that other machines reach. "
            + "allow: a client chooses. off: everything in the clear.",
        HelpName = "require|allow|off",
        CustomParser = ParseRule,
    };

    readonly Option<string?> _folder = new("--tls-certificates")
    {
        Description = "Folder of ca-cert.pem, server-cert.pem and server-key.pem; this CA must sign clients, too.",
        HelpName = "DIR",
    };

    readonly Option<string[]> _clients = new("--tls-client")
    {
        Description =
            "The client with this common name in its certificate may have these exports, and no client any other; "
            + "may be given several times.",
        HelpName = "NAME=EXPORT,...",
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>Gives them to a command.</summary>
    /// <param name="command">Whose.</param>
    /// <param name="listen">The address.</param>
    public ServeTlsOptions(Command command, Option<IPEndPoint?> listen)
    {
        _listen = listen;
        _clients.Validators.Add(CheckClients);
        command.Add(_rule);
        command.Add(_folder);
        command.Add(_clients);
        command.Validators.Add(Check);
    }

    public ServeTls Of(ParseResult parsed) =>
        new(
            RuleOf(parsed.GetValue(_listen) ?? PassedAddress, parsed.GetValue(_rule)),
            parsed.GetValue(_folder),
            ClientsOf(parsed.GetValue(_clients))
        );

    static IPEndPoint? PassedAddress => PassedSocket.Find()?.Address;

    static TlsRule RuleOf(IPEndPoint? address, TlsRule? given) =>
        given ?? (address == null || IPAddress.IsLoopback(address.Address) ? TlsRule.Off : TlsRule.Require);

    void Check(CommandResult result)
    {
        IPEndPoint? address = result.ValueIfReadable(_listen) ?? PassedAddress;
        TlsRule? given = result.ValueIfReadable(_rule);
        bool hasFolder = !string.IsNullOrEmpty(result.GetValue(_folder));
        TlsRule rule = RuleOf(address, given);
        if (address == null && rule != TlsRule.Off)
            result.AddError("--tls is for --listen: a unix socket is this user's only");
        else if (rule != TlsRule.Off && !hasFolder)
            result.AddError(
                given == null
                    ? $"--listen '{address}' can be reached from other machines, which needs TLS: "
                        + "give --tls-certificates DIR, or --tls off where the network is trusted"
                    : "--tls needs --tls-certificates DIR"
            );
        else if (rule == TlsRule.Off && (hasFolder || result.GetResult(_clients) is { Implicit: false }))
            result.AddError("certificates and clients are of no use without TLS: give --tls require");
    }

    static void CheckClients(OptionResult result)
    {
        foreach (Token token in result.Tokens)
            if (Split(token.Value).Exports.Length == 0)
                result.AddError($"--tls-client '{token.Value}' is not NAME=EXPORT; give for example vm7=disk");
    }

    static ILookup<string, string>? ClientsOf(string[]? given) =>
        given is not { Length: > 0 }
            ? null
            : given
                .Select(Split)
                .SelectMany(one => one.Exports, (one, export) => new KeyValuePair<string, string>(one.Name, export))
                .ToLookup(one => one.Key, one => one.Value);

    /// <summary>A name may have a '=', an export none.</summary>
    static (string Name, string[] Exports) Split(string given)
    {
        int mark = given.LastIndexOf('=');
        return mark <= 0
            ? (given, [])
            : (given[..mark], given[(mark + 1)..].Split(',', StringSplitOptions.RemoveEmptyEntries));
    }

    static TlsRule? ParseRule(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        TlsRule? rule = text switch
        {
            "require" => TlsRule.Require,
            "allow" => TlsRule.Allow,
            "off" => TlsRule.Off,
            _ => null,
        };
        if (rule == null)
            result.AddError($"--tls '{text}' is not known; it is 'require', 'allow' or 'off'");
        return rule;
    }
}
