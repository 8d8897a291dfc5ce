// The threads of one open file that a port has started for it, as whoever holds the file sees them.
using System;

namespace FastBackup.Ports;

/// <summary>Threads: TryPush the loop's; others any.</summary>
public interface IFileWorkers
{
    /// <summary>Calls at once.</summary>
    int Count { get; }

    /// <summary>Every command of the file goes to them, because it may block where it is submitted.</summary>
    bool TakesAll { get; }

    /// <returns>False when there is no room: push again when something has ended.</returns>
    bool TryPush(in FileCommand command);

    /// <summary>
    /// Ends the threads, each after its present call; commands that nobody has begun are dropped. Once. Waits for
    /// nothing.
    /// </summary>
    /// <param name="onClosed">Run by the last thread: closes the file.</param>
    void Close(Action? onClosed);

    /// <summary>Waits until the file is closed, for a while.</summary>
    /// <returns>False when a call, or the close itself, still hangs.</returns>
    bool WaitClosed(int timeoutMs);
}
