// What this machine and this process's limits offer the engine: each line is measured or read, none assumed.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class MachineExamination
{
    const ulong BufferBytes = Engine.BufferBytesUsual; // the default of --memory

    /// <param name="engine">Open as for a backup with all memory asked for, to see what it complains about.</param>
    public static List<Finding> Examine(Engine engine) =>
        OperatingSystem.IsWindows() ? OfWindows(engine) : OfLinux(engine);

    static List<Finding> OfWindows(Engine engine) =>
        [
            new Finding("kernel", Environment.OSVersion.VersionString),
            new Finding("file calls", engine.Reactor.FileIo.Name),
            ExamineKernels(),
            ExamineCores(),
            ExamineMemory(),
        ];

    static List<Finding> OfLinux(Engine engine) =>
        [
            new Finding("kernel", "Linux " + (KernelFacts.Release ?? "(hidden)")),
            RingExamination.Examine(engine),
            ExamineMemoryLock(engine),
            ExamineHugePages(),
            ExamineKernels(),
            ExamineCores(),
            ExamineMemory(),
            ExamineDigests(),
            ExamineSockets(KernelFacts.SendBufferMax),
        ];

    public static EngineOptions EngineOptions => new() { BufferBytes = Engine.BufferBytesDefault() };

    static Finding ExamineMemoryLock(Engine engine)
    {
        string limit =
            KernelFacts.MemoryLockLimit is { } text && ulong.TryParse(text, out ulong bytes)
                ? ByteSize.Format(bytes)
                : KernelFacts.MemoryLockLimit ?? "(hidden)";
        string needed = ByteSize.Format(BufferBytes);
        if (engine.RingFault.IsFault)
            return new Finding("memory lock", $"limit {limit}; nothing is registered without io_uring");
        bool isRegistered = !engine.Warnings.Any(one => one.StartsWith("I/O memory", StringComparison.Ordinal));
        return isRegistered
            ? new Finding("memory lock", $"limit {limit}; {needed} of I/O memory were registered")
            : new Finding(
                "memory lock",
                $"limit {limit}; {needed} of I/O memory could not be registered",
                $"raise it above {needed} (ulimit -l, LimitMEMLOCK= of systemd), run as root, or give less --memory"
            );
    }

    static Finding ExamineHugePages() =>
        KernelFacts.HugePages switch
        {
            null => new Finding("huge pages", "the setting is hidden"),
            "never" => new Finding(
                "huge pages",
                "off",
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled as root, for fewer faults"
            ),
            string setting => new Finding("huge pages", $"{setting}: the I/O memory asks for them"),
        };

    static Finding ExamineKernels() =>
        BitmapKernels.WidthBits > 64 ? new Finding("SIMD kernels", Phrases.Text($"{BitmapKernels.WidthBits} bits wide"))
        : RuntimeInformation.ProcessArchitecture != Architecture.X64
            ? new Finding("SIMD kernels", "scalar, 64 bits wide: there are no others for this processor")
        : new Finding(
            "SIMD kernels",
            "scalar, 64 bits wide",
            "use a processor with AVX2, in a guest the host's model; DOTNET_Enable* variables may be in the way too"
        );

    static Finding ExamineCores() =>
        Environment.ProcessorCount > 1
            ? new Finding("processors", Phrases.Text($"{Environment.ProcessorCount}"))
            : new Finding("processors", "1", "a second one lets kernel and engine work side by side");

    static Finding ExamineMemory()
    {
        ulong bytes = MachineMemory.AvailableBytes();
        string found = ByteSize.Format(bytes) + " free";
        return bytes >= 4 * BufferBytes
            ? new Finding("memory", found)
            : new Finding("memory", found, "give less with --memory, for example 16MiB");
    }

    /// <summary>Of unix sockets, over which NBD is served.</summary>
    /// <param name="limit">As the kernel writes it; null: it is hidden.</param>
    public static Finding ExamineSockets(string? limit)
    {
        const ulong wantedBytes = SocketStreams.SendBufferBytes;
        if (!ulong.TryParse(limit, out ulong bytes))
            return new Finding("socket buffer", "the limit is hidden");
        string found = "limit " + ByteSize.Format(bytes);
        return bytes >= wantedBytes
            ? new Finding("socket buffer", found)
            : new Finding(
                "socket buffer",
                found,
                Phrases.Text($"sysctl net.core.wmem_max={wantedBytes} as root, for fewer calls between NBD's two ends")
            );
    }

    static Finding ExamineDigests() =>
        OpenSsl.IsThere
            ? new Finding("encryption", "by OpenSSL")
            : new Finding(
                "encryption",
                "OpenSSL is not there: no repositories, trackers and TLS",
                "install it, on Debian the package libssl3"
            );
}
