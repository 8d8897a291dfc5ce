// --memory: how much I/O memory a command may take.
using System.CommandLine;
using FastBackup.Base;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class MemoryOption
{
    public static Option<ulong?> Create() =>
        SizeOption.Create(
            "--memory",
            "I/O memory, taken at start: two clusters at least; 64MiB by default, less under a memory limit.",
            CheckSize
        );

    /// <summary>What is taken where the option is not given.</summary>
    public static ulong BytesDefault() => Engine.BufferBytesDefault();

    /// <returns>Null, or the rule that both options together break and the first half of the advice.</returns>
    public static string? Check(ulong memoryBytes, uint clusterBytes) =>
        memoryBytes >= 2UL * clusterBytes
            ? null
            : $"--memory of {ByteSize.Format(memoryBytes)} is below two clusters of {
                ByteSize.Format(clusterBytes)}; give more memory";

    /// <returns>Null, or what is wrong with it, as the end of a sentence.</returns>
    public static string? CheckSize(ulong bytes)
    {
        ulong availableBytes = MachineMemory.AvailableBytes();
        return bytes == 0 ? "is zero; give at least two clusters, for example 64MiB"
            : bytes > availableBytes
                ? $"is more than the {ByteSize.Format(availableBytes)} of memory free here; give less"
            : null;
    }
}
