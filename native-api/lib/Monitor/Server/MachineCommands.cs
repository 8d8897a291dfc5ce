// What clients of QEMU ask about the machine before anything else, so that they do not give up here: one that runs and
// has no name.
// Source: QEMU 7.2 qapi/run-state.json, qapi/misc.json.
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

    public static CommandAnswer Status(CommandCall call) => Fixed(call, s_running);

    public static CommandAnswer Name(CommandCall call) => Fixed(call, JsonValue.Empty);

    public static CommandAnswer Schema(CommandCall call) => Fixed(call, SchemaList.Value);

    static CommandAnswer Fixed(CommandCall call, JsonValue value) => call.Arguments.End() is { } error ? error : value;
}
