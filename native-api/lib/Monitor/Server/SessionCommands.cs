// Commands about the connection itself.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Server;

static class SessionCommands
{
    static readonly string[] s_capabilities = ["oob"];

    /// <summary>The QEMU whose answers these are, for scripts that ask; the package says who answers.</summary>
    public static JsonValue VersionValue { get; } =
        JsonValue.Object(
            (
                "qemu",
                JsonValue.Object(("micro", JsonValue.Of(22L)), ("minor", JsonValue.Of(2L)), ("major", JsonValue.Of(7L)))
            ),
            ("package", JsonValue.Of("FastBackup 0.1.0"))
        );

    /// <summary>What a client is sent first.</summary>
    public static JsonValue Greeting { get; } =
        JsonValue.Object(
            ("QMP", JsonValue.Object(("version", VersionValue), ("capabilities", JsonValue.Of(new List<JsonValue>()))))
        );

    /// <summary>Leaves the negotiation; the loop knows from its success.</summary>
    public static CommandAnswer Capabilities(CommandCall call)
    {
        List<string> wanted = call.Arguments.Texts("enable");
        foreach (string one in wanted)
            if (!s_capabilities.Contains(one))
                call.Arguments.Fail($"Parameter 'null' does not accept value '{one}'");
        if (call.Arguments.End() is { } error)
            return error;
        return wanted.Count == 0
            ? CommandAnswer.Done
            : QmpError.Generic($"Capability {string.Join(", ", wanted)} not available");
    }

    public static CommandAnswer Version(CommandCall call) => call.Arguments.End() is { } error ? error : VersionValue;
}
