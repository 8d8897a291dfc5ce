// The objects of top --json.
using System.Text.Json.Nodes;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "jobs".
/// Jobs: What the monitor's x-query-statistics returns, each with bytes-per-second.
/// </remarks>
sealed record TopEvent(string Event, JsonArray Jobs);

/// <remarks>
/// Event: "done".
/// Status: "done" or "interrupted"; the exit code tells a failure.
/// </remarks>
sealed record TopDoneEvent(string Event, string Command, string Status, int ExitCode);
