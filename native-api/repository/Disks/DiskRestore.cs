// A point in time becomes a disk, or is compared with one. One thread goes through the lists of chunks and makes runs
// of neighbours that lie in one pack closely together; each run is fetched by one read of that pack, and several
// threads open its blobs into buffers, one behind the other. A full buffer is one write, which nobody waits for but
// the end: the thread goes on with another buffer. Zeroes are not fetched: the target is made to read as such, which on
// a new file is nothing.
//
// What differs is told by the hash: the target's bytes are read, and are right when they have the name of the chunk.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Devices;
using FastBackup.Runtime;

namespace FastBackup.Repositories;

/// <summary>Threads: one, and its own. Used once.</summary>
sealed class DiskRestore : IDisposable
{
    const int LanesMax = 64;
    const int RunsAhead = 16;
    const ulong RunBytesMax = 8 * Units.MiB;
    const int SettleLookMs = 1;

    /// <summary>Of a write, where blobs are shorter: a buffer should have room for it.</summary>
    public const ulong WriteBytesUsual = Units.MiB;

    /// <summary>Of a run's read, what may be other blobs' bytes.</summary>
    const ulong GapBytesMax = 256 * Units.KiB;
    const ulong ZeroRunBytesMax = 256 * Units.MiB;

    /// <summary>Neighbours on the disk; of zeroes, or from one pack.</summary>
    sealed record Run(bool IsZero, List<DiskExtent> Extents, int PackIndex, ulong FirstBytes, ulong EndBytes);

    readonly OpenedRepository _repository;
    readonly Engine _engine;
    readonly PointDisk _point;
    readonly IBlockDevice _target;
    readonly RestoreMode _mode;
    readonly CancellationToken _cancel;
    readonly BlockingCollection<Run> _runs = new(RunsAhead);
    readonly DeviceLanes _lanes;
    readonly ConcurrentDictionary<ulong, BlobId> _zeroIds = new();
    RepositoryException? _unwritten;
    ulong _writtenBytes;
    ulong _firstDifference = NoDifference;

    public const ulong NoDifference = ulong.MaxValue;

    /// <param name="repository">With its index.</param>
    /// <param name="engine">Buffers as long as the longest blob.</param>
    /// <param name="point">What to restore.</param>
    /// <param name="target">On the engine's reactor, as long as the point at least.</param>
    /// <param name="mode">What to do with each chunk.</param>
    /// <param name="cancel">Ends it.</param>
    public DiskRestore(
        OpenedRepository repository,
        Engine engine,
        PointDisk point,
        IBlockDevice target,
        RestoreMode mode,
        CancellationToken cancel
    )
    {
        (_repository, _engine, _point, _target, _mode, _cancel) = (repository, engine, point, target, mode, cancel);
        Progress = new DiskProgress(point.SizeBytes);
        _lanes = new DeviceLanes(engine, target, DeviceLanes.CountOf(engine, LanesMax));
    }

    public DiskProgress Progress { get; }

    /// <summary>Of the target.</summary>
    public ulong WrittenBytes => Volatile.Read(ref _writtenBytes);

    /// <summary>With Compare: the offset of the first chunk that differs.</summary>
    public ulong FirstDifference => Volatile.Read(ref _firstDifference);

    /// <summary>The longest blob of a point: what a buffer must hold.</summary>
    /// <exception cref="RepositoryException">Damaged: something of it is not there.</exception>
    public static ulong LongestBytes(OpenedRepository repository, PointDisk point)
    {
        ulong longest = 4096;
        for (int part = 0; part < point.PartCount; part++)
            foreach (DiskExtent extent in point.Load(part))
            {
                if (!extent.IsKnown)
                    throw repository.Missing(extent.Id, BlobKind.Content);
                longest = Math.Max(longest, extent.LengthBytes);
            }
        return longest;
    }

    /// <summary>Flushed when this returns, with the mark of an unfinished image taken away.</summary>
    /// <exception cref="RepositoryException">The target is not the point.</exception>
    public void Execute()
    {
        bool isWritten = _mode != RestoreMode.Compare;
        if (isWritten)
            _engine.Reactor.Invoke(() => _target.BeginImage(0));
        try
        {
            RunAll();
            if (isWritten)
                Flush();
        }
        finally
        {
            if (isWritten && !_engine.Reactor.HasFailed)
                _engine.Reactor.Invoke(_target.EndImage);
        }
    }

    public void Dispose()
    {
        _lanes.Dispose();
        _runs.Dispose();
    }

    void RunAll()
    {
        // Twice as many as processors: while one waits for a disk, another one opens blobs.
        using Workers workers = new(2 * Workers.CountUsual, Work, _cancel);
        try
        {
            Plan(workers.Stop);
            _runs.CompleteAdding();
            workers.Join();
            _lanes.Drain(_cancel);
            ThrowIfUnwritten();
        }
        catch
        {
            workers.Dispose();
            Settle();
            workers.ThrowIfFailed(); // what went wrong first
            throw;
        }
    }

    /// <summary>Waits for the writes under way: until their ends their buffers belong to the device.</summary>
    void Settle()
    {
        while (!_lanes.IsIdle && !_engine.Reactor.HasFailed)
            Thread.Sleep(SettleLookMs);
    }

    void Plan(CancellationToken stop)
    {
        Run? open = null;
        for (int part = 0; part < _point.PartCount; part++)
            foreach (DiskExtent extent in _point.Load(part))
            {
                if (!_repository.Index.TryFind(extent.Id, out BlobPlace place))
                    throw _repository.Missing(extent.Id, BlobKind.Content);
                bool isZero = extent.Id == ZeroIdOf(extent.LengthBytes);
                if (open != null && TryExtend(open, extent, place, isZero) is { } longer)
                {
                    open = longer;
                    continue;
                }
                if (open != null)
                    _runs.Add(open, stop);
                ulong end = place.OffsetBytes + (ulong)place.SealedBytes;
                open = new Run(isZero, [extent], place.PackIndex, place.OffsetBytes, end);
            }
        if (open != null)
            _runs.Add(open, stop);
    }

    static Run? TryExtend(Run run, DiskExtent extent, BlobPlace place, bool isZero)
    {
        ulong bytes = extent.OffsetBytes + extent.LengthBytes - run.Extents[0].OffsetBytes;
        if (run.IsZero != isZero || bytes > (isZero ? ZeroRunBytesMax : RunBytesMax))
            return null;
        ulong first = Math.Min(run.FirstBytes, place.OffsetBytes);
        ulong end = Math.Max(run.EndBytes, place.OffsetBytes + (ulong)place.SealedBytes);
        ulong grown = end - first - (run.EndBytes - run.FirstBytes);
        bool isNear = grown <= place.SealedBytes + GapBytesMax && end - first <= RunBytesMax + GapBytesMax;
        if (!isZero && (place.PackIndex != run.PackIndex || !isNear))
            return null;
        run.Extents.Add(extent);
        return run with { FirstBytes = first, EndBytes = end };
    }

    BlobId ZeroIdOf(ulong length) => _zeroIds.GetOrAdd(length, bytes => BlobId.Of(new byte[bytes]));

    void Work(CancellationToken stop)
    {
        BlobCodec codec = _repository.Codecs.Rent();
        PackWindow window = new(_repository.Store);
        try
        {
            foreach (Run run in _runs.GetConsumingEnumerable(stop))
            {
                if (run.IsZero)
                    Zero(run, stop);
                else if (_mode is RestoreMode.OntoZeroes or RestoreMode.OverAnything)
                    Fetch(run, window, codec, stop);
                else
                    Compare(run, codec, stop);
            }
        }
        finally
        {
            _repository.Codecs.Return(codec);
        }
    }

    void Zero(Run run, CancellationToken stop)
    {
        DiskExtent last = run.Extents[^1];
        ulong offset = run.Extents[0].OffsetBytes;
        ulong length = last.OffsetBytes + last.LengthBytes - offset;
        if (_mode == RestoreMode.OntoZeroes)
        {
            Progress.AddHole(length);
            return;
        }
        if (_mode == RestoreMode.OverAnything)
        {
            WriteZeroes(offset, length, stop);
            Progress.AddHole(length);
            return;
        }
        foreach (DiskExtent extent in run.Extents)
        {
            DeviceLane lane = _lanes.Take(stop);
            bool isSame = BitmapKernels.IsAllZero(ReadTarget(lane, extent));
            _lanes.Return(lane);
            if (isSame)
                Progress.AddSame(extent.LengthBytes);
            else if (_mode == RestoreMode.Compare)
                Differ(extent);
            else
            {
                WriteZeroes(extent.OffsetBytes, extent.LengthBytes, stop);
                Progress.AddHole(extent.LengthBytes);
            }
        }
    }

    /// <summary>All of a run, by one read.</summary>
    void Fetch(Run run, PackWindow window, BlobCodec codec, CancellationToken stop)
    {
        string pack = PackOf(run);
        ReadOnlySpan<byte> fetched = window.Read(pack, run.FirstBytes, run.EndBytes);
        DeviceLane? lane = null; // neighbours, from the lane's begin on
        try
        {
            foreach (DiskExtent extent in run.Extents)
            {
                if (lane != null && lane.LengthBytes + extent.LengthBytes > _lanes.BufferBytes)
                    Write(ref lane);
                lane ??= TakeFor(extent, stop);
                _ = _repository.Index.TryFind(extent.Id, out BlobPlace place);
                int start = (int)(place.OffsetBytes - run.FirstBytes);
                Span<byte> text = _lanes.Bytes(lane, lane.LengthBytes + extent.LengthBytes)[(int)lane.LengthBytes..];
                if (!codec.TryOpen(extent.Id, place, fetched.Slice(start, (int)place.SealedBytes), text))
                    throw Damaged(extent, pack);
                if (_mode == RestoreMode.OntoZeroes && BitmapKernels.IsAllZero(text))
                {
                    Progress.AddHole(extent.LengthBytes);
                    Write(ref lane);
                }
                else
                    lane.LengthBytes += extent.LengthBytes;
            }
            Write(ref lane);
        }
        finally
        {
            if (lane != null)
                _lanes.Return(lane);
        }
    }

    DeviceLane TakeFor(DiskExtent extent, CancellationToken stop)
    {
        ThrowIfUnwritten();
        DeviceLane lane = _lanes.Take(stop);
        (lane.OffsetBytes, lane.LengthBytes) = (extent.OffsetBytes, 0);
        return lane;
    }

    /// <summary>Starts the write of what has been gathered; nothing waits for it but the end of all.</summary>
    void Write(ref DeviceLane? lane)
    {
        if (lane == null)
            return;
        (DeviceLane full, lane) = (lane, null);
        if (full.LengthBytes == 0)
            _lanes.Return(full);
        else
            _lanes.Start(full, BlockOperation.Write, full.OffsetBytes, full.LengthBytes, OnWritten);
    }

    void OnWritten(DeviceLane lane)
    {
        if (lane.Fault.IsFault)
            _ = Interlocked.CompareExchange(ref _unwritten, Unwritten(lane.Fault, lane.OffsetBytes), null);
        else
        {
            _ = Interlocked.Add(ref _writtenBytes, lane.LengthBytes);
            Progress.AddRead(lane.LengthBytes);
        }
        _lanes.Return(lane);
    }

    void Compare(Run run, BlobCodec codec, CancellationToken stop)
    {
        foreach (DiskExtent extent in run.Extents)
        {
            DeviceLane? lane = TakeFor(extent, stop);
            if (BlobId.Of(ReadTarget(lane, extent)) == extent.Id)
            {
                Progress.AddSame(extent.LengthBytes);
                _lanes.Return(lane);
                continue;
            }
            if (_mode == RestoreMode.Compare)
            {
                _lanes.Return(lane);
                Differ(extent);
                continue;
            }
            try
            {
                _ = _repository.Index.TryFind(extent.Id, out BlobPlace place);
                Span<byte> blob = codec.Sealed((int)place.SealedBytes);
                string pack = PackOf(run);
                _repository.Store.Read(StoreKind.Pack, pack, place.OffsetBytes, blob);
                if (!codec.TryOpen(extent.Id, place, blob, _lanes.Bytes(lane, extent.LengthBytes)))
                    throw Damaged(extent, pack);
                Write(ref lane);
            }
            finally
            {
                if (lane != null)
                    _lanes.Return(lane);
            }
        }
    }

    ReadOnlySpan<byte> ReadTarget(DeviceLane lane, DiskExtent extent)
    {
        Fault fault = _lanes.Run(lane, BlockOperation.Read, extent.OffsetBytes, extent.LengthBytes);
        if (fault.IsNone)
            return _lanes.Bytes(lane, extent.LengthBytes);
        _lanes.Return(lane);
        throw new RepositoryException(
            RepositoryError.Disk,
            $"cannot read '{_target.Name}': {fault.At(extent.OffsetBytes)}"
        );
    }

    void WriteZeroes(ulong offset, ulong length, CancellationToken stop)
    {
        DeviceLane lane = _lanes.Take(stop);
        Fault fault = _lanes.Run(lane, BlockOperation.WriteZeroes, offset, length, BlockFlags.MayUnmap);
        _lanes.Return(lane);
        if (fault.IsFault)
            throw Unwritten(fault, offset);
    }

    void ThrowIfUnwritten()
    {
        if (Volatile.Read(ref _unwritten) is { } first)
            throw new RepositoryException(first.Error, first.Message, first);
    }

    RepositoryException Unwritten(Fault fault, ulong offsetBytes) =>
        new(
            fault.Kind == FaultKind.NoSpace ? RepositoryError.NoSpace : RepositoryError.Disk,
            $"cannot write to '{_target.Name}': {fault.At(offsetBytes)}"
        );

    void Flush()
    {
        DeviceLane lane = _lanes.Take(CancellationToken.None);
        Fault fault = _lanes.Run(lane, BlockOperation.Flush, 0, 0, BlockFlags.Seal);
        _lanes.Return(lane);
        if (fault.IsFault)
            throw new RepositoryException(
                RepositoryError.Disk,
                $"cannot flush '{_target.Name}': {fault}; what was written cannot be relied on"
            );
    }

    void Differ(DiskExtent extent)
    {
        ulong seen = FirstDifference;
        while (extent.OffsetBytes < seen)
            seen =
                Interlocked.CompareExchange(ref _firstDifference, extent.OffsetBytes, seen) is var was && was == seen
                    ? extent.OffsetBytes
                    : was;
        Progress.AddRead(extent.LengthBytes);
    }

    string PackOf(Run run)
    {
        _ = _repository.Index.TryFind(run.Extents[0].Id, out BlobPlace place);
        return _repository.Index.PackOf(place).ToString();
    }

    RepositoryException Damaged(DiskExtent extent, string pack) =>
        new(
            RepositoryError.Damaged,
            $"blob {extent.Id} in pack {pack} of '{_repository.Store.Name}' is damaged: {extent.LengthBytes} bytes at "
                + $"offset {extent.OffsetBytes} of '{_point.Path}' cannot be restored; take another point, or a copy"
        );
}
