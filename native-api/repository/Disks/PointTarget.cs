// A point in time as the target of a job: a live guest's disk goes straight into a repository. It takes whole chunks
// only (RequestAlignBytes): what of a chunk the job's bitmap does not name the job reads from T0, never from the disk
// as it is. What the job does not write at all is taken from the parent point by reference.
//
//   write   -> as many threads as processors: SHA-256 -> known? -> zstd -> AES-CTR, Poly1305 -> pack -> store
//   zeroes  -> a mark;   reading it is refused
//   seal    (the flush that ends a copy): lists, packs, index, snapshot, each durable; only then the job has succeeded
//
// A store that is slow holds these threads and then the job, which holds no guest for it. A job that ends otherwise
// leaves packs that nobody needs, and no point. One job, one point.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;
using FastBackup.Serving;

namespace FastBackup.Repositories;

/// <summary>Threads: the loop's, unless a member says otherwise.</summary>
sealed class PointTarget : ThreadedFront, IBlockDevice
{
    const uint AtOnceMax = 64;

    /// <summary>Bytes of index files that a byte of this heap's limit can be filled by: what they say takes four times
    /// as much, and others need some, too.</summary>
    const long HeapShareOfIndex = 6;

    readonly PointTargetOptions _options;
    readonly OpenedRepository _repository;
    readonly RepositoryLock _lock;
    readonly PointDraft _draft;
    readonly DiskLayout _layout;
    readonly ChunkTable _chunks;
    readonly CancellationTokenSource _cancel;
    readonly Dictionary<ulong, BlobId> _zeroes = []; // the one thread that seals
    readonly string _fullReason;
    DateTime _time; // T0, once a job has begun
    bool _isUsed;
    bool _isByBitmap;
    long _writtenBytes;
    string? _words;
    string? _point;

    PointTarget(
        IIoLoop loop,
        PointTargetOptions options,
        OpenedRepository repository,
        RepositoryLock held,
        (PointDisk? Disk, string FullReason) parent,
        CancellationTokenSource cancel
    )
        : base(loop, AtOnceMax)
    {
        (_options, _repository, _lock, _cancel) = (options, repository, held, cancel);
        (Parent, _fullReason) = parent;
        ulong chunkBytes =
            options.ChunkBytes ?? Parent?.Document!.ChunkBytes ?? DiskLayout.UsualChunkOf(options.SizeBytes);
        _layout = DiskLayout.Of(options.SizeBytes, chunkBytes);
        _chunks = new ChunkTable(_layout);
        PointHead head = new(options.Host, DateTime.UtcNow, options.Tags) { PackBytes = options.PackBytes };
        _draft = new PointDraft(repository, held, head, cancel.Token);
        Limits = new BlockLimits
        {
            CapacityBytes = options.SizeBytes,
            RequestAlignBytes = (uint)chunkBytes,
            BufferAlignBytes = 1,
            InFlightMax = AtOnceMax,
        };
        StartThreads(Workers.CountUsual);
    }

    public override string Name => $"{_options.Address} {_options.Host}/{_options.Disk}";

    public override BlockLimits Limits { get; }

    /// <summary>What a job's bitmap does not name is taken from there; null: the job copies all.</summary>
    public PointDisk? Parent { get; }

    /// <summary>It is the last one, which has a checkpoint: by that the disk must know what has changed.</summary>
    public bool IsParentLatest => _options.Parent == PointTargetOptions.Latest;

    /// <summary>Of the disk's tracker, made in the same moment as T0; null: none. Set before a job ends.</summary>
    public (string Name, ulong CreatedNs)? Checkpoint { get; set; }

    /// <summary>The point, once it is durable; null: there is none. Threads: any.</summary>
    public string? Point => Volatile.Read(ref _point);

    /// <summary>What last went wrong, a sentence; null: nothing. Threads: any.</summary>
    public string? Words => Volatile.Read(ref _words);

    /// <summary>Opens the repository, looks for the parent. Waits for the store; any thread but the loop's.</summary>
    /// <param name="loop">Drives it.</param>
    /// <param name="options">Checked.</param>
    /// <exception cref="RepositoryException">Refused; nothing is left behind.</exception>
    public static PointTarget Open(IIoLoop loop, PointTargetOptions options)
    {
        CancellationTokenSource cancel = new();
        OpenedRepository? repository = null;
        RepositoryLock? held = null;
        PointTarget? target = null;
        try
        {
            void Tell(string sentence)
            {
                if (target != null)
                    Volatile.Write(ref target._words, sentence);
            }
            IStore store = StoreAddress.Open(options.Address, Tell, cancel.Token);
            repository =
                options.MayCreate && !OpenedRepository.IsThere(store)
                    ? OpenedRepository.Create(store, options.Password)
                    : OpenedRepository.Open(store, options.Password);
            held = RepositoryLock.Take(repository, isExclusive: false);
            List<StoredPoint> points = repository.LoadSnapshots(); // before the index: what they need is in it then
            CheckIndex(store);
            repository.LoadIndex();
            PointDisk? parent = options.Parent == null ? null : TargetParent.Find(repository, points, options);
            string reason = points.Exists(one => one.Document.Hostname == options.Host) ? "no-parent" : "first";
            target = new PointTarget(loop, options, repository, held, (parent, reason), cancel);
            return target;
        }
        finally
        {
            if (target == null)
            {
                held?.Dispose();
                repository?.Dispose();
                cancel.Dispose();
            }
        }
    }

    static void CheckIndex(IStore store)
    {
        long bytes = 0;
        foreach (StoredFile file in store.List(StoreKind.Index))
            bytes += file.SizeBytes;
        long mostBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / HeapShareOfIndex;
        if (bytes > mostBytes)
            throw new RepositoryException(
                RepositoryError.Refused,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the index of repository '{store.Name}' has {bytes} bytes, and this process can hold {mostBytes}; "
                ) + "take a repository for fewer disks, larger chunks, or 'fastbackup serve' as the host"
            );
    }

    public void BeginImage(ulong bitmapSerial) =>
        (_isUsed, _time, _isByBitmap) = (true, DateTime.UtcNow, bitmapSerial != 0);

    public void EndImage()
    {
        if (Point == null)
            Leave(); // what the job had in hand is nobody's any more
    }

    /// <summary>Whether a job can make a point here.</summary>
    /// <param name="isByBitmap">It copies what a bitmap names.</param>
    /// <returns>Null, or why not.</returns>
    public string? Refuse(bool isByBitmap) =>
        _isUsed ? $"'{Name}' has had its job: each point has a target of its own"
        : isByBitmap && Parent == null
            ? $"'{Name}' has no parent that has what a bitmap does not name; give one, or copy all"
        : Parent != null && !isByBitmap ? $"'{Name}' has a parent, so its job copies what a bitmap names since then"
        : null;

    protected override Fault HandOn(in BlockRequest request, ulong key)
    {
        if (request.Operation is BlockOperation.Read or BlockOperation.Map or BlockOperation.Size)
            return new Fault(FaultKind.Unsupported, Errnos.EOPNOTSUPP, request.OffsetBytes);
        if (!_isUsed || Point != null)
            return new Fault(FaultKind.State, 0, request.OffsetBytes); // the job that had it is over
        if (
            request.Operation.HasRange()
            && CheckRange(request.OffsetBytes, request.LengthBytes) is { IsFault: true } bad
        )
            return bad;
        if (request.Operation == BlockOperation.Discard)
            FinishLater(key, default); // a hint
        else if (request.Operation == BlockOperation.Flush && (request.Flags & BlockFlags.Seal) == 0)
            return new Fault(FaultKind.Unsupported); // nothing can be relied on before there is a point
        else
            Enqueue(request, key);
        return Fault.None;
    }

    Fault CheckRange(ulong offset, ulong length)
    {
        if (!new Extent(offset, length).IsWithin(Limits.CapacityBytes))
            return new Fault(FaultKind.Range, 0, offset);
        bool isWhole =
            offset % _layout.ChunkBytes == 0
            && (length % _layout.ChunkBytes == 0 || offset + length == Limits.CapacityBytes);
        return isWhole ? Fault.None : new Fault(FaultKind.Align, 0, offset);
    }

    protected override void OnLeaving() => Leave();

    /// <summary>Threads wait for the store: they give that up.</summary>
    void Leave() =>
        _ = ThreadPool.UnsafeQueueUserWorkItem(
            static target =>
            {
                try
                {
                    target._cancel.Cancel();
                }
                catch (ObjectDisposedException)
                {
                    return; // it was closed
                }
            },
            this,
            preferLocal: false
        );

    protected override void OnClosed() => new Thread(Close) { Name = "fb-points", IsBackground = true }.Start();

    void Close()
    {
        _cancel.Cancel();
        EndThreads();
        _draft.Dispose();
        _lock.Dispose();
        _repository.Dispose();
        _cancel.Dispose();
    }

    protected override BlockResult Execute(in BlockRequest request)
    {
        BlobCodec? codec = null;
        try
        {
            codec = _repository.Codecs.Rent();
            if (request.Operation.HasRange())
                Take(request, codec);
            else
                Seal(codec);
            return default;
        }
        catch (RepositoryException exception) when (exception.Error == RepositoryError.Canceled)
        {
            return Fail(request, Words ?? "the job has ended before its point was made", FaultKind.Canceled);
        }
        catch (RepositoryException exception)
        {
            bool isFull = exception.Error == RepositoryError.NoSpace;
            return Fail(request, exception.Message, isFull ? FaultKind.NoSpace : FaultKind.Io);
        }
#pragma warning disable CA1031 // whatever it was: a job waits for an answer, and must hear of it
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return Fail(request, $"the point cannot be made: {exception.Message}", FaultKind.Io);
        }
        finally
        {
            if (codec != null)
                _repository.Codecs.Return(codec);
        }
    }

    BlockResult Fail(in BlockRequest request, string sentence, FaultKind kind)
    {
        Volatile.Write(ref _words, sentence);
        ulong end = request.Operation.HasRange() ? request.OffsetBytes + request.LengthBytes : 0;
        for (ulong at = request.OffsetBytes; at < end; at += _layout.ChunkBytes)
            _chunks.Forget(at / _layout.ChunkBytes);
        return new BlockResult(
            new Fault(kind, kind == FaultKind.NoSpace ? Errnos.ENOSPC : Errnos.EIO, request.OffsetBytes)
        );
    }

    void Take(in BlockRequest request, BlobCodec codec)
    {
        ulong end = request.OffsetBytes + request.LengthBytes;
        for (ulong at = request.OffsetBytes; at < end; at += _layout.ChunkBytes)
        {
            ulong chunk = at / _layout.ChunkBytes;
            if (request.Operation == BlockOperation.WriteZeroes)
            {
                _chunks.PutZero(chunk);
                continue;
            }
            ReadOnlySpan<byte> bytes = Bytes(request, at - request.OffsetBytes, _layout.LengthOf(chunk));
            BlobId id = BlobId.Of(bytes);
            _ = _draft.Sink.Add(id, BlobKind.Content, bytes, codec);
            _chunks.Put(chunk, id);
            _ = Interlocked.Add(ref _writtenBytes, bytes.Length);
        }
    }

    static unsafe ReadOnlySpan<byte> Bytes(in BlockRequest request, ulong within, ulong length) =>
        // SAFETY: the job keeps LengthBytes at Buffer until the completion, and the part is within them.
        new((byte*)request.Buffer + within, (int)length);

    /// <summary>Everything is written: the point is made.</summary>
    void Seal(BlobCodec codec)
    {
        _draft.SetTime(_time);
        DiskFolder folder = new(_draft, _layout);
        BlobId[] segments = new BlobId[_layout.SegmentCount];
        BlobId zeroes = default; // the list of one without content: all but the last are alike
        for (ulong segment = 0; segment < _layout.SegmentCount; segment++)
        {
            ulong unwritten = _chunks.CountUnwritten(segment);
            if (unwritten > 0 && (!_isByBitmap || Parent == null))
                throw new RepositoryException(
                    RepositoryError.Disk,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{unwritten} chunks of the disk were not copied; no point was made"
                    )
                );
            if (_layout.SegmentBytes == 0)
                folder.AddImage(List(segment, codec), Describe(), codec);
            else if (unwritten == _layout.ChunksOf(segment))
                segments[segment] = Parent!.FolderOf((int)segment);
            else if (segment + 1 < _layout.SegmentCount && _chunks.IsZero(segment))
                segments[segment] = zeroes.IsNone
                    ? zeroes = folder.AddSegment(segment, List(segment, codec), codec)
                    : zeroes;
            else
                segments[segment] = folder.AddSegment(segment, List(segment, codec), codec);
        }
        if (_layout.SegmentBytes != 0)
            folder.Add(segments, Describe(), codec);
        BlobId point = _draft.Finish(Parent?.Snapshot.Id);
        _lock.Dispose(); // nothing is needed any more, and others may wait
        Volatile.Write(ref _point, point.ToString());
    }

    BlobId[] List(ulong segment, BlobCodec codec)
    {
        List<DiskExtent>? parent = null;
        BlobId Unwritten(ulong chunk)
        {
            parent ??= Parent!.Load((int)segment);
            return parent[(int)(chunk - segment * _layout.ChunksPerSegment)].Id;
        }
        return _chunks.List(segment, length => AddZeroes(length, codec), Unwritten);
    }

    /// <summary>The blob of so many zeroes. Threads: the one that seals.</summary>
    BlobId AddZeroes(ulong length, BlobCodec codec)
    {
        if (_zeroes.TryGetValue(length, out BlobId id))
            return id;
        byte[] zeroes = new byte[length];
        id = BlobId.Of(zeroes);
        _ = _draft.Sink.Add(id, BlobKind.Content, zeroes, codec);
        _zeroes.Add(length, id);
        return id;
    }

    DiskDocument Describe() =>
        new(
            1,
            _options.Host,
            _options.Disk,
            _options.Source,
            _layout.SizeBytes,
            _layout.ChunkBytes,
            _layout.SegmentBytes,
            RepositoryTime.Format(_time),
            _isByBitmap ? "incremental" : "full",
            _isByBitmap ? null : _fullReason,
            Parent?.Snapshot.Id.ToString(),
            Checkpoint?.Name,
            Checkpoint?.CreatedNs ?? 0,
            (ulong)Interlocked.Read(ref _writtenBytes),
            _draft.Sink.SealedBytes
        );
}
