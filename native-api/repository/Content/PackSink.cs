// Puts blobs into packs and packs into the store. Any thread may add: it compresses and seals by itself, into a place
// of the open pack, so that only the giving of places is one after the other. Full packs are stored by threads of this
// object; when there is no buffer left, who adds waits.
//
// The order is law: an index names only packs that are stored, durably; whoever makes a snapshot calls Finish before,
// which stores all packs and then the index. Between, an index is written now and then, so that what was stored by a
// run that was interrupted is known to the next one.
//
// Memory: buffers for the packs being filled (content and trees apart, as the format demands) and for those under way.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any, but Finish and Dispose: one, when nobody adds.</summary>
sealed class PackSink : IDisposable
{
    const int SaverCount = 2;
    const int BufferCount = 2 + SaverCount;

    /// <summary>Of an index file; 100,000 blobs are some 5 MiB of it.</summary>
    const int IndexedBlobsMax = 50_000;
    static readonly TimeSpan s_indexInterval = TimeSpan.FromMinutes(2);

    readonly OpenedRepository _repository;
    readonly int _packBytes;
    readonly Lock _one = new();
    readonly PackBuffer?[] _open = new PackBuffer?[2];
    readonly ConcurrentBag<PackBuffer> _free = [];
    readonly SemaphoreSlim _room = new(BufferCount);
    readonly BlockingCollection<PackBuffer> _full = [];
    readonly Thread[] _savers;
    readonly List<IndexedPack> _unindexed = [];
    readonly CancellationTokenSource _stop;
    int _unindexedBlobs;
    long _indexed = Stopwatch.GetTimestamp();
    long _storedBytes;
    long _sealedBytes;
    long _blobCount;
    Exception? _failure;

    /// <param name="repository">Its index knows what is added once that is stored.</param>
    /// <param name="packBytes">Of a pack at most; above the longest blob.</param>
    /// <param name="cancel">Ends waits.</param>
    public PackSink(OpenedRepository repository, int packBytes, CancellationToken cancel)
    {
        (_repository, _packBytes) = (repository, packBytes);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        _savers = new Thread[SaverCount];
        for (int i = 0; i < SaverCount; i++)
        {
            _savers[i] = new Thread(Save) { Name = "fb-store", IsBackground = true };
            _savers[i].Start();
        }
    }

    /// <summary>What was stored so far, packs and index.</summary>
    public ulong StoredBytes => (ulong)Interlocked.Read(ref _storedBytes);

    /// <summary>Of blobs that were new, whether their packs are stored already or not.</summary>
    public ulong SealedBytes => (ulong)Interlocked.Read(ref _sealedBytes);

    /// <summary>Blobs that were new.</summary>
    public ulong BlobCount => (ulong)Interlocked.Read(ref _blobCount);

    /// <summary>Adds a blob, unless it is there or another thread adds it.</summary>
    /// <returns>True: it was new.</returns>
    public bool Add(BlobId id, BlobKind kind, ReadOnlySpan<byte> text, BlobCodec codec)
    {
        ThrowIfFailed();
        if (!_repository.Index.TryClaim(id))
            return false;
        ReadOnlySpan<byte> compressed = codec.Compress(text);
        ReadOnlySpan<byte> body = compressed.Length > 0 ? compressed : text;
        int sealedBytes = body.Length + BlobCipher.OverheadBytes;
        PackBuffer pack = Reserve(id, kind, sealedBytes, text.Length, compressed.Length > 0, out int offset);
        codec.Cipher.Seal(body, pack.Bytes.Span.Slice(offset, sealedBytes));
        lock (_one)
        {
            pack.PendingCount--;
            if (pack is { IsClosed: true, PendingCount: 0 })
                _full.Add(pack);
        }
        _ = Interlocked.Increment(ref _blobCount);
        _ = Interlocked.Add(ref _sealedBytes, sealedBytes);
        return true;
    }

    /// <summary>Stores what is left, and then the index of all of it.</summary>
    /// <exception cref="RepositoryException">Not all packs and the index are stored: make no snapshot.</exception>
    public void Finish()
    {
        ThrowIfFailed();
        lock (_one)
            for (int i = 0; i < _open.Length; i++)
                Close(ref _open[i]);
        _full.CompleteAdding();
        foreach (Thread saver in _savers)
            saver.Join();
        ThrowIfFailed();
        WriteIndex();
    }

    public void Dispose()
    {
        _stop.Cancel();
        if (!_full.IsAddingCompleted)
            _full.CompleteAdding();
        foreach (Thread saver in _savers)
            saver.Join();
        _full.Dispose();
        _room.Dispose();
        _stop.Dispose();
    }

    PackBuffer Reserve(BlobId id, BlobKind kind, int sealedBytes, int textBytes, bool isCompressed, out int offset)
    {
        PackBuffer? fresh = null;
        while (true)
        {
            lock (_one)
            {
                ref PackBuffer? open = ref _open[(int)kind];
                if (open != null && !open.HasRoom(sealedBytes))
                    Close(ref open);
                if (open == null && fresh != null)
                    (open, fresh) = (fresh, null);
                if (open != null)
                {
                    offset = open.Reserve(id, kind, sealedBytes, textBytes, isCompressed);
                    if (fresh != null)
                        Return(fresh); // another thread was faster
                    return open;
                }
            }
            fresh = Rent();
        }
    }

    /// <summary>Nothing more goes into it.</summary>
    void Close(ref PackBuffer? open)
    {
        if (open == null)
            return;
        open.IsClosed = true;
        if (open.PendingCount == 0)
            _full.Add(open);
        open = null;
    }

    PackBuffer Rent()
    {
        try
        {
            _room.Wait(_stop.Token);
        }
        catch (OperationCanceledException)
        {
            ThrowIfFailed();
            throw new RepositoryException(RepositoryError.Canceled, "interrupted");
        }
        return _free.TryTake(out PackBuffer? buffer) ? buffer : new PackBuffer(_packBytes);
    }

    void Return(PackBuffer buffer)
    {
        buffer.Clear();
        _free.Add(buffer);
        _ = _room.Release();
    }

    void Save()
    {
        BlobCodec codec = _repository.Codecs.Rent();
        foreach (PackBuffer pack in _full.GetConsumingEnumerable())
        {
            try
            {
                if (!_stop.IsCancellationRequested)
                    Save(pack, codec);
            }
#pragma warning disable CA1031 // whatever it was: it is thrown where somebody adds or finishes
            catch (Exception exception)
#pragma warning restore CA1031
            {
                _ = Interlocked.CompareExchange(ref _failure, exception, null);
                _stop.Cancel();
            }
            Return(pack);
        }
        _repository.Codecs.Return(codec);
    }

    void Save(PackBuffer pack, BlobCodec codec)
    {
        int bytes = pack.UsedBytes;
        bytes += PackHeader.Write(pack.Blobs, codec.Cipher, pack.Bytes.Span[bytes..]);
        ReadOnlyMemory<byte> content = pack.Bytes[..bytes];
        BlobId id = BlobId.Of(content.Span);
        _repository.Store.Write(StoreKind.Pack, id.ToString(), content);
        _ = Interlocked.Add(ref _storedBytes, bytes);
        IndexedPack indexed = new(id, [.. pack.Blobs]);
        _repository.Index.Add(indexed);
        lock (_unindexed)
        {
            _unindexed.Add(indexed);
            _unindexedBlobs += indexed.Blobs.Count;
            if (_unindexedBlobs >= IndexedBlobsMax || Stopwatch.GetElapsedTime(_indexed) > s_indexInterval)
                WriteIndex();
        }
    }

    void WriteIndex()
    {
        lock (_unindexed)
        {
            if (_unindexed.Count == 0)
                return;
            byte[] json = IndexDocument.Write(_unindexed);
            BlobId id = _repository.SaveFile(StoreKind.Index, json);
            _ = Interlocked.Add(ref _storedBytes, _repository.Store.SizeOf(StoreKind.Index, id.ToString()) ?? 0);
            _unindexed.Clear();
            (_unindexedBlobs, _indexed) = (0, Stopwatch.GetTimestamp());
        }
    }

    void ThrowIfFailed()
    {
        Exception? failure = Volatile.Read(ref _failure);
        if (failure is RepositoryException known)
            throw new RepositoryException(known.Error, known.Message, known);
        if (failure != null)
            throw new RepositoryException("cannot store a pack: " + failure.Message, failure);
    }
}
