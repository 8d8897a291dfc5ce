// Snapshot reads and discards, dirty bitmaps, quiesced looks at everything, and input that must be refused.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed partial class Director : IBlockOwner
{
    const int QuiesceMax = 8;

    int _quiesceCount;

    JobRun? FindReadable()
    {
        int count = _world.Runs.Count;
        int start = count == 0 ? 0 : (int)_prng.Below((ulong)count);
        for (int i = 0; i < count; i++)
        {
            JobRun run = _world.Runs[(start + i) % count];
            if (run.Point != null && !run.IsEnded && run.Job.View != null)
                return run;
        }
        return null;
    }

    void ReadView()
    {
        if (FindReadable() is not { } run)
            return;
        ulong capacity = run.Point!.SizeBytes;
        int readMax = _world.IsTight ? 4 : ViewReadCount;
        foreach (ViewRead read in _reads)
        {
            if (_reads.FindAll(one => one.IsUnderWay).Count >= readMax)
                return;
            if (read.IsUnderWay || _prng.Chance(1, 4))
                continue;
            ulong length = Math.Min(capacity, _prng.Below(ViewRead.BufferBytes + 1));
            ulong offset = _prng.Below(capacity - length + 1);
            read.Begin(run, new Extent(offset, length));
        }
    }

    /// <summary>What lies wholly inside is given up: no copy, no reading.</summary>
    void DiscardInView()
    {
        // A full copy without these parts is what its user asked for; what it would be compared with is not.
        if (FindReadable() is not { } run || run.Options.Sync != BackupSync.None || run.Dependents.Count > 0)
            return;
        PointInTime point = run.Point!;
        ulong length = Math.Min(point.SizeBytes, 1 + _prng.Below(point.ClusterBytes * 4));
        ulong offset = _prng.Below(point.SizeBytes - length + 1);
        Extent extent = new(offset, length);
        _world.Tallies.Count(Mishap.SnapshotDiscard);
        run.HadDiscard = true;
        point.Clusters(extent, out int first, out int end);
        for (int c = first; c < end; c++)
        {
            Extent bytes = point.Bytes(c);
            if (bytes.OffsetBytes >= extent.OffsetBytes && bytes.EndBytes <= extent.EndBytes)
                point.IsDiscarded[c] = true;
        }
        BlockRequest request = default;
        request.Operation = BlockOperation.Discard;
        (request.OffsetBytes, request.LengthBytes) = (offset, length);
        request.Owner = this;
        run.Job.View!.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault)
            throw new SimulationFailure("O13", $"a discard on a snapshot failed: {result.Fault}");
    }

    void DrawBitmaps(GuestDisk disk)
    {
        for (ulong i = _prng.Below(4); i > 0; i--)
            AddBitmap(disk);
        if (disk.Bitmaps.Count > 0 && _prng.Chance(2, 3))
            _targets[disk.Index][0].Chain = disk.Bitmaps[0];
    }

    void AddBitmap(GuestDisk disk)
    {
        string name = "bitmap" + ++_bitmapCount;
        ulong granularity = 512ul << (int)_prng.Below(9);
        Check.That(DirtyBitmap.TryCreate(name, disk.CapacityBytes, granularity, out DirtyBitmap? bitmap).IsNone);
        Quiesce(
            disk,
            () =>
            {
                disk.Disk.Add(bitmap!);
                disk.Bitmaps.Add(new BitmapModel(bitmap!));
            }
        );
    }

    void Quiesce(GuestDisk disk, Action change)
    {
        if (_quiesceCount >= QuiesceMax)
            return; // behind a hung write: more would only queue up
        _quiesceCount++;
        Disk.Quiesce(
            _world.Reactor,
            [disk.Disk],
            () =>
            {
                _quiesceCount--;
                change();
            }
        );
    }

    BitmapModel? DrawBitmap(GuestDisk disk)
    {
        if (disk.Bitmaps.Count == 0 || _prng.Chance(1, 4))
            return null;
        BitmapModel bitmap = disk.Bitmaps[(int)_prng.Below((ulong)disk.Bitmaps.Count)];
        bool isChain = _targets[disk.Index].Exists(target => ReferenceEquals(target.Chain, bitmap));
        return isChain || bitmap.Bitmap.IsBusy ? null : bitmap;
    }

    bool IsInUse(BitmapModel bitmap) =>
        bitmap.Bitmap.IsBusy || _world.Runs.Exists(run => ReferenceEquals(run.Bitmap, bitmap) && !run.IsEnded);

    void ChangeBitmap()
    {
        GuestDisk disk = _world.Disks[(int)_prng.Below((ulong)_world.Disks.Count)];
        if (disk.Bitmaps.Count == 0 || (disk.Bitmaps.Count < 4 && _prng.Chance(1, 5)))
        {
            AddBitmap(disk);
            return;
        }
        BitmapModel bitmap = disk.Bitmaps[(int)_prng.Below((ulong)disk.Bitmaps.Count)];
        ulong kind = _prng.Below(4);
        Quiesce(disk, () => Change(disk, bitmap, kind));
    }

    void Change(GuestDisk disk, BitmapModel bitmap, ulong kind)
    {
        if (!disk.Bitmaps.Contains(bitmap) || IsInUse(bitmap))
            return;
        TargetSlot? chain = _targets[disk.Index].Find(target => ReferenceEquals(target.Chain, bitmap));
        _world.Log?.Invoke($"bitmap {bitmap.Bitmap.Name} change {kind}");
        bitmap.Check("O5", "before a change");
        switch (kind)
        {
            case 0 when chain == null:
                disk.Disk.Remove(bitmap.Bitmap);
                disk.Bitmaps.Remove(bitmap);
                bitmap.Bitmap.Dispose();
                break;
            case 1:
                bitmap.Bitmap.Clear();
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
                BitmapModel other = disk.Bitmaps[(int)_prng.Below((ulong)disk.Bitmaps.Count)];
                if (ReferenceEquals(other, bitmap) || IsInUse(other))
                    return;
                Check.That(bitmap.Bitmap.Bits.Merge(other.Bitmap.Bits).IsNone);
                bitmap.Merge(other);
                break;
        }
    }

    /// <summary>O5 at a quiescent point, for every bitmap of a disk, and its content against its history.</summary>
    void CheckQuiesced()
    {
        GuestDisk disk = _world.Disks[(int)_prng.Below((ulong)_world.Disks.Count)];
        Quiesce(
            disk,
            () =>
            {
                if (disk.HookWritesInFlight > 0 || disk.Image.ChangesInFlight > 0)
                    throw new SimulationFailure("O1", $"disk {disk.Index} is not quiet while quiesced");
                foreach (BitmapModel bitmap in disk.Bitmaps)
                    bitmap.Check("O5", "while quiesced");
                _world.Tallies.Count(Branch.BitmapChecked);
                disk.JudgeAll("while quiesced");
            }
        );
    }

    /// <summary>O13: what is refused changes nothing.</summary>
    void TryBadInput()
    {
        GuestDisk disk = _world.Disks[(int)_prng.Below((ulong)_world.Disks.Count)];
        IBlockDevice target = _targets[disk.Index][0].Device;
        FilterOptions filter = new() { ClusterBytes = ClusterBytesFor() };
        BackupOptions options = new() { MayTargetBeLarger = true, Filter = filter };
        BitmapModel? bitmap = disk.Bitmaps.Find(one => !one.Bitmap.IsBusy);
        switch (_prng.Below(10))
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
            _world.Reactor,
            disk.Disk,
            target,
            _world.Pool,
            options,
            hasView: false,
            out BackupJob? job
        );
        if (refusal.IsNone || job != null || refusal.Sentence.Length == 0)
            throw new SimulationFailure("O13", $"bad input was taken: {options}");
        _world.Tallies.Count(Branch.RefusedInput);
    }
}
