// Everything that is done to a repository but a first backup, while one operation of the store fails: once, twice,
// slowly, for ever, or after it has succeeded. What says that it succeeded has; and whatever happens, no point is
// wrong, none is lost that nobody has forgotten, and the same done again is done.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Repositories;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class StoreVerbTests : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    static readonly (StoreFailure Failure, int Times)[] s_passing =
    [
        (StoreFailure.Before, 1),
        (StoreFailure.After, 2),
        (StoreFailure.Half, 1),
        (StoreFailure.Slow, 1),
    ];

    static readonly StoreFailure[] s_lasting = [StoreFailure.Before, StoreFailure.After, StoreFailure.Half];

    readonly TrialPoints _points = new();

    public void Dispose() => _points.Dispose();

    /// <summary>Each operation fails in every way; else in one that passes and one that lasts, by turns.</summary>
    static bool IsAll => Environment.GetEnvironmentVariable("FASTBACKUP_FAULTS") == "all";

    [Fact]
    public void Incremental_IsRight_OrNotThere()
    {
        FaultyStore made = _points.Make(1);
        Try(
            made,
            (store, patience) => _points.BackUp(store, 2, patience, isIncremental: true),
            (store, isDone, isClean) =>
            {
                TrialPoints.AssertPoints(store, isDone ? 2 : 1, 2, isClean);
                _ = _points.BackUp(store, 3, TimeSpan.Zero, isIncremental: true);
                TrialPoints.AssertPoints(store, 2, 3, isClean);
            }
        );
    }

    [Fact]
    public void Restore_IsTheDisk_OrFails()
    {
        FaultyStore made = _points.Make(1, 2);
        Try(
            made,
            (store, patience) => Assert.True(_points.Restore(store, patience)),
            (store, _, _) => TrialPoints.AssertPoints(store, 2, 2)
        );
    }

    [Fact]
    public void Forgetting_TakesNoOtherPoint()
    {
        FaultyStore made = _points.Make(1, 2, 3);
        Try(
            made,
            (store, patience) =>
            {
                store.Restart();
                using OpenedRepository repository = Open(store, patience);
                using RepositoryLock held = RepositoryLock.Take(repository, isExclusive: true);
                StoredPoint middle = repository.LoadSnapshots()[1];
                repository.Store.Remove(StoreKind.Snapshot, middle.Id.ToString());
            },
            (store, isDone, _) =>
            {
                TrialPoints.AssertPoints(store, 2, isDone ? 2 : 3);
                using OpenedRepository repository = Open(store, TimeSpan.Zero);
                int[] days = [.. repository.LoadSnapshots().Select(point => point.Time.Day)];
                Assert.Equal((1, 3), (days[0], days[^1]));
            }
        );
    }

    [Fact]
    public void Repair_LosesNothingThatIsSound_AndABackupHeals()
    {
        FaultyStore made = _points.Make(1, 2);
        made.Damage(StoreKind.Pack);
        Try(
            made,
            (store, patience) =>
            {
                store.Restart();
                using OpenedRepository repository = Open(store, patience);
                using RepositoryLock held = RepositoryLock.Take(repository, isExclusive: true);
                List<StoredPoint> points = repository.LoadSnapshots();
                repository.LoadIndex();
                Verification verification = new(repository, CancellationToken.None);
                verification.CheckStructure(points);
                verification.ReadPacks(1, 1, (_, _) => { });
                Assert.Equal(1, verification.DamagedCount);
                verification.Repair();
            },
            (store, isDone, _) =>
            {
                if (!isDone)
                    Repair(store);
                for (int version = 1; version <= 2; version++)
                    Assert.NotEqual(default, _points.BackUp(store, version, TimeSpan.Zero));
                Assert.Equal(4, Open(store, TimeSpan.Zero).LoadSnapshots().Count);
                AssertSound(store);
            }
        );
    }

    [Fact]
    public void Keys_NeverLockOutWhoHasOne()
    {
        const string second = "b";
        FaultyStore made = _points.Make(1);
        string current = made.List(StoreKind.Key)[0].Name;
        Try(
            made,
            (store, patience) =>
            {
                store.Restart();
                using OpenedRepository repository = Open(store, patience);
                _ = new KeyFiles(repository.Store).Add(repository.Key, second, 2);
            },
            (store, isDone, _) =>
            {
                TrialPoints.AssertPoints(store, 1, 1);
                if (!isDone)
                    return;
                using OpenedRepository repository = OpenedRepository.Open(store, second);
                repository.Store.Remove(StoreKind.Key, current);
                using OpenedRepository again = OpenedRepository.Open(store, second);
                Assert.Single(again.LoadSnapshots());
            }
        );
    }

    [Fact]
    public void Making_IsDone_OrFinishedByTheNext_OrRefused()
    {
        Try(
            new FaultyStore(),
            (store, patience) =>
            {
                store.Restart();
                TrialPoints.Create(TrialPoints.Retrying(store, patience));
            },
            (store, isDone, _) =>
            {
                // Half a key file opens for nobody, and what has a config is there: such are refused.
                bool isRefused = false;
                if (!isDone)
                    try
                    {
                        TrialPoints.Create(store);
                    }
                    catch (RepositoryException exception)
                        when (exception.Error is RepositoryError.Refused or RepositoryError.Foreign)
                    {
                        isRefused = true;
                    }
                if (!isRefused)
                    Assert.NotEqual(default, _points.BackUp(store, 1, TimeSpan.Zero));
            }
        );
    }

    [Fact]
    public void RefreshOfALock_KeepsOne_OrNoPointIsMade()
    {
        FaultyStore made = _points.Make();
        DateTime now = DateTime.UtcNow;
        Try(
            made,
            (store, patience) =>
            {
                store.Restart();
                using OpenedRepository repository = Open(store, patience);
                using RepositoryLock held = RepositoryLock.Take(repository, isExclusive: false, () => now);
                for (int i = 0; i < 3; i++)
                {
                    now = now.AddMinutes(19);
                    held.Refresh();
                }
                held.Ensure();
                // Whoever would be alone sees it.
                Assert.Throws<RepositoryException>(() => RepositoryLock.Take(repository, true, () => now).Dispose());
                held.Ensure();
            },
            (store, _, _) => TrialPoints.AssertPoints(store, 0, 0)
        );
    }

    [Fact]
    public void StoreThatIsSoSlowThatTheLockGrowsOld_MakesNoPoint()
    {
        foreach (StoreKind kind in new[] { StoreKind.Pack, StoreKind.Index, StoreKind.Snapshot })
        {
            FaultyStore store = _points.Make(1);
            DateTime now = DateTime.UtcNow;
            string taken = "";
            store.OnWrite = (written, name) =>
            {
                if (written == StoreKind.Lock)
                    taken = name;
                if (written != kind)
                    return;
                now = now.AddMinutes(31);
                store.Remove(StoreKind.Lock, taken); // as another host does: it is nobody's any more
            };
            RepositoryException exception = Assert.Throws<RepositoryException>(() =>
                _points.BackUp(store, 2, TimeSpan.Zero, now: () => now)
            );
            Assert.Equal(RepositoryError.Locked, exception.Error);
            store.OnWrite = (_, _) => { };
            TrialPoints.AssertPoints(store, 1, 1);
        }
    }

    /// <summary>Every operation of an act, one after the other.</summary>
    /// <param name="made">The store before; never changed.</param>
    /// <param name="act">Counts operations from its begin on; with a patience.</param>
    /// <param name="look">At the store after it: whether it said it is done; whether no half document is there.</param>
    static void Try(FaultyStore made, Action<FaultyStore, TimeSpan> act, Action<FaultyStore, bool, bool> look)
    {
        FaultyStore counted = made.Copy();
        act(counted, TimeSpan.Zero);
        long count = counted.OperationCount;
        Assert.InRange(count, 3, 200);
        look(counted, true, true);
        ulong turn = TestSeed.Next() % (ulong)(s_passing.Length * s_lasting.Length);
        for (long at = 0; at < count; at++, turn++)
        {
            for (int way = 0; way < s_passing.Length; way++)
                if (IsAll || turn % (ulong)s_passing.Length == (ulong)way)
                    Pass(made.Copy(), at, s_passing[way], act, look);
            for (int way = 0; way < s_lasting.Length; way++)
                if (IsAll || turn % (ulong)s_lasting.Length == (ulong)way)
                    Last(made.Copy(), at, s_lasting[way], act, look);
        }
    }

    /// <summary>It fails for a moment.</summary>
    static void Pass(
        FaultyStore store,
        long at,
        (StoreFailure Failure, int Times) way,
        Action<FaultyStore, TimeSpan> act,
        Action<FaultyStore, bool, bool> look
    )
    {
        store.FailAt(at, way.Times, way.Failure);
        act(store, s_patience);
        store.FailAt(long.MaxValue, 0, way.Failure);
        Assert.Empty(store.List(StoreKind.Lock));
        look(store, true, true);
    }

    /// <summary>From there on it fails for ever.</summary>
    static void Last(
        FaultyStore store,
        long at,
        StoreFailure way,
        Action<FaultyStore, TimeSpan> act,
        Action<FaultyStore, bool, bool> look
    )
    {
        store.FailAt(at, int.MaxValue, way);
        bool isDone = true;
        try
        {
            act(store, TimeSpan.Zero);
        }
        catch (RepositoryException)
        {
            isDone = false;
        }
        store.FailAt(long.MaxValue, 0, way);
        foreach (StoredFile left in store.List(StoreKind.Lock))
            store.Remove(StoreKind.Lock, left.Name);
        look(store, isDone, way != StoreFailure.Half);
    }

    static OpenedRepository Open(FaultyStore store, TimeSpan patience) =>
        OpenedRepository.Open(TrialPoints.Retrying(store, patience), TrialPoints.Password);

    static void Repair(FaultyStore store)
    {
        using OpenedRepository repository = Open(store, TimeSpan.Zero);
        List<StoredPoint> points = repository.LoadSnapshots();
        repository.LoadIndex();
        Verification verification = new(repository, CancellationToken.None);
        verification.CheckStructure(points);
        verification.ReadPacks(1, 1, (_, _) => { });
        verification.Repair();
    }

    /// <summary>Every blob of every point; a pack with a damaged one in it may lie there, unused.</summary>
    static void AssertSound(FaultyStore store)
    {
        using OpenedRepository repository = Open(store, TimeSpan.Zero);
        repository.LoadIndex();
        foreach (StoredPoint point in repository.LoadSnapshots())
        foreach (DiskExtent extent in PointDisk.Find(repository, point, null).Load(0))
            Assert.Equal((int)extent.LengthBytes, repository.LoadBlob(extent.Id, BlobKind.Content).Length);
    }
}
