// A chunk in the cache, and who waits for it: the one that has made it loads it, the others wait for that.
using System;
using System.Buffers;
using System.Collections.Generic;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any who have taken it.</summary>
sealed class CachedChunk : IDisposable
{
    readonly ManualResetEventSlim _loaded = new(false);
    byte[] _bytes = [];

    public CachedChunk(BlobId id, BlobPlace place)
    {
        (Id, Place) = (id, place);
        Node = new LinkedListNode<CachedChunk>(this);
    }

    public BlobId Id { get; }

    public BlobPlace Place { get; }

    public int Length => (int)Place.TextBytes;

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, Length);

    /// <summary>Why it has no bytes; null: it has.</summary>
    public RepositoryException? Failure { get; private set; }

    /// <summary>Of the cache, as the rest below.</summary>
    public int UserCount { get; set; }

    public LinkedListNode<CachedChunk> Node { get; }

    public bool IsUnused => Node.List != null;

    public Span<byte> Room()
    {
        _bytes = ArrayPool<byte>.Shared.Rent(Length);
        return _bytes.AsSpan(0, Length);
    }

    public void End(RepositoryException? failure)
    {
        Failure = failure;
        _loaded.Set();
    }

    public void Wait() => _loaded.Wait();

    /// <summary>When nobody uses it.</summary>
    public void Dispose()
    {
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        _loaded.Dispose();
    }
}
