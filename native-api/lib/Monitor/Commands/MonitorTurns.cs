// The engine as a monitor's commands use it: a turn at a time, for as long as the monitor is open.
using System;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Commands;

/// <summary>Threads: any, which wait; the work is done on the reactor's.</summary>
/// <param name="engine">Its engine.</param>
/// <param name="monitor">Must still be open when a turn comes.</param>
sealed class MonitorTurns(EngineObject engine, AbiObject monitor)
{
    public EngineObject Engine => engine;

    /// <summary>The handle of the monitor.</summary>
    public ulong MonitorId => monitor.Id;

    public Answer Run(Func<Answer> work) => engine.Run(monitor, work);

    /// <summary>For what cannot begin once a bug has stopped the engine.</summary>
    public Answer RunUnlessStopped(Func<Answer> work) => engine.RunUnlessStopped(monitor, work);

    /// <summary>Part of a command that needs the engine.</summary>
    public CommandAnswer OnReactor(Func<CommandAnswer> work, bool mayBeStopped = false)
    {
        CommandAnswer result = default;
        Answer Turn()
        {
            result = work();
            return Answer.Ok;
        }
        Answer answer = mayBeStopped ? Run(Turn) : RunUnlessStopped(Turn);
        return answer.IsOk ? result : QmpError.Of(answer);
    }
}
