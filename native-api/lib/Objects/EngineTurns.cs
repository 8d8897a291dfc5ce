// Waiting for something that turns of the engine bring about. An engine that its host drives goes on by this call: the
// only thread that could is in it.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any that may wait, but not the engine's.</summary>
static class EngineTurns
{
    /// <param name="engine">Of the subject.</param>
    /// <param name="subject">Stays open.</param>
    /// <param name="isSo">Asked in turns of the engine.</param>
    /// <param name="limitMs">How long at most.</param>
    /// <returns>It is so; false: not in time, or the engine has stopped.</returns>
    public static bool WaitUntil(EngineObject engine, AbiObject subject, Func<bool> isSo, int limitMs)
    {
        long start = Stopwatch.GetTimestamp();
        bool isTrue = false;
        while (Stopwatch.GetElapsedTime(start).TotalMilliseconds < limitMs)
        {
            Answer answer = engine.RunUnlessStopped(
                subject,
                () =>
                {
                    isTrue = isSo();
                    return Answer.Ok;
                }
            );
            if (isTrue || !answer.IsOk)
                return isTrue;
            engine.Loop?.Drive();
            Thread.Sleep(1);
        }
        return false;
    }
}
