// Opened chunks of a point, for readers that come back to them: a disk is read in pieces that are smaller than a chunk,
// and by several clients. Each chunk is fetched once, however many want it at a time; those that nobody uses leave in
// the order in which they were used last. Cost: the memory that was given, and beyond it what is in use at a time.
using System.Collections.Generic;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any; Take waits for the store.</summary>
/// <param name="repository">With its index.</param>
/// <param name="bytesMax">Of chunks that nobody uses.</param>
sealed class ChunkCache(OpenedRepository repository, ulong bytesMax)
{
    readonly ulong _bytesMax = bytesMax;
    readonly OpenedRepository _repository = repository;
    readonly Lock _one = new();
    readonly Dictionary<BlobId, CachedChunk> _chunks = [];
    readonly LinkedList<CachedChunk> _unused = []; // used last at the end
    ulong _unusedBytes;

    /// <summary>A chunk, open until it is returned.</summary>
    /// <param name="id">A content blob.</param>
    /// <exception cref="RepositoryException">It cannot be read; the next one who wants it tries again.</exception>
    public CachedChunk Take(BlobId id)
    {
        CachedChunk? chunk;
        bool isMine = false;
        lock (_one)
        {
            if (!_chunks.TryGetValue(id, out chunk))
            {
                if (!_repository.Index.TryFind(id, out BlobPlace place) || place.Kind != BlobKind.Content)
                    throw _repository.Missing(id, BlobKind.Content);
                chunk = new CachedChunk(id, place);
                _chunks.Add(id, chunk);
                isMine = true;
            }
            if (chunk.UserCount++ == 0 && chunk.IsUnused)
            {
                _unused.Remove(chunk.Node);
                _unusedBytes -= (ulong)chunk.Length;
            }
        }
        if (isMine)
            Load(chunk);
        chunk.Wait();
        if (chunk.Failure is not { } failure)
            return chunk;
        Return(chunk);
        throw new RepositoryException(failure.Error, failure.Message, failure);
    }

    public void Return(CachedChunk chunk)
    {
        lock (_one)
        {
            if (--chunk.UserCount > 0)
                return;
            if (chunk.Failure != null)
            {
                chunk.Dispose();
                return;
            }
            _unused.AddLast(chunk.Node);
            _unusedBytes += (ulong)chunk.Length;
            while (_unusedBytes > _bytesMax && _unused.First is { } oldest)
            {
                _unused.RemoveFirst();
                _unusedBytes -= (ulong)oldest.Value.Length;
                _ = _chunks.Remove(oldest.Value.Id);
                oldest.Value.Dispose();
            }
        }
    }

    void Load(CachedChunk chunk)
    {
        RepositoryException? failure = null;
        try
        {
            _repository.ReadBlob(chunk.Id, chunk.Place, chunk.Room());
        }
        catch (RepositoryException exception)
        {
            failure = exception;
            lock (_one)
                _ = _chunks.Remove(chunk.Id);
        }
        chunk.End(failure);
    }
}
