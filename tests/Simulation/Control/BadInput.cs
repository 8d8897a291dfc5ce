// Jobs that must be refused (O13).
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class BadInput(Simulation world, Prng prng, Places places)
{
    /// <summary>O13: what is refused changes nothing.</summary>
    public void Try()
    {
        GuestDisk disk = world.Disks[(int)prng.Below((ulong)world.Disks.Count)];
        IBlockDevice target = places.TargetsOf(disk)[0].Device;
        FilterOptions filter = new() { ClusterBytes = ClusterSizes.Draw(world, prng) };
        BackupOptions options = new() { MayTargetBeLarger = true, Filter = filter };
        BitmapModel? bitmap = disk.Bitmaps.Find(one => !one.Bitmap.IsBusy);
        switch (prng.Below(10))
        {
            case 0:
                target = disk.Device;
                break;
            case 1:
                options = options with { Sync = BackupSync.Incremental };
                break;
            case 2:
                options = options with { BitmapMode = BitmapMode.Always };
                break;
            case 3:
                options = options with { Filter = new FilterOptions { ClusterBytes = 4097 } };
                break;
            case 4:
                options = options with { Filter = options.Filter with { ClusterBytes = 1u << 31 } };
                break;
            case 5:
                options = options with { Filter = options.Filter with { TaskMax = 0 } };
                break;
            case 6:
                options = options with { DiscardSource = true };
                break;
            case 7 when bitmap != null:
                options = options with
                {
                    Sync = BackupSync.None,
                    Bitmap = bitmap.Bitmap,
                    BitmapMode = BitmapMode.Never,
                };
                break;
            case 8 when bitmap != null:
                options = options with
                {
                    Sync = BackupSync.Full,
                    Bitmap = bitmap.Bitmap,
                    BitmapMode = BitmapMode.Never,
                };
                break;
            default:
                options = options with { SpeedBytesPerSecond = ulong.MaxValue };
                break;
        }
        OpenRefusal refusal = BackupJob.TryCreate(
            world.Reactor,
            disk.Disk,
            target,
            world.Pool,
            options,
            hasView: false,
            out BackupJob? job
        );
        if (refusal.IsNone || job != null || refusal.Sentence.Length == 0)
            throw new SimulationFailure("O13", $"bad input was taken: {options}");
        world.Tallies.Count(Branch.RefusedInput);
    }
}
