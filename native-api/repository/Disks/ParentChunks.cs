// The chunks of the parent point, asked for in order: which blob a place of the disk was then. Only such as the
// repository still has: what is lost is read from the disk and stored anew.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Repositories;

/// <summary>Threads: one.</summary>
sealed class ParentChunks(PointDisk parent, HierarchicalBitmap changed, DiskLayout layout)
{
    readonly DiskDocument _document = parent.Document!;
    List<DiskExtent> _part = [];
    int _partIndex = -1;

    /// <summary>Why a point cannot be a parent; null: it can.</summary>
    public static string? Refuse(PointDisk parent, ulong chunkBytes) =>
        parent.Document == null ? "parent-damaged"
        : parent.Document.ChunkBytes != chunkBytes ? "chunk-size"
        : null;

    /// <summary>The blob of a chunk that has not changed; false: the disk must be read.</summary>
    /// <param name="chunk">Never smaller than before.</param>
    /// <param name="id">Which one.</param>
    /// <exception cref="RepositoryException">Damaged: a list of the parent cannot be read.</exception>
    public bool TryFind(ulong chunk, out BlobId id)
    {
        id = default;
        ulong offset = chunk * layout.ChunkBytes;
        ulong length = layout.LengthOf(chunk);
        // A chunk that was the short last one, or is now, has another content.
        if (offset + length > _document.SizeBytes || IsChanged(offset, length))
            return false;
        int part = (int)(_document.SegmentBytes == 0 ? 0 : offset / _document.SegmentBytes);
        if (part != _partIndex)
            (_part, _partIndex) = (parent.Load(part), part);
        ulong within = _document.SegmentBytes == 0 ? offset : offset % _document.SegmentBytes;
        DiskExtent extent = _part[(int)(within / layout.ChunkBytes)];
        if (!extent.IsKnown || extent.OffsetBytes != offset || extent.LengthBytes != length)
            return false;
        id = extent.Id;
        return true;
    }

    bool IsChanged(ulong offsetBytes, ulong lengthBytes)
    {
        if (offsetBytes + lengthBytes > changed.SizeBytes)
            return true;
        ulong granule = changed.GranularityBytes;
        ulong first = offsetBytes / granule;
        ulong end = Units.DivCeil(offsetBytes + lengthBytes, granule);
        return changed.NextDirtyBit(first, end) != HierarchicalBitmap.NotFound;
    }
}
