// In place of the engine that opens a port and its memory: the reactor alone, small, over a port where nothing happens.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Runtime;

public sealed record EngineOptions
{
    public ulong BufferBytes { get; init; }
    public ulong? BufferBytesUsual { get; init; }
    public uint ChunkBytes { get; init; }
    public bool MayUseRing { get; init; }
    public uint Depth { get; init; }
    public bool IsHostDriven { get; init; }
}

public sealed class Engine : IDisposable
{
    public const ulong BufferBytesUsual = 64 * Units.MiB;

    public static ulong BufferBytesDefault(ulong usualBytes = BufferBytesUsual) => usualBytes;

    /// <summary>Host-driven.</summary>
    /// <param name="port">In place of the ring.</param>
    /// <param name="readyFd">The port's; -1 when nothing ever happens there.</param>
    public Engine(IFileIo port, int readyFd = -1)
    {
        ReadyFd = readyFd;
        Reactor = new Reactor(port, MonotonicClock.Instance, new ReactorLimits(4, 4, 4));
        Reactor.BeDriven();
    }

    public Reactor Reactor { get; }

    public BufferPool Pool { get; } = null!; // nobody asks for it

    public int ReadyFd { get; }

    public IReadOnlyList<string> Warnings { get; } = [];

    public static Fault TryOpen(EngineOptions options, out Engine? engine)
    {
        engine = null;
        return new Fault(options.IsHostDriven ? FaultKind.Unsupported : FaultKind.NoMemory);
    }

    public void Dispose() => Reactor.Dispose();
}
