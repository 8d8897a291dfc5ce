// The small engine of the commands that only look at images.
using System;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class ImageEngine
{
    const ulong MemoryBytes = 256 * Units.KiB;

    /// <summary>Looks by an engine of its own.</summary>
    /// <param name="output">Told of a refusal.</param>
    /// <param name="look">What is wanted; none when it is there.</param>
    /// <returns>Whether it is.</returns>
    public static bool TryLook(Output output, Func<Engine, OpenRefusal> look)
    {
        string? sentence = WorkEngine.TryOpen(MemoryBytes, (uint)MemoryBytes, null, out Engine? engine);
        if (sentence != null)
        {
            output.Error(sentence, new Fault(FaultKind.NoMemory));
            return false;
        }
        OpenRefusal refusal = look(engine!);
        if (engine!.Reactor.Failure == null)
            engine.Dispose();
        if (!refusal.IsNone)
            output.Error(refusal.Sentence, refusal.Fault);
        return refusal.IsNone;
    }

    public static FileOpenOptions Options(string path, FormatRule format, bool isLockIgnored) =>
        new()
        {
            Path = path,
            IsReadOnly = true,
            IsLockIgnored = isLockIgnored,
            Format = format,
        };
}
