// A file or an image that is being made: a job as QEMU has it, which is not a backup. It can be dismissed when it is
// over, and takes no other verb.
// Source: QEMU 7.2 block/create.c, job.c.
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Jobs;

/// <summary>Threads: the monitor's.</summary>
/// <param name="id">Unique among jobs.</param>
/// <param name="inbox">For its events.</param>
sealed class CreationJob(string id, MonitorInbox inbox)
{
    string? _error;

    public string Id => id;

    /// <summary>As QMP writes it.</summary>
    public string Status { get; private set; } = "undefined";

    public bool IsOver => Status == "concluded";

    public void Begin()
    {
        Go("created");
        Go("running");
    }

    /// <param name="error">A sentence; null: it went well.</param>
    public void End(string? error)
    {
        _error = error;
        if (error != null)
            Go("aborting");
        else
        {
            Go("waiting");
            Go("pending");
        }
        Go("concluded");
    }

    public void Dismiss() => Go("null");

    /// <summary>JobInfo.</summary>
    public JsonValue ToJson() =>
        JsonValue.Object(
            ("id", JsonValue.Of(id)),
            ("type", JsonValue.Of("create")),
            ("status", JsonValue.Of(Status)),
            ("current-progress", JsonValue.Of(IsOver && _error == null ? 1L : 0)),
            ("total-progress", JsonValue.Of(1L)),
            ("error", _error == null ? null : JsonValue.Of(_error))
        );

    void Go(string status)
    {
        Status = status;
        inbox.PostEvent(
            QmpEvent.Of(
                "JOB_STATUS_CHANGE",
                JsonValue.Object(("status", JsonValue.Of(status)), ("id", JsonValue.Of(id)))
            )
        );
    }
}
