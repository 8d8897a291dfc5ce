// What clients of QEMU ask about the machine before anything else, so that they do not give up here: one that runs, has
// no name and exports nothing by itself.
// Source: QEMU 7.2 qapi/run-state.json, qapi/misc.json, qapi/block-export.json.
using System.Collections.Generic;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Monitor.Schema;

namespace FastBackup.Native.Monitor.Server;

static class MachineCommands
{
    static readonly JsonValue s_running = JsonValue.Object(
        ("status", JsonValue.Of("running")),
        ("singlestep", JsonValue.Of(false)),
        ("running", JsonValue.Of(true))
    );

    static readonly JsonValue s_none = JsonValue.Of(new List<JsonValue>());

    public static CommandAnswer Status(CommandCall call) => Fixed(call, s_running);

    public static CommandAnswer Name(CommandCall call) => Fixed(call, JsonValue.Empty);

    /// <summary>What serves the host's disks is the host's own; the monitor exports nothing.</summary>
    public static CommandAnswer Exports(CommandCall call) => Fixed(call, s_none);

    public static CommandAnswer Schema(CommandCall call) => Fixed(call, SchemaList.Value);

    static CommandAnswer Fixed(CommandCall call, JsonValue value) => call.Arguments.End() is { } error ? error : value;
}
