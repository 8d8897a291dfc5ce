// Points of a small disk in memory, in a store that may fail: made, and looked at. The disk has versions, and a point
// says of which one it is, so that a wrong point is known as such.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Repositories;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Points;

/// <summary>Threads: one.</summary>
sealed class TrialPoints : IDisposable
{
    public const string Password = "a";

    // Small: it is made some thousand times.
    const int ChunkBytes = 4 << 10;
    const int ZeroBytes = 2 * ChunkBytes;
    const int DiskBytes = 8 * ChunkBytes + 100;
    const int PackBytes = 12 << 10; // some of them: they are stored while the disk is read
    const int CheapCost = 2;
    const int ChangeStride = 5_000;

    readonly Engine _engine;

    public TrialPoints()
    {
        EngineOptions options = new() { BufferBytes = 1 << 20, ChunkBytes = 64 << 10 };
        Assert.Equal(Fault.None, Engine.TryOpen(options, out Engine? engine));
        _engine = engine!;
    }

    /// <summary>A new repository with points of these versions.</summary>
    public FaultyStore Make(params int[] versions)
    {
        FaultyStore store = new();
        Create(store);
        foreach (int version in versions)
            _ = BackUp(store, version, TimeSpan.Zero);
        store.Restart();
        return store;
    }

    public static void Create(IStore store) => OpenedRepository.Create(store, Password, CheapCost).Dispose();

    public static RetryingStore Retrying(FaultyStore inner, TimeSpan patience) =>
        new(inner, patience, CancellationToken.None, firstWaitMs: 2);

    /// <summary>Counts operations from here on.</summary>
    /// <param name="inner">The store.</param>
    /// <param name="version">Of the disk.</param>
    /// <param name="patience">With failures.</param>
    /// <param name="isIncremental">From the newest point on.</param>
    /// <param name="now">The time, for the lock; null: the machine's.</param>
    public BlobId BackUp(
        FaultyStore inner,
        int version,
        TimeSpan patience,
        bool isIncremental = false,
        Func<DateTime>? now = null
    )
    {
        inner.Restart();
        using OpenedRepository repository = OpenedRepository.Open(Retrying(inner, patience), Password);
        using RepositoryLock held = RepositoryLock.Take(repository, isExclusive: false, now);
        List<StoredPoint> points = repository.LoadSnapshots();
        repository.LoadIndex();
        PointDisk? parent = isIncremental ? PointDisk.Find(repository, points[^1], null) : null;
        using HierarchicalBitmap? changed = parent == null ? null : Changed(parent, version);
        using Disk disk = new(_engine, Content(version));
        BackupPlan plan = new()
        {
            Disk = "disk",
            Source = version.ToString(CultureInfo.InvariantCulture),
            ChunkBytes = ChunkBytes,
            Parent = parent,
            Changed = changed,
        };
        PointHead head = new("host", new DateTime(2026, 1, version, 0, 0, 0, DateTimeKind.Utc), [])
        {
            PackBytes = PackBytes,
        };
        using PointDraft draft = new(repository, held, head, CancellationToken.None);
        using DiskBackup backup = new(repository, draft, _engine, disk.Device, plan, CancellationToken.None);
        _ = backup.Execute();
        return draft.Finish(parent?.Snapshot.Id);
    }

    /// <summary>The newest point, as a disk.</summary>
    /// <returns>Whether it is the disk of its version.</returns>
    public bool Restore(FaultyStore inner, TimeSpan patience)
    {
        inner.Restart();
        using OpenedRepository repository = OpenedRepository.Open(Retrying(inner, patience), Password);
        using RepositoryLock held = RepositoryLock.Take(repository, isExclusive: false);
        StoredPoint point = repository.LoadSnapshots()[^1];
        repository.LoadIndex();
        PointDisk source = PointDisk.Find(repository, point, null);
        using Disk disk = new(_engine, new byte[source.SizeBytes]);
        using (DiskRestore restore = new(repository, _engine, source, disk.Device, RestoreMode.OverAnything, default))
            restore.Execute();
        return disk.Read().AsSpan().SequenceEqual(Content(VersionOf(source)));
    }

    /// <summary>All points are whole, and the disk that they say; and there are so many.</summary>
    public static void AssertPoints(FaultyStore store, int least, int most = int.MaxValue, bool isClean = true)
    {
        using OpenedRepository repository = OpenedRepository.Open(store, Password);
        List<StoredPoint> points = repository.LoadSnapshots();
        Assert.InRange(points.Count, least, most);
        repository.LoadIndex();
        Verification verification = new(repository, CancellationToken.None);
        verification.CheckStructure(points);
        verification.ReadPacks(1, 1, (_, _) => { });
        if (isClean)
            Assert.Empty(verification.Problems);
        foreach (StoredPoint point in points)
        {
            PointDisk disk = PointDisk.Find(repository, point, null);
            byte[] expected = Content(VersionOf(disk));
            foreach (DiskExtent extent in disk.Load(0))
                Assert.True(
                    repository
                        .LoadBlob(extent.Id, BlobKind.Content)
                        .AsSpan()
                        .SequenceEqual(expected.AsSpan((int)extent.OffsetBytes, (int)extent.LengthBytes))
                );
        }
    }

    public void Dispose() => _engine.Dispose();

    static int VersionOf(PointDisk disk) => int.Parse(disk.Document!.Source, CultureInfo.InvariantCulture);

    static byte[] Content(int version)
    {
        byte[] content = new byte[DiskBytes];
        new Random(1).NextBytes(content);
        content.AsSpan(DiskBytes / 2 / ChunkBytes * ChunkBytes, ZeroBytes).Clear();
        content[version * ChangeStride] ^= 0x5a;
        return content;
    }

    static HierarchicalBitmap Changed(PointDisk parent, int version)
    {
        HierarchicalBitmap changed = HierarchicalBitmap.Create(parent.SizeBytes, 4096);
        foreach (int of in new[] { VersionOf(parent), version })
            changed.SetBits((ulong)(of * ChangeStride / 4096), 1);
        return changed;
    }

    /// <summary>On the engine's reactor.</summary>
    sealed class Disk : IDisposable
    {
        readonly Engine _engine;
        readonly int _length;

        public Disk(Engine engine, byte[] content)
        {
            (_engine, _length) = (engine, content.Length);
            MemoryDevice? device = null;
            engine.Reactor.Invoke(() =>
            {
                device = new MemoryDevice(engine.Reactor, "disk", (ulong)content.Length);
                content.CopyTo(device.Content(0, content.Length));
                device.MarkAllAllocated();
            });
            Device = device!;
        }

        public MemoryDevice Device { get; }

        public byte[] Read()
        {
            byte[] content = new byte[_length];
            _engine.Reactor.Invoke(() => Device.Content(0, _length).CopyTo(content));
            return content;
        }

        public void Dispose() => _engine.Reactor.Invoke(Device.Dispose);
    }
}
