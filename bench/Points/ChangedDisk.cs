// A disk in memory with a repository in a folder: a full backup, changes, an incremental one.
using System;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Bench.Points;

/// <summary>Threads: one.</summary>
sealed class ChangedDisk : IDisposable
{
    const int PageBytes = 4096;
    const int CheapCost = 2;

    readonly Engine _engine;
    readonly MemoryDevice _disk;
    readonly OpenedRepository _repository;
    readonly Random _random = new(1);

    public ChangedDisk(string folder, ulong sizeBytes)
    {
        EngineOptions options = new() { ChunkBytes = (uint)DiskLayout.ChunkBytesMax };
        Fault fault = Engine.TryOpen(options, out Engine? engine);
        if (fault.IsFault)
            throw new InvalidOperationException(fault.ToString());
        _engine = engine!;
        MemoryDevice? disk = null;
        _engine.Reactor.Invoke(() => disk = new MemoryDevice(_engine.Reactor, "disk", sizeBytes));
        _disk = disk!;
        _repository = OpenedRepository.Create(new LocalStore(folder), "bench", CheapCost);
        Fill(0, sizeBytes);
        _engine.Reactor.Invoke(_disk.MarkAllAllocated);
    }

    /// <summary>Changes 1 % of the disk and backs it up.</summary>
    public ChangeCost Measure(ulong chunkBytes, ulong pieceBytes)
    {
        BlobId first = BackUp(chunkBytes, null, null, out _);
        ulong sizeBytes = _disk.Limits.CapacityBytes;
        using HierarchicalBitmap changed = HierarchicalBitmap.Create(sizeBytes, pieceBytes);
        ulong count = sizeBytes / 100 / pieceBytes;
        for (ulong i = 0; i < count; i++)
        {
            ulong offset = (ulong)_random.NextInt64((long)(sizeBytes / pieceBytes)) * pieceBytes;
            Fill(offset, pieceBytes);
            changed.SetBits(offset / pieceBytes, 1);
        }
        PointDisk parent = PointDisk.Find(_repository, _repository.LoadSnapshot(first.ToString()), null);
        (ulong content, ulong trees) = Stored();
        ulong index = IndexBytes();
        long start = Stopwatch.GetTimestamp();
        _ = BackUp(chunkBytes, parent, changed, out ulong readBytes);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        (ulong contentAfter, ulong treesAfter) = Stored();
        double changedBytes = changed.CountBytes();
        double metadata = treesAfter - trees + IndexBytes() - index;
        return new ChangeCost(
            (contentAfter - content) / changedBytes,
            readBytes / changedBytes,
            metadata * Units.TiB / sizeBytes,
            seconds
        );
    }

    public void Dispose()
    {
        _repository.Dispose();
        _engine.Reactor.Invoke(_disk.Dispose);
        _engine.Dispose();
    }

    BlobId BackUp(ulong chunkBytes, PointDisk? parent, HierarchicalBitmap? changed, out ulong readBytes)
    {
        using RepositoryLock held = RepositoryLock.Take(_repository, isExclusive: false);
        _repository.LoadIndex();
        PointHead head = new("host", DateTime.UtcNow, []);
        BackupPlan plan = new()
        {
            Disk = "disk",
            Source = "memory",
            ChunkBytes = chunkBytes,
            Parent = parent,
            Changed = changed,
        };
        using PointDraft draft = new(_repository, held, head, CancellationToken.None);
        using DiskBackup backup = new(_repository, draft, _engine, _disk, plan, CancellationToken.None);
        _ = backup.Execute();
        readBytes = backup.Progress.ReadBytes;
        return draft.Finish(parent?.Snapshot.Id);
    }

    /// <summary>Half of each page is random, half a text.</summary>
    void Fill(ulong offset, ulong lengthBytes)
    {
        for (ulong done = 0; done < lengthBytes; done += PageBytes)
        {
            Span<byte> page = _disk.Content(offset + done, PageBytes);
            _random.NextBytes(page[..(PageBytes / 2)]);
            page[(PageBytes / 2)..].Fill((byte)'a');
        }
    }

    (ulong Content, ulong Trees) Stored()
    {
        ulong[] sums = new ulong[2];
        foreach (PackedBlob blob in _repository.Index.ByPack().SelectMany(pack => pack.Blobs))
            sums[(int)blob.Place.Kind] += blob.Place.SealedBytes;
        return (sums[(int)BlobKind.Content], sums[(int)BlobKind.Tree]);
    }

    ulong IndexBytes() => (ulong)_repository.Store.List(StoreKind.Index).Sum(file => file.SizeBytes);
}
