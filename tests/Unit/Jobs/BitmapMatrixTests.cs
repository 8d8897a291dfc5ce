// Every sync mode x bitmap-mode x state of the bitmap x way to end, with a guest writing meanwhile: what the bitmap
// holds afterwards, and that whatever it does not name is on the target. And every combination that is refused.
// Source of the table: QEMU 10.2, tests/qemu-iotests/257 and docs/interop/bitmaps.rst; written anew for this engine.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class BitmapMatrixTests
{
    public enum Ending
    {
        Success,
        Cancelled,
        TargetFailsMidway,
        FlushFails,
    }

    public enum Dirtiness
    {
        Clean,
        Some,
        All,
    }

    public enum Owner
    {
        None,
        ThisDisk,
        Busy,
        AnotherDisk,
    }

    static readonly (BackupSync Sync, BitmapMode? Mode)[] WithBitmap =
    [
        (BackupSync.Full, BitmapMode.OnSuccess),
        (BackupSync.Full, BitmapMode.Always),
        (BackupSync.Top, BitmapMode.OnSuccess),
        (BackupSync.Top, BitmapMode.Always),
        (BackupSync.Incremental, null),
        (BackupSync.Incremental, BitmapMode.OnSuccess),
        (BackupSync.Bitmap, BitmapMode.OnSuccess),
        (BackupSync.Bitmap, BitmapMode.Never),
        (BackupSync.Bitmap, BitmapMode.Always),
    ];

    static readonly BackupSync[] WithoutBitmap = [BackupSync.Full, BackupSync.Top, BackupSync.None];

    public static TheoryData<BackupSync, BitmapMode?, Dirtiness, Ending> DataRuns
    {
        get
        {
            TheoryData<BackupSync, BitmapMode?, Dirtiness, Ending> runs = [];
            foreach ((BackupSync sync, BitmapMode? mode) in WithBitmap)
            foreach (Dirtiness dirtiness in Enum.GetValues<Dirtiness>())
            foreach (Ending ending in Enum.GetValues<Ending>())
                runs.Add(sync, mode, dirtiness, ending);
            return runs;
        }
    }

    public static TheoryData<BackupSync, Ending> RunsWithoutBitmap
    {
        get
        {
            TheoryData<BackupSync, Ending> runs = [];
            foreach (BackupSync sync in WithoutBitmap)
            foreach (Ending ending in Enum.GetValues<Ending>())
                runs.Add(sync, ending);
            return runs;
        }
    }

    public static TheoryData<BackupSync, BitmapMode?, Owner> Combinations
    {
        get
        {
            TheoryData<BackupSync, BitmapMode?, Owner> combinations = [];
            foreach (BackupSync sync in Enum.GetValues<BackupSync>())
            foreach (
                BitmapMode? mode in new BitmapMode?[]
                {
                    null,
                    BitmapMode.OnSuccess,
                    BitmapMode.Never,
                    BitmapMode.Always,
                }
            )
            foreach (Owner owner in Enum.GetValues<Owner>())
                combinations.Add(sync, mode, owner);
            return combinations;
        }
    }

    [Theory]
    [MemberData(nameof(DataRuns))]
    public void TheBitmapAfterTheEnd_IsWhatItsModeSays(
        BackupSync sync,
        BitmapMode? mode,
        Dirtiness dirtiness,
        Ending ending
    )
    {
        using MatrixBench bench = new(dirtiness);
        HashSet<ulong> before = bench.BitmapClusters();
        bool[] planned = bench.Planned(sync);
        BackupJob job = bench.Run(sync, mode, bench.Bitmap, ending);
        HashSet<ulong> after = bench.BitmapClusters();
        bool isSuccess = job.Query().IsSuccess;
        Assert.True(isSuccess || ending != Ending.Success);
        if (ending == Ending.FlushFails)
            Assert.False(isSuccess);
        HashSet<ulong> expected = [.. bench.Written];
        if (isSuccess && mode == BitmapMode.Never || !isSuccess && mode != BitmapMode.Always)
            expected.UnionWith(before);
        // Nobody knows what a target has that failed to flush: what a whole copy wrote there is all unsure.
        if (ending == Ending.FlushFails && sync is (BackupSync.Full or BackupSync.Top))
            for (ulong cluster = 0; cluster < MatrixBench.ClusterCount; cluster++)
                expected.Add(cluster);
        if (isSuccess || mode != BitmapMode.Always)
            Assert.Equal([.. Sorted(expected)], Sorted(after));
        else
            Assert.Superset(expected, after);
        if (!isSuccess && ending == Ending.FlushFails && mode == BitmapMode.Always)
            for (ulong cluster = 0; cluster < MatrixBench.ClusterCount; cluster++)
                Assert.True(!planned[cluster] || after.Contains(cluster), "nothing that was not flushed is forgotten");
        // What the bitmap forgets of the plan is on the target, as it was at the job's start.
        bool forgets = isSuccess || mode == BitmapMode.Always;
        for (ulong cluster = 0; cluster < MatrixBench.ClusterCount && forgets; cluster++)
            if (planned[cluster] && (isSuccess || !after.Contains(cluster)))
                bench.AssertCopied(cluster);
        Assert.False(bench.Bitmap.IsBusy);
    }

    [Theory]
    [MemberData(nameof(RunsWithoutBitmap))]
    public void WithoutABitmap_TheTargetIsWhatTheModeSays(BackupSync sync, Ending ending)
    {
        using MatrixBench bench = new(Dirtiness.Clean);
        BackupJob job = bench.Run(sync, null, null, sync == BackupSync.None ? Ending.Cancelled : ending);
        bool isSuccess = sync != BackupSync.None && ending == Ending.Success;
        Assert.Equal(isSuccess, job.Query().IsSuccess);
        bool[] planned = bench.Planned(sync);
        for (ulong cluster = 0; cluster < MatrixBench.ClusterCount; cluster++)
            if (planned[cluster] && !job.Todo.GetBit(cluster))
                bench.AssertCopied(cluster);
        if (sync == BackupSync.None)
            foreach (ulong cluster in bench.Written)
                Assert.False(job.Todo.GetBit(cluster), "what the guest overwrote was saved");
    }

    [Theory]
    [MemberData(nameof(Combinations))]
    public void EveryCombination_IsTakenOrRefused_AndARefusalChangesNothing(
        BackupSync sync,
        BitmapMode? mode,
        Owner owner
    )
    {
        using MatrixBench bench = new(Dirtiness.Some);
        using MatrixBench other = new(Dirtiness.Some);
        DirtyBitmap? bitmap = owner switch
        {
            Owner.None => null,
            Owner.AnotherDisk => other.Bitmap,
            _ => bench.Bitmap,
        };
        if (owner == Owner.Busy)
            bench.SetBusy(true);
        HashSet<ulong> before = bench.BitmapClusters();
        OpenRefusal refusal = bench.TryCreate(sync, mode, bitmap, out BackupJob? job);
        bool isLegal =
            owner == Owner.None
                ? mode == null && Array.IndexOf(WithoutBitmap, sync) >= 0
                : owner == Owner.ThisDisk && Array.IndexOf(WithBitmap, (sync, mode)) >= 0;
        Assert.Equal(isLegal, refusal.IsNone);
        Assert.Equal(isLegal, job != null);
        Assert.Equal(isLegal, string.IsNullOrEmpty(refusal.Sentence));
        Assert.Empty(bench.Loop.FileIo.Counts);
        Assert.Equal(owner == Owner.Busy, bench.Bitmap.IsBusy);
        Assert.Equal(Sorted(before), Sorted(bench.BitmapClusters()));
        job?.Dispose();
        if (owner == Owner.Busy)
            bench.SetBusy(false);
    }

    static List<ulong> Sorted(HashSet<ulong> clusters)
    {
        List<ulong> list = [.. clusters];
        list.Sort();
        return list;
    }
}
