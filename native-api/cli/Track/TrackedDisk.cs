// A disk with an engine of its own, for the commands that are about its tracker: only looked at, or to grow.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class TrackedDisk : IDisposable
{
    const ulong MemoryBytes = Units.MiB;

    TrackedDisk(Engine engine, FileDevice device) => (Engine, Device) = (engine, device);

    public Engine Engine { get; }

    public FileDevice Device { get; }

    public static OpenRefusal TryOpen(
        string path,
        bool isLockIgnored,
        FormatRule format,
        out TrackedDisk? disk,
        bool isReadOnly = true
    )
    {
        disk = null;
        string? sentence = WorkEngine.TryOpen(MemoryBytes, (uint)(64 * Units.KiB), null, out Engine? engine);
        if (sentence != null)
            return new OpenRefusal(new Fault(FaultKind.NoMemory), sentence);
        OpenRefusal refusal = SourceDisk.TryOpen(
            engine!.Reactor,
            path,
            "disk",
            isLockIgnored,
            format,
            out IBlockDevice? device,
            isReadOnly
        );
        if (refusal.IsNone && device is FileDevice file)
        {
            disk = new TrackedDisk(engine, file);
            return default;
        }
        if (device != null)
            engine.Reactor.Invoke(device.Dispose);
        engine.Dispose();
        return refusal.IsNone
            ? new OpenRefusal(
                new Fault(FaultKind.Invalid),
                $"disk '{path}' is a server's or an image: only raw files and block devices have trackers"
            )
            : refusal;
    }

    public void Dispose()
    {
        Engine.Reactor.Invoke(Device.Dispose);
        Engine.Dispose();
    }
}
