// --memory: how much I/O memory a command may take.
using System.CommandLine;
using FastBackup.Base;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class MemoryOption
{
    /// <summary>
    /// For a copy beside no guest, whose writes would be kept: more made no copy faster (8 to 64 MiB alike), and taking
    /// memory was half of the processor time of a 1 GiB copy in a virtual machine.
    /// </summary>
    public const ulong CopyBytes = Engine.BufferBytesUsual / 2;

    /// <param name="usual">What is taken where it is not given, as a part of a sentence.</param>
    public static Option<ulong?> Create(string usual = "64MiB by default") =>
        SizeOption.Create(
            "--memory",
            $"I/O memory, taken at start: two clusters at least; {usual}, less under a memory limit.",
            CheckSize
        );

    /// <summary>What is taken where the option is not given.</summary>
    /// <param name="usualBytes">Where there is enough.</param>
    public static ulong BytesDefault(ulong usualBytes = Engine.BufferBytesUsual) =>
        Engine.BufferBytesDefault(usualBytes);

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
