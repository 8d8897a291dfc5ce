// The objects of serve --json.
using System.Collections.Generic;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "start", once clients can come.
/// Monitor: The control socket, with one.
/// </remarks>
sealed record ServeStartEvent(
    string Event,
    string Command,
    IReadOnlyList<ServeDisk> Disks,
    string? Monitor,
    string Engine
);

/// <remarks>
/// Export: The name that clients give.
/// Uri: For clients on this machine.
/// </remarks>
sealed record ServeDisk(string Source, string Export, string Uri, ulong TotalBytes, bool ReadOnly);

/// <remarks>
/// Event: "done", whatever the status.
/// Status: "done", also after a signal, which is how a server ends; "refused" or "failed".
/// </remarks>
sealed record ServeDoneEvent(string Event, string Command, string Status, int ExitCode, double Seconds);
