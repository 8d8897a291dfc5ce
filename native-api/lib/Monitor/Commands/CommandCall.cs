// One command of one client.
using System;

namespace FastBackup.Native.Monitor.Commands;

/// <summary>Threads: the monitor's; Finish any.</summary>
/// <param name="arguments">What it was told.</param>
/// <param name="inbox">Of the monitor's thread.</param>
/// <param name="answer">Sends the answer and lets the client go on, which may be gone by then.</param>
sealed class CommandCall(ArgumentReader arguments, MonitorInbox inbox, Action<CommandAnswer> answer)
{
    public ArgumentReader Arguments => arguments;

    public void Answer(CommandAnswer given) => answer(given);

    /// <summary>As Answer, from any thread, behind the events that were posted before.</summary>
    public void Finish(CommandAnswer given) => inbox.Post(() => answer(given));
}

/// <summary>Carries a command out.</summary>
delegate CommandAnswer CommandHandler(CommandCall call);
