// A store that fails: each operation of a backup once, twice, for ever, or after it has succeeded and only its answer
// was lost. Whatever happens, there is never a point that is wrong, and a backup that says it succeeded has.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Repositories;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class StoreFaultTests
{
    const int Mebi = 1 << 20;
    const string Password = "a";

    [Theory]
    [InlineData(StoreFailure.Before, 1)]
    [InlineData(StoreFailure.Before, 2)]
    [InlineData(StoreFailure.After, 1)]
    [InlineData(StoreFailure.After, 2)]
    [InlineData(StoreFailure.Half, 1)]
    public void OperationThatFailsAndThenWorks_ChangesNothing(StoreFailure failure, int times)
    {
        foreach (long at in Operations(2))
        {
            FaultyStore store = new();
            OpenedRepository.Create(store, Password, 2).Dispose();
            store.FailAt(at, times, failure);
            BlobId point = BackUp(store, 1, TimeSpan.FromSeconds(20));
            store.FailAt(long.MaxValue, 0, failure);
            AssertPoints(store, 1);
            Assert.NotEqual(default, point);
            Assert.Empty(store.List(StoreKind.Lock));
        }
    }

    [Theory]
    [InlineData(StoreFailure.Before)]
    [InlineData(StoreFailure.After)]
    [InlineData(StoreFailure.Half)]
    public void OperationThatFailsForEver_LeavesNoWrongPoint(StoreFailure failure)
    {
        foreach (long at in Operations(2))
        {
            FaultyStore store = new();
            OpenedRepository.Create(store, Password, 2).Dispose();
            _ = BackUp(store, 1, TimeSpan.Zero);
            store.FailAt(at, int.MaxValue, failure);
            bool isDone = true;
            try
            {
                _ = BackUp(store, 2, TimeSpan.Zero);
            }
            catch (RepositoryException exception)
            {
                isDone = false;
                Assert.Contains("simulated", exception.Message, StringComparison.Ordinal);
            }
            store.FailAt(long.MaxValue, 0, failure);
            // One whose answer was lost may be there all the same: then it is whole. Half a document is no document,
            // and said to be damaged.
            AssertPoints(store, isDone ? 2 : 1, 2, failure != StoreFailure.Half);
            _ = BackUp(store, 3, TimeSpan.Zero);
            AssertPoints(store, 2, 3, failure != StoreFailure.Half);
        }
    }

    [Fact]
    public void StoreThatIsFull_SaysSo_AndNoPointIsMade()
    {
        FaultyStore store = new() { Error = RepositoryError.NoSpace };
        OpenedRepository.Create(store, Password, 2).Dispose();
        store.FailPacks();
        RepositoryException exception = Assert.Throws<RepositoryException>(() =>
            BackUp(store, 1, TimeSpan.FromSeconds(20))
        );
        Assert.Equal(RepositoryError.NoSpace, exception.Error);
        Assert.Empty(store.List(StoreKind.Snapshot));
        Assert.Empty(store.List(StoreKind.Lock));
    }

    [Fact]
    public void LockThatWasTakenAway_StopsThePoint()
    {
        FaultyStore store = new();
        OpenedRepository.Create(store, Password, 2).Dispose();
        store.OnWrite = (kind, _) =>
        {
            if (kind == StoreKind.Pack)
                foreach (StoredFile file in store.List(StoreKind.Lock))
                    store.Remove(StoreKind.Lock, file.Name);
        };
        RepositoryException exception = Assert.Throws<RepositoryException>(() => BackUp(store, 1, TimeSpan.Zero));
        Assert.Equal(RepositoryError.Locked, exception.Error);
        Assert.Empty(store.List(StoreKind.Snapshot));
    }

    [Fact]
    public void SnapshotIsWrittenLast_AndTheIndexAfterItsPacks()
    {
        FaultyStore store = new();
        OpenedRepository.Create(store, Password, 2).Dispose();
        List<StoreKind> order = [];
        store.OnWrite = (kind, _) => order.Add(kind);
        _ = BackUp(store, 1, TimeSpan.Zero);
        _ = order.RemoveAll(kind => kind == StoreKind.Lock);
        Assert.Equal(StoreKind.Snapshot, order[^1]);
        Assert.Equal(StoreKind.Index, order[^2]);
        Assert.All(order[..^2], kind => Assert.Equal(StoreKind.Pack, kind));
    }

    [Fact]
    public void Locks_KeepOthersOutAsTheFormatSays()
    {
        FaultyStore store = new();
        using OpenedRepository one = OpenedRepository.Create(store, Password, 2);
        DateTime now = DateTime.UtcNow;
        using (RepositoryLock shared = RepositoryLock.Take(one, false, () => now))
        {
            using (RepositoryLock other = RepositoryLock.Take(one, false, () => now))
                other.Ensure();
            Assert.Equal(RepositoryError.Locked, Error(() => RepositoryLock.Take(one, true, () => now)));
            shared.Ensure();
            now = now.AddMinutes(21);
            Assert.Equal(RepositoryError.Locked, Error(shared.Ensure)); // it was not refreshed: others may not trust it
            now = now.AddMinutes(10);
            using RepositoryLock alone = RepositoryLock.Take(one, true, () => now); // the old one is nobody's
            Assert.Equal(RepositoryError.Locked, Error(() => RepositoryLock.Take(one, false, () => now)));
            Assert.Single(store.List(StoreKind.Lock));
        }
        Assert.Empty(store.List(StoreKind.Lock));
    }

    static RepositoryError Error(Action act) => Assert.Throws<RepositoryException>(act).Error;

    /// <summary>Which operations of a backup there are to fail: one of so many.</summary>
    static IEnumerable<long> Operations(int stride)
    {
        FaultyStore store = new();
        OpenedRepository.Create(store, Password, 2).Dispose();
        _ = BackUp(store, 1, TimeSpan.Zero);
        return Enumerable.Range(0, (int)store.OperationCount).Where(one => one % stride == 0).Select(one => (long)one);
    }

    /// <summary>All points are whole, and the disk that they say.</summary>
    [Fact]
    public void StoreThatGoesOnFailing_IsToldOnce()
    {
        FaultyStore inner = new();
        inner.FailAt(0, int.MaxValue, StoreFailure.Before);
        List<string> told = [];
        using RetryingStore store = new(inner, TimeSpan.FromSeconds(0.6), CancellationToken.None, 2, told.Add);
        for (int i = 0; i < 2; i++)
            _ = Assert.Throws<RepositoryException>(() => store.List(StoreKind.Key));
        Assert.EndsWith("; it is tried again for 0 min", Assert.Single(told), StringComparison.Ordinal);
    }

    static void AssertPoints(FaultyStore store, int least, int most = int.MaxValue, bool isClean = true)
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
            byte[] expected = Content(int.Parse(disk.Document!.Source, null));
            foreach (DiskExtent extent in disk.Load(0))
                Assert.True(
                    repository
                        .LoadBlob(extent.Id, BlobKind.Content)
                        .AsSpan()
                        .SequenceEqual(expected.AsSpan((int)extent.OffsetBytes, (int)extent.LengthBytes))
                );
        }
    }

    static byte[] Content(int version)
    {
        byte[] content = new byte[Mebi + 100];
        new Random(1).NextBytes(content);
        content.AsSpan(Mebi / 2, Mebi / 4).Clear();
        content[version * 70_000] ^= 0x5a;
        return content;
    }

    static BlobId BackUp(FaultyStore inner, int version, TimeSpan patience)
    {
        inner.Restart();
        RetryingStore store = new(inner, patience, CancellationToken.None, firstWaitMs: 2);
        using OpenedRepository repository = OpenedRepository.Open(store, Password);
        using RepositoryLock held = RepositoryLock.Take(repository, isExclusive: false);
        repository.LoadIndex();
        EngineOptions options = new() { BufferBytes = 2 * Mebi, ChunkBytes = 128 << 10 };
        Assert.Equal(Fault.None, Engine.TryOpen(options, out Engine? engine));
        MemoryDevice? device = null;
        try
        {
            byte[] content = Content(version);
            engine!.Reactor.Invoke(() =>
            {
                device = new MemoryDevice(engine.Reactor, "disk", (ulong)content.Length);
                content.CopyTo(device.Content(0, content.Length));
                device.MarkAllAllocated();
            });
            BackupPlan plan = new()
            {
                Disk = "disk",
                Source = version.ToString(null, null),
                ChunkBytes = 128 << 10,
            };
            PointHead head = new("host", new DateTime(2026, 1, version, 0, 0, 0, DateTimeKind.Utc), [])
            {
                PackBytes = 1 << 20,
            };
            using PointDraft draft = new(repository, held, head, CancellationToken.None);
            using DiskBackup backup = new(repository, draft, engine, device!, plan, CancellationToken.None);
            _ = backup.Execute();
            return draft.Finish(null);
        }
        finally
        {
            engine!.Reactor.Invoke(() => device!.Dispose());
            engine.Dispose();
        }
    }
}
