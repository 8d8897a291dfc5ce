// The list of a segment's chunks while it is made: chunks come in any order. As long as all that came are zero there is
// no list: large disks are mostly that.
using System;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any; each chunk has one.</summary>
/// <param name="index">Of the segment.</param>
/// <param name="chunkCount">That it has.</param>
/// <param name="zero">Of a whole chunk of zeroes.</param>
sealed class SegmentDraft(ulong index, ulong chunkCount, BlobId zero)
{
    int _left = (int)chunkCount;
    BlobId[]? _chunks;

    public ulong Index => index;

    /// <summary>All chunks that came are whole ones of zeroes.</summary>
    public bool IsZero => Volatile.Read(ref _chunks) == null;

    public BlobId[] Chunks => Volatile.Read(ref _chunks) ?? Fill();

    /// <summary>Of the folder with its list, once that is made.</summary>
    public BlobId Folder { get; set; }

    /// <returns>True: that was the last one.</returns>
    public bool Put(ulong chunk, BlobId id)
    {
        if (id != zero || !IsZero)
            Chunks[chunk] = id;
        return Interlocked.Decrement(ref _left) == 0;
    }

    BlobId[] Fill()
    {
        BlobId[] fresh = new BlobId[chunkCount];
        Array.Fill(fresh, zero);
        return Interlocked.CompareExchange(ref _chunks, fresh, null) ?? fresh;
    }
}
