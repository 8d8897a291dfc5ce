// The engine as the commands use it: opened with the memory they were given, its warnings passed on once, and the
// one loop in which a command waits for its work while it shows progress and listens for signals.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class WorkEngine
{
    // A reactor that stopped by a bug tells nobody: look now and then.
    const int LookMs = 500;

    /// <param name="memoryBytes">At least two clusters.</param>
    /// <param name="clusterBytes">A power of two.</param>
    /// <returns>1 MiB, or less where the memory would not give eight buffers; never below one cluster.</returns>
    public static uint ChunkBytes(ulong memoryBytes, uint clusterBytes)
    {
        ulong chunkBytes = Units.MiB;
        while (chunkBytes > 4 * Units.KiB && memoryBytes / chunkBytes < 8)
            chunkBytes /= 2;
        return (uint)Math.Max(chunkBytes, clusterBytes);
    }

    /// <param name="memoryBytes">At least a chunk.</param>
    /// <param name="chunkBytes">As <see cref="ChunkBytes"/>.</param>
    /// <param name="usualBytes">Where nobody asked for an amount: what is taken where there is enough.</param>
    /// <param name="engine">The engine, or null.</param>
    /// <returns>Null, or the sentence that says why there is no engine.</returns>
    public static string? TryOpen(ulong memoryBytes, uint chunkBytes, ulong? usualBytes, out Engine? engine)
    {
        EngineOptions options = new()
        {
            BufferBytes = memoryBytes,
            ChunkBytes = chunkBytes,
            BufferBytesUsual = usualBytes,
        };
        Fault fault = Engine.TryOpen(options, out engine);
        if (fault.IsFault)
            return $"cannot take {ByteSize.Format(memoryBytes)} of memory: {fault}; give less with --memory";
        return null;
    }

    /// <summary>Passes the engine's warnings on: once the work begins, since a refusal needs none.</summary>
    public static void Warn(Engine engine, Output output)
    {
        foreach (string warning in engine.Warnings)
            output.Warning(warning);
    }

    /// <summary>Waits until the work has ended; asks it to cancel when a signal comes.</summary>
    /// <param name="engine">Runs the work.</param>
    /// <param name="ended">Set by the work on the reactor's thread.</param>
    /// <param name="interruption">Signals.</param>
    /// <param name="cancel">Run once on the reactor's thread.</param>
    /// <param name="intervalMs">How often to show; Timeout.Infinite = never.</param>
    /// <param name="show">Shows a picture.</param>
    /// <param name="tick">Called twice a second at least; null: nothing is.</param>
    public static void Wait(
        Engine engine,
        WaitHandle ended,
        Interruption interruption,
        Action cancel,
        int intervalMs,
        Action show,
        Action? tick = null
    )
    {
        WaitHandle[] both = [ended, interruption.Event];
        bool isCanceled = false;
        long lastShown = Stopwatch.GetTimestamp();
        while (engine.Reactor.Failure == null)
        {
            int waitMs = LookMs;
            if (intervalMs != Timeout.Infinite)
                waitMs = Math.Clamp(intervalMs - (int)Stopwatch.GetElapsedTime(lastShown).TotalMilliseconds, 1, LookMs);
            int index = isCanceled && !ended.WaitOne(waitMs) ? WaitHandle.WaitTimeout : 0;
            if (!isCanceled)
                index = WaitHandle.WaitAny(both, waitMs);
            if (index == 0)
                return;
            if (index == 1)
            {
                isCanceled = true;
                engine.Reactor.Invoke(cancel);
            }
            if (!isCanceled)
                tick?.Invoke();
            if (intervalMs == Timeout.Infinite || Stopwatch.GetElapsedTime(lastShown).TotalMilliseconds < intervalMs)
                continue;
            lastShown = Stopwatch.GetTimestamp();
            show();
        }
    }
}
