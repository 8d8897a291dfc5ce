// A point in time as a device of the engine: what is read is fetched from the repository chunk by chunk, opened,
// checked and kept for a while, on threads that may wait for the store (ThreadedFront). With an overlay clients may
// write: what they have written is read from there.
//
//   loop   Submit --> queue --> thread: overlay? zero? cache? -> pack -> decrypt -> unpack -> hash --> loop: completion
//
// A chunk that cannot be read fails the requests that touch it, and nothing else; why is said once.
using System;
using System.Collections.Generic;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;
using FastBackup.Serving;

namespace FastBackup.Repositories;

/// <summary>Threads: the loop's; its own threads wait. Close before Dispose.</summary>
sealed class PointDevice : ThreadedFront
{
    const uint AtOnceMax = 256;
    const int ThreadsMin = 4;
    const int ToldMax = 4096;

    readonly PointDisk _point;
    readonly PointMap _map;
    readonly ChunkCache _cache;
    readonly OverlayFile? _overlay;
    readonly Action<string> _tell;
    readonly HashSet<string> _told = [];

    /// <param name="loop">Drives it.</param>
    /// <param name="repository">With its index, locked for as long as this is open.</param>
    /// <param name="point">Which disk, when.</param>
    /// <param name="cacheBytes">For chunks that nobody reads at the moment.</param>
    /// <param name="overlay">Takes writes; null: it is read-only. Owner: the caller.</param>
    /// <param name="tell">Told in a sentence what cannot be read, each time once; on any thread.</param>
    public PointDevice(
        IIoLoop loop,
        OpenedRepository repository,
        PointDisk point,
        ulong cacheBytes,
        OverlayFile? overlay,
        Action<string> tell
    )
        : base(loop, AtOnceMax)
    {
        (_point, _overlay, _tell) = (point, overlay, tell);
        _map = new PointMap(repository, point);
        _cache = new ChunkCache(repository, cacheBytes);
        Limits = new BlockLimits
        {
            CapacityBytes = point.SizeBytes,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
            IsReadOnly = overlay == null,
            InFlightMax = AtOnceMax,
            ReadsThroughCache = true,
        };
        // More than processors: some wait for the store while others open what has come.
        StartThreads(Math.Max(ThreadsMin, 2 * Workers.CountUsual));
    }

    public override string Name => _point.Path;

    public override BlockLimits Limits { get; }

    /// <summary>Ends its threads, when nothing is in flight any more. Waits.</summary>
    public void Close() => EndThreads();

    protected override Fault HandOn(in BlockRequest request, ulong key)
    {
        if (request.Operation.HasRange())
        {
            if (!new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes))
                return new Fault(FaultKind.Range, 0, request.OffsetBytes);
            if (request.Operation.IsWrite() && _overlay == null)
                return new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes);
        }
        if (request.Operation == BlockOperation.Size)
            return new Fault(FaultKind.Unsupported);
        Enqueue(request, key);
        return Fault.None;
    }

    protected override BlockResult Execute(in BlockRequest request)
    {
        ulong offset = request.OffsetBytes;
        try
        {
            switch (request.Operation)
            {
                case BlockOperation.Map:
                    return new BlockResult(Fault.None, Map(offset, offset + request.LengthBytes, Entries(request)));
                case BlockOperation.Read:
                    Read(ref offset, Buffer(request));
                    return default;
                case BlockOperation.Write:
                    _overlay!.Write(offset, Buffer(request), ReadBelow);
                    break;
                case BlockOperation.WriteZeroes or BlockOperation.Discard:
                    _overlay!.WriteZeroes(offset, request.LengthBytes, ReadBelow);
                    break;
                default:
                    break;
            }
            if (request.Operation == BlockOperation.Flush || (request.Flags & BlockFlags.Fua) != 0)
                _overlay?.Flush();
            return default;
        }
        catch (RepositoryException exception)
        {
            if (exception.Error != RepositoryError.Canceled)
                TellOnce(exception.Message);
            return new BlockResult(
                exception.Error == RepositoryError.NoSpace
                    ? new Fault(FaultKind.NoSpace, Errnos.ENOSPC, offset)
                    : new Fault(FaultKind.Io, Errnos.EIO, offset)
            );
        }
#pragma warning disable CA1031 // whatever it was: a client waits for an answer, and the next request may go well
        catch (Exception exception)
#pragma warning restore CA1031
        {
            TellOnce($"a request at offset {offset} of '{_point.Path}' failed: {exception.Message}");
            return new BlockResult(new Fault(FaultKind.Io, Errnos.EIO, offset));
        }
    }

    static unsafe Span<byte> Buffer(in BlockRequest request) =>
        // SAFETY: the caller keeps LengthBytes at Buffer until the completion.
        new((void*)request.Buffer, (int)request.LengthBytes);

    static unsafe Span<MapEntry> Entries(in BlockRequest request) =>
        // SAFETY: the caller keeps room for MapCapacity entries until the completion.
        new((void*)request.Buffer, (int)request.MapCapacity);

    /// <param name="offset">On the disk; after an exception where it stands.</param>
    /// <param name="bytes">To fill.</param>
    void Read(ref ulong offset, Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bool isWritten = false;
            ulong end = offset + (ulong)bytes.Length;
            if (_overlay != null)
                end = _overlay.RunFrom(offset, end, out isWritten);
            int count = (int)(end - offset);
            if (isWritten)
                _overlay!.Read(offset, bytes[..count]);
            else
                count = ReadChunk(offset, bytes[..count]);
            offset += (ulong)count;
            bytes = bytes[count..];
        }
    }

    void ReadBelow(ulong offsetBytes, Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int count = ReadChunk(offsetBytes, bytes);
            offsetBytes += (ulong)count;
            bytes = bytes[count..];
        }
    }

    /// <returns>Bytes that one chunk has of them.</returns>
    int ReadChunk(ulong offsetBytes, Span<byte> bytes)
    {
        DiskExtent extent = _map.Find(offsetBytes);
        int within = (int)(offsetBytes - extent.OffsetBytes);
        int count = (int)Math.Min((ulong)bytes.Length, extent.LengthBytes - (ulong)within);
        if (_map.IsZero(extent))
        {
            bytes[..count].Clear();
            return count;
        }
        CachedChunk chunk;
        try
        {
            chunk = _cache.Take(extent.Id);
        }
        catch (RepositoryException exception)
        {
            throw new RepositoryException(
                exception.Error,
                $"'{_point.Path}' cannot be read at offset {extent.OffsetBytes} for {extent.LengthBytes} bytes: "
                    + exception.Message,
                exception
            );
        }
        chunk.Bytes.Slice(within, count).CopyTo(bytes);
        _cache.Return(chunk);
        return count;
    }

    /// <returns>Entries filled; they reach as far as there is room.</returns>
    uint Map(ulong offset, ulong end, Span<MapEntry> entries)
    {
        uint count = 0;
        while (offset < end)
        {
            bool isWritten = false;
            ulong next = _overlay == null ? end : _overlay.RunFrom(offset, end, out isWritten);
            bool isHole = false;
            if (!isWritten)
            {
                DiskExtent extent = _map.Find(offset);
                next = Math.Min(next, extent.OffsetBytes + extent.LengthBytes);
                isHole = _map.IsZero(extent);
            }
            MapEntry entry = new()
            {
                OffsetBytes = offset,
                LengthBytes = next - offset,
                Kind = isHole ? ExtentKind.Hole : ExtentKind.Data,
                Depth = _overlay != null && !isWritten && !isHole ? 1u : 0,
            };
            offset = next;
            if (count > 0 && IsLike(entries[(int)count - 1], entry))
                entries[(int)count - 1].LengthBytes += entry.LengthBytes;
            else if (count == entries.Length)
                break;
            else
                entries[(int)count++] = entry;
        }
        return count;
    }

    static bool IsLike(in MapEntry one, in MapEntry next) => (one.Kind, one.Depth) == (next.Kind, next.Depth);

    void TellOnce(string sentence)
    {
        lock (_told)
            if (_told.Count >= ToldMax || !_told.Add(sentence))
                return;
        _tell(sentence);
    }
}
