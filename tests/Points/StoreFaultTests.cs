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

public sealed class StoreFaultTests : IDisposable
{
    readonly TrialPoints _points = new();

    public void Dispose() => _points.Dispose();

    [Theory]
    [InlineData(StoreFailure.Before, 1)]
    [InlineData(StoreFailure.Before, 2)]
    [InlineData(StoreFailure.After, 1)]
    [InlineData(StoreFailure.After, 2)]
    [InlineData(StoreFailure.Half, 1)]
    [InlineData(StoreFailure.Slow, 1)]
    public void OperationThatFailsAndThenWorks_ChangesNothing(StoreFailure failure, int times)
    {
        foreach (long at in Operations())
        {
            FaultyStore store = _points.Make();
            store.FailAt(at, times, failure);
            BlobId point = _points.BackUp(store, 1, TimeSpan.FromSeconds(20));
            store.FailAt(long.MaxValue, 0, failure);
            TrialPoints.AssertPoints(store, 1);
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
        foreach (long at in Operations())
        {
            FaultyStore store = _points.Make();
            _ = _points.BackUp(store, 1, TimeSpan.Zero);
            store.FailAt(at, int.MaxValue, failure);
            bool isDone = true;
            try
            {
                _ = _points.BackUp(store, 2, TimeSpan.Zero);
            }
            catch (RepositoryException exception)
            {
                isDone = false;
                Assert.Contains("simulated", exception.Message, StringComparison.Ordinal);
            }
            store.FailAt(long.MaxValue, 0, failure);
            // One whose answer was lost may be there all the same: then it is whole. Half a document is no document,
            // and said to be damaged.
            TrialPoints.AssertPoints(store, isDone ? 2 : 1, 2, failure != StoreFailure.Half);
            _ = _points.BackUp(store, 3, TimeSpan.Zero);
            TrialPoints.AssertPoints(store, 2, 3, failure != StoreFailure.Half);
        }
    }

    [Fact]
    public void StoreThatIsFull_SaysSo_AndNoPointIsMade()
    {
        FaultyStore store = new() { Error = RepositoryError.NoSpace };
        TrialPoints.Create(store);
        store.FailPacks();
        RepositoryException exception = Assert.Throws<RepositoryException>(() =>
            _points.BackUp(store, 1, TimeSpan.FromSeconds(20))
        );
        Assert.Equal(RepositoryError.NoSpace, exception.Error);
        Assert.Empty(store.List(StoreKind.Snapshot));
        Assert.Empty(store.List(StoreKind.Lock));
    }

    [Fact]
    public void LockThatWasTakenAway_StopsThePoint()
    {
        FaultyStore store = _points.Make();
        store.OnWrite = (kind, _) =>
        {
            if (kind == StoreKind.Pack)
                foreach (StoredFile file in store.List(StoreKind.Lock))
                    store.Remove(StoreKind.Lock, file.Name);
        };
        RepositoryException exception = Assert.Throws<RepositoryException>(() =>
            _points.BackUp(store, 1, TimeSpan.Zero)
        );
        Assert.Equal(RepositoryError.Locked, exception.Error);
        Assert.Empty(store.List(StoreKind.Snapshot));
    }

    [Fact]
    public void SnapshotIsWrittenLast_AndTheIndexAfterItsPacks()
    {
        FaultyStore store = _points.Make();
        List<StoreKind> order = [];
        store.OnWrite = (kind, _) => order.Add(kind);
        _ = _points.BackUp(store, 1, TimeSpan.Zero);
        _ = order.RemoveAll(kind => kind == StoreKind.Lock);
        Assert.Equal(StoreKind.Snapshot, order[^1]);
        Assert.Equal(StoreKind.Index, order[^2]);
        Assert.All(order[..^2], kind => Assert.Equal(StoreKind.Pack, kind));
    }

    [Fact]
    public void Locks_KeepOthersOutAsTheFormatSays()
    {
        FaultyStore store = new();
        using OpenedRepository one = OpenedRepository.Create(store, TrialPoints.Password, 2);
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

    /// <summary>Which operations of a backup there are to fail.</summary>
    IEnumerable<long> Operations()
    {
        FaultyStore store = _points.Make();
        _ = _points.BackUp(store, 1, TimeSpan.Zero);
        return Enumerable.Range(0, (int)store.OperationCount).Select(one => (long)one);
    }

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
}
