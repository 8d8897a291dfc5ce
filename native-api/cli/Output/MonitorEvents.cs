// The objects of top --json and ctl --json.
using System.Text.Json.Nodes;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "jobs".
/// Jobs: What the monitor's x-query-statistics returns, each with bytes-per-second.
/// </remarks>
sealed record TopEvent(string Event, JsonArray Jobs);

/// <remarks>
/// Event: "done".
/// Status: "done", "failed" or "interrupted".
/// </remarks>
sealed record TopDoneEvent(string Event, string Command, string Status, int ExitCode);

/// <remarks>
/// Event: "return".
/// Return: What the monitor's command returned; absent when that is null.
/// </remarks>
sealed record CtlReturnEvent(string Event, JsonNode? Return);

/// <remarks>
/// Event: "job", when the job of --wait has ended well.
/// Status: "done", or "cancelled" after a command that cancels it.
/// </remarks>
sealed record CtlJobEvent(string Event, string Job, string Status, ulong Bytes);

/// <remarks>
/// Event: "event".
/// Data: One event of the monitor, as it came.
/// </remarks>
sealed record CtlMonitorEvent(string Event, JsonNode Data);

/// <remarks>
/// Event: "done", whatever the status.
/// Status: "done", "failed" or "interrupted".
/// </remarks>
sealed record CtlDoneEvent(string Event, string Command, string Status, int ExitCode);
