// What every use of the library opens first: one reactor with its port, and all I/O memory, pre-faulted
// and registered with the port. Takes io_uring where the kernel grants it, else worker threads, and says so
// in one warning. After Open nothing here allocates.
using System;
using System.Collections.Generic;
using System.Numerics;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Runtime;

public sealed record EngineOptions
{
    /// <summary>All I/O memory, taken at open: at least one chunk.</summary>
    public ulong BufferBytes { get; init; } = Engine.BufferBytesUsual;

    /// <summary>
    /// Where nobody asked for an amount: what is taken where there is enough. Less is a warning then, and that an
    /// ordinary user may not lock it is none.
    /// </summary>
    public ulong? BufferBytesUsual { get; init; }

    /// <summary>Size of one buffer, a power of two, 4 KiB..1 GiB: the longest single copy.</summary>
    public uint ChunkBytes { get; init; } = (uint)Units.MiB;

    /// <summary>False uses worker threads even where io_uring works.</summary>
    public bool MayUseRing { get; init; } = true;

    /// <summary>Commands in flight at once, over all devices.</summary>
    public uint Depth { get; init; } = 4096;

    /// <summary>Called once, on the reactor's thread, if a bug stops it.</summary>
    public Action<Exception>? OnStopped { get; init; }

    /// <summary>
    /// No thread but those of files: the host drives the reactor (Reactor.SetWaiter, TryDrive) and watches
    /// Engine.ReadyFd. Needs io_uring.
    /// </summary>
    public bool IsHostDriven { get; init; }

    /// <summary>Blocking calls at once on one file without io_uring, 1..64.</summary>
    public int WorkersPerFile { get; init; } = 16;
}

/// <summary>
/// Threads: Open and Dispose on one; the reactor drives itself on a thread called fb-reactor-0, or has none.
/// </summary>
public sealed class Engine : IDisposable
{
    /// <summary>I/O memory where there is enough.</summary>
    public const ulong BufferBytesUsual = 64 * Units.MiB;

    const uint UnitBytesMin = (uint)(64 * Units.KiB); // what one captured cluster takes
    const uint UnitCountMax = 1 << 20; // of a pool

    readonly IFileIo _fileIo;
    readonly List<string> _warnings = [];
    bool _isDisposed;

    Engine(IFileIo fileIo, BufferPool pool)
    {
        _fileIo = fileIo;
        Pool = pool;
        Reactor = new Reactor(fileIo, MonotonicClock.Instance, ReactorLimits.Default)
        {
            StreamFactory = SystemPort.Current.TryCreateStreams,
        };
    }

    public Reactor Reactor { get; }

    public BufferPool Pool { get; }

    /// <summary>Readable while the port has completions; -1 without io_uring.</summary>
    public int ReadyFd { get; private init; }

    /// <summary>Why something is slower than it could be, one sentence each.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Why there is no io_uring, or none.</summary>
    public Fault RingFault { get; private init; }

    /// <summary>How much I/O memory to take where nobody says: the usual, or what leaves as much as it takes.</summary>
    /// <param name="usualBytes">A power of two, 1 MiB at least.</param>
    /// <returns>A power of two, 1 MiB at least.</returns>
    public static ulong BufferBytesDefault(ulong usualBytes = BufferBytesUsual) =>
        Math.Max(Units.MiB, MemoryRoom.Fit(usualBytes, MemoryRoom.AvailableBytes()));

    /// <summary>In what pieces the I/O memory is lent: small ones, but not more of them than a pool can have.</summary>
    /// <param name="bufferBytes">All I/O memory: at most 2^20 chunks.</param>
    /// <param name="chunkBytes">A power of two, and the most that comes back.</param>
    public static uint UnitBytes(ulong bufferBytes, uint chunkBytes)
    {
        ulong leastBytes = BitOperations.RoundUpToPowerOf2(Units.DivCeil(bufferBytes, UnitCountMax));
        return (uint)Math.Min(chunkBytes, Math.Max(UnitBytesMin, leastBytes));
    }

    /// <summary>Takes memory and port, and starts the reactor's thread.</summary>
    /// <returns>None, or NoMemory; host-driven without io_uring: why there is none.</returns>
    public static Fault TryOpen(EngineOptions options, out Engine? engine)
    {
        engine = null;
        Check.That(Units.IsPowerOfTwo(options.ChunkBytes));
        uint unitBytes = UnitBytes(options.BufferBytes, options.ChunkBytes);
        ulong count = options.BufferBytes / unitBytes;
        Check.That(options.BufferBytes >= options.ChunkBytes);
        Check.That(count <= UnitCountMax);
        Fault fault = BufferPool.TryCreate(options.ChunkBytes, unitBytes, (uint)count, out BufferPool? pool);
        if (fault.IsFault)
            return fault;
        PortWish wish = new(options.Depth, options.MayUseRing, options.IsHostDriven, options.WorkersPerFile);
        (IFileIo? fileIo, int readyFd, Fault ringFault) = SystemPort.Current.OpenFileIo(wish);
        if (fileIo == null)
        {
            pool!.Dispose();
            return ringFault.IsFault ? ringFault : new Fault(FaultKind.Unsupported);
        }
        engine = new Engine(fileIo, pool!) { ReadyFd = readyFd, RingFault = ringFault };
        if (ringFault.IsFault)
            engine._warnings.Add(
                $"io_uring is not available here ({ringFault}): "
                    + $"using up to {options.WorkersPerFile} threads a file instead"
                    + (ringFault.Kind == FaultKind.NoMemory ? "; raise the memory-lock limit (ulimit -l)" : "")
            );
        if (options.BufferBytes < options.BufferBytesUsual)
            engine._warnings.Add(
                $"{options.BufferBytes / Units.KiB} KiB of I/O memory instead of {
                    options.BufferBytesUsual / Units.KiB}: a limit of this process, or the machine, leaves no more"
            );
        Fault registered = fileIo.RegisterMemory(pool!.Region);
        if (registered.IsFault && options.BufferBytesUsual == null)
            engine._warnings.Add(
                $"I/O memory could not be registered with io_uring ({registered}): "
                    + "raise the memory-lock limit (ulimit -l) above the buffer size for less CPU per byte"
            );
        engine.Reactor.OnStopped = options.OnStopped;
        if (options.IsHostDriven)
            engine.Reactor.BeDriven();
        else
            engine.Reactor.Start("fb-reactor-0");
        return Fault.None;
    }

    /// <summary>
    /// Devices and jobs must be disposed before; joins the reactor's thread. With I/O still in flight (after a failure,
    /// or at a device that does not answer) the memory stays mapped, because the kernel may still write to it.
    /// </summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        Reactor.Dispose();
        if (_fileIo.InFlightCount == 0)
        {
            _fileIo.Dispose();
            if (Pool.FreeUnitCount == Pool.UnitCount)
                Pool.Dispose();
            else
                Pool.Leak();
            return;
        }
        _fileIo.Abandon();
        Pool.Leak();
    }
}
