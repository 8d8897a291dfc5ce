// One command of one client.
using FastBackup.Native.Engines;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor;

/// <summary>Threads: the monitor's; Finish any.</summary>
sealed class CommandCall(MonitorObject monitor, MonitorClient client, JsonValue? id, ArgumentReader arguments)
{
    public MonitorObject Monitor => monitor;

    public EngineObject Engine => monitor.Engine!;

    public ArgumentReader Arguments => arguments;

    /// <summary>The client goes on to its next command; it may be gone by then.</summary>
    public void Answer(CommandAnswer answer)
    {
        client.IsBusy = false;
        client.Send(ToJson(answer, id));
    }

    /// <summary>As Answer, from any thread, behind the events that were posted before.</summary>
    public void Finish(CommandAnswer answer) => monitor.Inbox.Post(() => Answer(answer));

    public static JsonValue ToJson(CommandAnswer answer, JsonValue? id) =>
        answer.Error == null
            ? JsonValue.Object(("return", answer.Value), ("id", id))
            : JsonValue.Object(("id", id), ("error", answer.Error.ToJson()));
}

/// <summary>Carries a command out.</summary>
delegate CommandAnswer CommandHandler(CommandCall call);
