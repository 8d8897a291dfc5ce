// The engine of a restore: buffers of the longest blob, and the one device, given back on the reactor's thread.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class RestoreEngine : IDisposable
{
    const ulong UsualMemoryBytes = 64 * Units.MiB;
    const ulong LanesMin = 8;

    /// <param name="longestBytes">Of any blob.</param>
    /// <exception cref="RepositoryException">There is no memory.</exception>
    public RestoreEngine(ulong longestBytes)
    {
        ulong wantedBytes = Math.Max(longestBytes, DiskRestore.WriteBytesUsual);
        uint chunkBytes = (uint)System.Numerics.BitOperations.RoundUpToPowerOf2(wantedBytes);
        ulong memoryBytes = Math.Max(UsualMemoryBytes, LanesMin * chunkBytes) / chunkBytes * chunkBytes;
        string? sentence = WorkEngine.TryOpen(memoryBytes, chunkBytes, null, out Engine? engine);
        if (sentence != null)
            throw new RepositoryException(RepositoryError.Refused, sentence);
        Engine = engine!;
    }

    public Engine Engine { get; }

    /// <summary>Owned; null until it is open.</summary>
    public IBlockDevice? Device { get; set; }

    public void Dispose()
    {
        if (Engine.Reactor.Failure != null)
            return; // after a bug the kernel may still own buffers
        Engine.Reactor.Invoke(() => Device?.Dispose());
        Engine.Dispose();
    }
}
