// What a job is asked to do, in any mix that is allowed.
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Pacing;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;

namespace FastBackup.Tests.Simulation.Control;

sealed class JobOptions(Simulation world, Prng prng, Places places, BitmapActions bitmaps)
{
    int _jobCount;

    /// <param name="disk">The source.</param>
    /// <param name="target">Whose chain decides the bitmap, if it has one.</param>
    /// <param name="bitmap">What the options name.</param>
    public BackupOptions Draw(GuestDisk disk, TargetSlot target, out BitmapModel? bitmap)
    {
        BackupSync sync = (BackupSync)prng.Below(5);
        bitmap = target.Chain ?? bitmaps.Draw(disk);
        BitmapMode? mode = null;
        if (target.Chain != null && sync is BackupSync.None or BackupSync.Top)
            sync = target.IsChainValid ? BackupSync.Incremental : BackupSync.Full;
        if (bitmap == null && sync is BackupSync.Incremental or BackupSync.Bitmap)
            sync = BackupSync.Full;
        if (sync == BackupSync.None)
            bitmap = null;
        if (bitmap != null && sync != BackupSync.Incremental)
            mode =
                sync == BackupSync.Bitmap ? (BitmapMode)prng.Below(3)
                : prng.Chance(1, 2) ? BitmapMode.OnSuccess
                : BitmapMode.Always;
        uint clusterBytes = ClusterSizes.Draw(world, prng);
        return new BackupOptions
        {
            Id = "job" + ++_jobCount,
            Sync = sync,
            MayTargetBeLarger = true,
            Bitmap = bitmap?.Bitmap,
            BitmapMode = mode,
            SpeedBytesPerSecond = prng.Chance(1, 4) ? 1000ul << (int)(4 + prng.Below(16)) : 0,
            WarmMs = world.Shape.WarmMs,
            GuestPriority = (GuestPriority)prng.Below(3),
            OnSourceError = DrawPolicy(),
            OnTargetError = DrawPolicy(),
            AutoFinalize = prng.Chance(3, 4),
            AutoDismiss = prng.Chance(3, 4),
            Filter = DrawFilter(clusterBytes),
        };
    }

    /// <summary>A copy of a snapshot, which gives up there what it has copied.</summary>
    public BackupOptions DrawFleecing() =>
        new()
        {
            Id = "job" + ++_jobCount,
            MayTargetBeLarger = true,
            DiscardSource = prng.Chance(2, 3),
            OnSourceError = DrawPolicy(),
            OnTargetError = DrawPolicy(),
            Filter = DrawFilter(ClusterSizes.Draw(world, prng)),
        };

    FilterOptions DrawFilter(uint clusterBytes) =>
        new()
        {
            ClusterBytes = clusterBytes,
            OnCbwError = prng.Chance(1, 2) ? CbwErrorPolicy.BreakGuestWrite : CbwErrorPolicy.BreakSnapshot,
            CbwTimeoutMs =
                prng.Chance(1, 4) ? 0
                : prng.Chance(1, 2) ? 30_000
                : 1u << (int)prng.Below(10),
            BlockBytes = prng.Chance(1, 8) ? 0 : 512u << (int)prng.Below(4),
            TaskMax = 1 + (uint)prng.Below(16),
            CaptureBytesMax = prng.Chance(1, 3) ? (ulong)clusterBytes << (int)prng.Below(5) : ulong.MaxValue,
            Scratch = places.DrawScratch(clusterBytes),
            TakesGuestReads = prng.Chance(1, 2),
        };

    ErrorPolicy DrawPolicy() => (ErrorPolicy)prng.Below(5);
}
