// A disk becomes a part of a point in time:
//
//   who asks        parent's chunk?   hole?   read (ring) --.
//                                                            v   as many threads as processors
//                   zero test -> SHA-256 -> known? -> zstd -> AES-256-CTR, Poly1305 -> pack -> store (PackSink)
//
// Buffers are few: when all are under way, reading waits. A chunk that has not changed since the parent is not read, if
// the repository still has it. When all chunks of a segment have their names, its list is stored. PointDraft makes the
// point of it: whatever ends before leaves packs that nobody needs.
using System;
using System.Collections.Concurrent;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Devices;
using FastBackup.Runtime;

namespace FastBackup.Repositories;

/// <summary>Threads: one, and its own. Used once.</summary>
sealed class DiskBackup : IDisposable
{
    const int LanesMax = 64;
    const int SettleLookMs = 20;

    readonly OpenedRepository _repository;
    readonly PointDraft _draft;
    readonly Engine _engine;
    readonly IBlockDevice _source;
    readonly BackupPlan _plan;
    readonly DiskLayout _layout;
    readonly DiskFolder _folder;
    readonly CancellationToken _cancel;
    readonly SegmentDraft[] _segments;
    readonly BlockingCollection<DeviceLane> _read = [];
    readonly byte[] _zeroes;
    readonly BlobId _zeroId;
    BlobId _zeroFolder; // under the lock of the zeroes
    DeviceLanes? _lanes;

    /// <param name="repository">With its index.</param>
    /// <param name="draft">Takes the disk when it is whole.</param>
    /// <param name="engine">Buffers of one chunk at least.</param>
    /// <param name="source">On its reactor.</param>
    /// <param name="plan">What to do.</param>
    /// <param name="cancel">Ends it.</param>
    public DiskBackup(
        OpenedRepository repository,
        PointDraft draft,
        Engine engine,
        IBlockDevice source,
        BackupPlan plan,
        CancellationToken cancel
    )
    {
        (_repository, _draft, _engine, _source, _plan, _cancel) = (repository, draft, engine, source, plan, cancel);
        _layout = DiskLayout.Of(source.Limits.CapacityBytes, plan.ChunkBytes);
        _folder = new DiskFolder(draft, _layout);
        _segments = new SegmentDraft[_layout.SegmentCount];
        Progress = new DiskProgress(_layout.SizeBytes);
        _zeroes = new byte[plan.ChunkBytes];
        _zeroId = BlobId.Of(_zeroes);
    }

    public DiskProgress Progress { get; }

    /// <summary>When this returns the draft has the disk.</summary>
    /// <exception cref="RepositoryException">It has not; with Disk or Damaged others may go on in it.</exception>
    public BackupOutcome Execute()
    {
        (ulong storedBytes, ulong blobCount) = (_draft.Sink.SealedBytes, _draft.Sink.BlobCount);
        _lanes = new DeviceLanes(_engine, _source, DeviceLanes.CountOf(_engine, LanesMax));
        using Workers workers = new(Workers.CountUsual, Work, _cancel);
        try
        {
            Ask(workers.Stop);
            _read.CompleteAdding();
            workers.Join();
        }
        catch
        {
            workers.Dispose();
            Settle();
            workers.ThrowIfFailed(); // what went wrong first
            throw;
        }
        AddFolder(storedBytes);
        return new BackupOutcome(_draft.Sink.SealedBytes - storedBytes, _draft.Sink.BlobCount - blobCount);
    }

    public void Dispose()
    {
        _lanes?.Dispose();
        _read.Dispose();
    }

    /// <summary>Waits for the reads under way: until their ends their buffers belong to the device.</summary>
    void Settle()
    {
        while (!_lanes!.IsIdle && !_engine.Reactor.HasFailed)
            if (_read.TryTake(out DeviceLane? lane, SettleLookMs))
                _lanes.Return(lane);
    }

    /// <summary>Goes through the disk once, front to back.</summary>
    void Ask(CancellationToken stop)
    {
        using ChunkOrigins origins = new(_engine, _source, _plan, _layout);
        BlobCodec codec = _repository.Codecs.Rent();
        try
        {
            for (ulong chunk = 0; chunk < _layout.ChunkCount; chunk++)
            {
                stop.ThrowIfCancellationRequested();
                ulong offset = chunk * _layout.ChunkBytes;
                ulong length = _layout.LengthOf(chunk);
                if (chunk % _layout.ChunksPerSegment == 0)
                    Begin(chunk / _layout.ChunksPerSegment);
                ChunkOrigin origin = origins.Of(chunk, out BlobId known);
                if (origin == ChunkOrigin.Parent)
                {
                    Progress.AddSame(length);
                    Put(chunk, known, codec);
                }
                else if (origin == ChunkOrigin.Hole)
                {
                    Progress.AddHole(length);
                    Put(chunk, ZeroChunk(length, codec), codec);
                }
                else
                {
                    DeviceLane lane = _lanes!.Take(stop);
                    lane.Tag = chunk;
                    _lanes.Start(lane, BlockOperation.Read, offset, length, OnRead);
                }
            }
            _lanes!.Drain(stop);
        }
        finally
        {
            _repository.Codecs.Return(codec);
        }
    }

    void Begin(ulong segment) => _segments[segment] = new SegmentDraft(segment, _layout.ChunksOf(segment), _zeroId);

    void OnRead(DeviceLane lane) => _read.Add(lane);

    /// <summary>A thread's part: chunks that were read, until there are no more.</summary>
    void Work(CancellationToken stop)
    {
        BlobCodec codec = _repository.Codecs.Rent();
        try
        {
            foreach (DeviceLane lane in _read.GetConsumingEnumerable(stop))
            {
                try
                {
                    Take(lane, codec);
                }
                finally
                {
                    _lanes!.Return(lane);
                }
            }
        }
        finally
        {
            _repository.Codecs.Return(codec);
        }
    }

    void Take(DeviceLane lane, BlobCodec codec)
    {
        if (lane.Fault.IsFault)
            throw new RepositoryException(
                RepositoryError.Disk,
                $"cannot read '{_plan.Source}': {lane.Fault.At(lane.OffsetBytes)}; no point was made"
            );
        ReadOnlySpan<byte> bytes = _lanes!.Bytes(lane, lane.LengthBytes);
        BlobId id;
        if (BitmapKernels.IsAllZero(bytes))
        {
            id = ZeroChunk(lane.LengthBytes, codec);
            Progress.AddZero(lane.LengthBytes);
        }
        else
        {
            id = BlobId.Of(bytes);
            _ = _draft.Sink.Add(id, BlobKind.Content, bytes, codec);
        }
        Put(lane.Tag, id, codec);
        Progress.AddRead(lane.LengthBytes);
    }

    BlobId ZeroChunk(ulong length, BlobCodec codec)
    {
        ReadOnlySpan<byte> zeroes = _zeroes.AsSpan(0, (int)length);
        BlobId id = length == _layout.ChunkBytes ? _zeroId : BlobId.Of(zeroes);
        if (!_repository.Index.Has(id, BlobKind.Content))
            _ = _draft.Sink.Add(id, BlobKind.Content, zeroes, codec);
        return id;
    }

    void Put(ulong chunk, BlobId id, BlobCodec codec)
    {
        SegmentDraft segment = _segments[chunk / _layout.ChunksPerSegment];
        if (!segment.Put(chunk % _layout.ChunksPerSegment, id) || _layout.SegmentBytes == 0)
            return;
        segment.Folder = segment.IsZero ? ZeroFolder(segment, codec) : AddSegment(segment, codec);
        _segments[segment.Index] = new SegmentDraft(segment.Index, 0, _zeroId) { Folder = segment.Folder };
    }

    BlobId AddSegment(SegmentDraft segment, BlobCodec codec) =>
        _folder.AddSegment(segment.Index, segment.Chunks, codec);

    /// <summary>Of a segment without content: they are all the same, but the last, which may be shorter.</summary>
    BlobId ZeroFolder(SegmentDraft segment, BlobCodec codec)
    {
        if (_layout.ChunksOf(segment.Index) != _layout.ChunksPerSegment)
            return AddSegment(segment, codec);
        lock (_zeroes)
        {
            if (_zeroFolder.IsNone)
                _zeroFolder = AddSegment(segment, codec);
            return _zeroFolder;
        }
    }

    void AddFolder(ulong storedBytes)
    {
        BlobCodec codec = _repository.Codecs.Rent();
        try
        {
            DiskDocument document = Describe(_draft.Sink.SealedBytes - storedBytes);
            if (_layout.SegmentBytes == 0)
                _folder.AddImage(_segments[0].Chunks, document, codec);
            else
                _folder.Add(Array.ConvertAll(_segments, segment => segment.Folder), document, codec);
        }
        finally
        {
            _repository.Codecs.Return(codec);
        }
    }

    DiskDocument Describe(ulong storedBytes) =>
        new(
            1,
            _draft.Head.Host,
            _plan.Disk,
            _plan.Source,
            _layout.SizeBytes,
            _layout.ChunkBytes,
            _layout.SegmentBytes,
            RepositoryTime.Format(_draft.Head.Time),
            _plan.Mode,
            _plan.FullReason,
            _plan.Parent?.Snapshot.Id.ToString(),
            _plan.Checkpoint,
            _plan.CheckpointNs,
            Progress.ReadBytes,
            storedBytes
        );
}
