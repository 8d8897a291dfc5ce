// A pack that is being filled, in memory: blobs are given their places one after the other, and sealed into them by as
// many threads as like. It begins at a page, so that a file can be written from it past the page cache.
using System;
using System.Collections.Generic;

namespace FastBackup.Repositories;

/// <summary>Threads: the sink's lock, but for the bytes of a place, which are their writer's.</summary>
sealed class PackBuffer(int bytes)
{
    public Memory<byte> Bytes { get; } = PageMemory.Allocate(bytes);

    public List<PackedBlob> Blobs { get; } = [];

    public int UsedBytes { get; private set; }

    /// <summary>Places that are not yet filled.</summary>
    public int PendingCount { get; set; }

    /// <summary>Nothing more is added.</summary>
    public bool IsClosed { get; set; }

    public bool HasRoom(int sealedBytes) =>
        UsedBytes + sealedBytes + PackHeader.BoundBytes(Blobs.Count + 1) <= Bytes.Length;

    /// <returns>Where the blob goes.</returns>
    public int Reserve(BlobId id, BlobKind kind, int sealedBytes, int textBytes, bool isCompressed)
    {
        int offset = UsedBytes;
        Blobs.Add(new(id, new(0, (uint)offset, (uint)sealedBytes, (uint)textBytes, isCompressed, kind)));
        UsedBytes += sealedBytes;
        PendingCount++;
        return offset;
    }

    public void Clear()
    {
        Blobs.Clear();
        (UsedBytes, PendingCount, IsClosed) = (0, 0, false);
    }
}
