// Dirty bitmaps as their users change them, while guests write and jobs use them.
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class BitmapActions(Simulation world, Prng prng, Places places, QuiescedChanges changes)
{
    int _count;

    public void AddSome(GuestDisk disk)
    {
        for (ulong i = prng.Below(4); i > 0; i--)
            Add(disk);
        if (disk.Bitmaps.Count > 0 && prng.Chance(2, 3))
            places.TargetsOf(disk)[0].Chain = disk.Bitmaps[0];
    }

    /// <summary>One that a job may use and no chain has, or none.</summary>
    public BitmapModel? Draw(GuestDisk disk)
    {
        if (disk.Bitmaps.Count == 0 || prng.Chance(1, 4))
            return null;
        BitmapModel bitmap = disk.Bitmaps[(int)prng.Below((ulong)disk.Bitmaps.Count)];
        bool isChain = places.TargetsOf(disk).Exists(target => ReferenceEquals(target.Chain, bitmap));
        return isChain || bitmap.Bitmap.IsBusy ? null : bitmap;
    }

    /// <summary>One of them is added, removed, cleared, merged, switched, or all grow with their disk.</summary>
    public void ChangeOne()
    {
        GuestDisk disk = world.Disks[(int)prng.Below((ulong)world.Disks.Count)];
        if (disk.Bitmaps.Count == 0 || (disk.Bitmaps.Count < 4 && prng.Chance(1, 5)))
        {
            Add(disk);
            return;
        }
        BitmapModel bitmap = disk.Bitmaps[(int)prng.Below((ulong)disk.Bitmaps.Count)];
        ulong kind = prng.Below(6);
        GuestDisk other = world.Disks[(int)prng.Below((ulong)world.Disks.Count)];
        if (kind == 4)
            MergeFrom(other, disk, bitmap);
        else if (kind == 5)
            Grow(disk);
        else
            changes.Ask(disk, () => Change(disk, bitmap, kind));
    }

    void Add(GuestDisk disk)
    {
        string name = "bitmap" + ++_count;
        ulong granularity = 512ul << (int)prng.Below(9);
        Check.That(DirtyBitmap.TryCreate(name, disk.SizeBytes, granularity, out DirtyBitmap? bitmap).IsNone);
        changes.Ask(
            disk,
            () =>
            {
                if (bitmap!.SizeBytes != disk.SizeBytes) // it has grown meanwhile
                {
                    bitmap.Dispose();
                    return;
                }
                disk.Disk.Add(bitmap);
                disk.Bitmaps.Add(new BitmapModel(bitmap));
            }
        );
    }

    bool IsInUse(BitmapModel bitmap) =>
        bitmap.Bitmap.IsBusy || world.Runs.Exists(run => ReferenceEquals(run.Bitmap, bitmap) && !run.IsEnded);

    /// <summary>A source of this or another disk, if it is still free when its turn has come.</summary>
    void MergeFrom(GuestDisk other, GuestDisk disk, BitmapModel bitmap)
    {
        if (other.Bitmaps.Count == 0 || other.SizeBytes != disk.SizeBytes)
            return;
        BitmapModel source = other.Bitmaps[(int)prng.Below((ulong)other.Bitmaps.Count)];
        // What is written meanwhile is taken as finely as the target can, which this model cannot tell.
        if (source.Bitmap.GranularityBytes > bitmap.Bitmap.GranularityBytes)
            return;
        GuestDisk[] disks = ReferenceEquals(other, disk) ? [disk] : [disk, other];
        if (!changes.TryAsk(disks, out int number))
            return;
        BitmapMerge merge = new(
            disk.Disk,
            bitmap.Bitmap,
            fault =>
            {
                changes.OnMade(disks, number);
                bool isThere = disk.Bitmaps.Contains(bitmap) && other.Bitmaps.Contains(source);
                bool isRight = isThere && !bitmap.IsBusy && !source.IsBusy && bitmap.BitmapBytes == source.BitmapBytes;
                // The job of one never began, and what the bitmap owes is still coming: the model hears of it later.
                isRight &= !bitmap.Bitmap.IsSettling && !source.Bitmap.IsSettling;
                if (fault.IsNone != isRight)
                    throw new SimulationFailure("O17", $"a merge ended with {fault}, right {isRight}");
                if (!isRight)
                    return;
                if (!ReferenceEquals(bitmap, source))
                    bitmap.Merge(source);
                bitmap.Check("O5", "after a merge");
                if (!ReferenceEquals(other, disk))
                    world.Tallies.Count(Branch.MergedFromOtherDisk);
            }
        );
        merge.AddSource(source.Bitmap, other.Disk);
        merge.Begin(world.Reactor);
    }

    /// <summary>The disk gets more of its image; only while no job is there.</summary>
    void Grow(GuestDisk disk)
    {
        ulong room = disk.CapacityBytes - disk.SizeBytes;
        if (room == 0 || !changes.TryAsk([disk], out int number))
            return;
        ulong sizeBytes = disk.SizeBytes + (prng.Chance(1, 2) ? room : prng.Below(room + 1));
        DiskGrowth growth = new(
            disk.Disk,
            sizeBytes,
            () => world.Runs.Exists(run => ReferenceEquals(run.Source, disk)),
            fault =>
            {
                changes.OnMade([disk], number);
                world.Tallies.Count(fault.IsNone ? Branch.DiskGrown : Branch.GrowthRefused);
                if (fault.IsFault)
                    return;
                if (world.Runs.Exists(run => ReferenceEquals(run.Source, disk)))
                    throw new SimulationFailure("O13", $"disk {disk.Index} grew under a job");
                foreach (BitmapModel bitmap in disk.Bitmaps)
                    bitmap.Grow();
                foreach (TargetSlot target in places.TargetsOf(disk))
                    target.IsChainValid = false; // nobody has copied what is new
            }
        );
        growth.Begin(world.Reactor);
    }

    void Change(GuestDisk disk, BitmapModel bitmap, ulong kind)
    {
        if (!disk.Bitmaps.Contains(bitmap) || IsInUse(bitmap))
            return;
        TargetSlot? chain = places.TargetsOf(disk).Find(target => ReferenceEquals(target.Chain, bitmap));
        world.Log?.Invoke($"bitmap {bitmap.Bitmap.Name} change {kind}");
        bitmap.Check("O5", "before a change");
        switch (kind)
        {
            case 0 when chain == null:
                disk.Disk.Remove(bitmap.Bitmap);
                disk.Bitmaps.Remove(bitmap);
                bitmap.Bitmap.Dispose();
                break;
            case 1:
                if (prng.Chance(1, 2))
                    bitmap.Bitmap.TidySpare();
                disk.Disk.Clear(bitmap.Bitmap);
                bitmap.Clear();
                if (chain != null)
                    chain.IsChainValid = false;
                break;
            case 2:
                bitmap.IsEnabled = !bitmap.IsEnabled;
                bitmap.Bitmap.SetEnabled(bitmap.IsEnabled);
                disk.Disk.RefreshRecording();
                if (chain != null)
                    chain.IsChainValid = false;
                break;
            default:
                BitmapModel other = disk.Bitmaps[(int)prng.Below((ulong)disk.Bitmaps.Count)];
                if (ReferenceEquals(other, bitmap) || IsInUse(other))
                    return;
                Check.That(bitmap.Bitmap.Bits.Merge(other.Bitmap.Bits).IsNone);
                bitmap.Merge(other);
                break;
        }
    }
}
