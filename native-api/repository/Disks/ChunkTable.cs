// Which blob each chunk of a disk is, while a job writes it in any order: a byte a chunk, and the names of those that
// are not zero, segment by segment. So a disk that is mostly empty takes little.
using System;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any; each chunk has one at a time.</summary>
sealed class ChunkTable(DiskLayout layout)
{
    enum State : byte
    {
        Unwritten,
        Zero,
        Stored,
    }

    readonly State[] _states = new State[layout.ChunkCount];
    readonly BlobId[]?[] _names = new BlobId[]?[layout.SegmentCount];

    public void Put(ulong chunk, BlobId id)
    {
        ref BlobId[]? names = ref _names[chunk / layout.ChunksPerSegment];
        if (Volatile.Read(ref names) == null)
        {
            BlobId[] fresh = new BlobId[layout.ChunksOf(chunk / layout.ChunksPerSegment)];
            _ = Interlocked.CompareExchange(ref names, fresh, null);
        }
        names![chunk % layout.ChunksPerSegment] = id;
        _states[chunk] = State.Stored;
    }

    public void PutZero(ulong chunk) => _states[chunk] = State.Zero;

    /// <summary>A write of it has failed: what it is now is not known.</summary>
    public void Forget(ulong chunk) => _states[chunk] = State.Unwritten;

    /// <summary>Chunks of a segment that nobody has written.</summary>
    public ulong CountUnwritten(ulong segment)
    {
        ulong first = segment * layout.ChunksPerSegment;
        ReadOnlySpan<State> states = _states.AsSpan((int)first, (int)layout.ChunksOf(segment));
        return (ulong)states.Count(State.Unwritten);
    }

    /// <summary>It was written with zeroes, all of it.</summary>
    public bool IsZero(ulong segment)
    {
        int first = (int)(segment * layout.ChunksPerSegment);
        return _states.AsSpan(first, (int)layout.ChunksOf(segment)).IndexOfAnyExcept(State.Zero) < 0;
    }

    /// <summary>The list of a segment.</summary>
    /// <param name="segment">Which one.</param>
    /// <param name="zero">The blob of zeroes of a length.</param>
    /// <param name="unwritten">The blob of a chunk of the disk that nobody has written.</param>
    public BlobId[] List(ulong segment, Func<ulong, BlobId> zero, Func<ulong, BlobId> unwritten)
    {
        BlobId[] list = new BlobId[layout.ChunksOf(segment)];
        for (ulong i = 0; i < (ulong)list.Length; i++)
        {
            ulong chunk = segment * layout.ChunksPerSegment + i;
            list[i] = _states[chunk] switch
            {
                State.Zero => zero(layout.LengthOf(chunk)),
                State.Stored => _names[segment]![i],
                _ => unwritten(chunk),
            };
        }
        return list;
    }
}
