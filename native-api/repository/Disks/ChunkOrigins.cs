// Where each chunk of a disk comes from in a backup: from the parent point, which is not read, from a hole, or from the
// disk. Asked from front to back.
using System;
using FastBackup.Devices;
using FastBackup.Runtime;

namespace FastBackup.Repositories;

enum ChunkOrigin
{
    Parent,
    Hole,
    Disk,
}

/// <summary>Threads: one.</summary>
sealed class ChunkOrigins : IDisposable
{
    readonly HoleFinder _holes;
    readonly ParentChunks? _parent;
    readonly DiskLayout _layout;

    /// <param name="engine">Drives the disk.</param>
    /// <param name="source">The disk.</param>
    /// <param name="plan">Says from where it may come.</param>
    /// <param name="layout">Of the disk.</param>
    public ChunkOrigins(Engine engine, IBlockDevice source, BackupPlan plan, DiskLayout layout)
    {
        _layout = layout;
        _holes = new HoleFinder(engine.Reactor, source);
        _parent = plan is { Parent: { } point, Changed: { } changed } ? new ParentChunks(point, changed, layout) : null;
    }

    /// <param name="chunk">Never smaller than before.</param>
    /// <param name="known">Of the parent's: which blob it is.</param>
    /// <exception cref="RepositoryException">Damaged: a list of the parent cannot be read.</exception>
    public ChunkOrigin Of(ulong chunk, out BlobId known)
    {
        known = default;
        return _parent != null && _parent.TryFind(chunk, out known) ? ChunkOrigin.Parent
            : _holes.IsHole(chunk * _layout.ChunkBytes, _layout.LengthOf(chunk)) ? ChunkOrigin.Hole
            : ChunkOrigin.Disk;
    }

    public void Dispose() => _holes.Dispose();
}
