// The objects of run --json.
using System.Collections.Generic;

namespace FastBackup.Cli;

/// <remarks>
/// Name: "before", "freeze", "snapshot", "thaw" or "after".
/// Error: A sentence; null: it ended well.
/// </remarks>
sealed record HookEntry(string Name, string? Error, double Seconds);

/// <remarks>
/// Event: "done", whatever the status.
/// Status: "done", "refused", "failed" or "interrupted".
/// Error: A word of the repository's, or "hook", "disk", "config", "overlap".
/// Point: That was made.
/// Disks: Each of the configuration, with its own status.
/// Hooks: Those that were run.
/// FrozenSeconds: How long guests can have been frozen at most.
/// Forgotten: Points that the rules did not keep; null: none was asked for, or it could not be.
/// </remarks>
sealed record RunDoneEvent(string Event, string Command, string Config)
{
    public string Status { get; init; } = "";

    public int ExitCode { get; init; }

    public string? Error { get; init; }

    public string? Repository { get; init; }

    public string? Host { get; init; }

    public string? Point { get; init; }

    public IReadOnlyList<DiskDoneEntry>? Disks { get; init; }

    public IReadOnlyList<HookEntry>? Hooks { get; init; }

    public double? FrozenSeconds { get; init; }

    public int? Forgotten { get; init; }

    public ulong? StoredBytes { get; init; }

    public IReadOnlyList<string>? Problems { get; init; }

    public double Seconds { get; init; }
}
