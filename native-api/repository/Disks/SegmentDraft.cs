// The list of a segment's chunks while it is made: chunks come in any order.
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any; each chunk has one.</summary>
sealed class SegmentDraft(ulong index, ulong chunkCount)
{
    int _left = (int)chunkCount;

    public ulong Index => index;

    public BlobId[] Chunks { get; } = new BlobId[chunkCount];

    /// <summary>Of the folder with its list, once that is made.</summary>
    public BlobId Folder { get; set; }

    /// <returns>True: that was the last one.</returns>
    public bool Put(ulong chunk, BlobId id)
    {
        Chunks[chunk] = id;
        return Interlocked.Decrement(ref _left) == 0;
    }
}
