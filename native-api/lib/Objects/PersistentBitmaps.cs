// Bitmaps that outlive the process: each is a point of its disk's tracker, of the same name. It records all that
// changes from its point on, and nothing takes anything out of it; so what it names is what has changed since then, and
// is found again from the tracker alone.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

static class PersistentBitmaps
{
    /// <summary>A sentence for whoever would take something out of one, or add what has not changed.</summary>
    public static string Rule(string name) =>
        $"Bitmap '{name}' is persistent: it has what changed since it was added, until block-dirty-bitmap-remove";

    /// <summary>Its tracker has failed: it is not there after the end of the process. Threads: the reactor's.</summary>
    public static bool AreLost(BitmapObject bitmap) =>
        HandleTable.Find<DiskObject>(bitmap.DiskId) is not { Tracker: { IsOver: false } };

    /// <summary>Those that a tracker has, as they are. Threads: any that may wait, before the first write.</summary>
    /// <param name="points">Of a tracker that was begun, and is not started.</param>
    /// <param name="bitmaps">The caller's.</param>
    public static Fault TryRead(DiskPoints points, List<DirtyBitmap> bitmaps)
    {
        try
        {
            foreach (TrackedPoint point in points.Named)
            {
                if (!point.IsBitmap)
                    continue;
                using HierarchicalBitmap since = points.Since(point.Name);
                Fault fault = DirtyBitmap.TryCreate(
                    point.Name,
                    since.SizeBytes,
                    since.GranularityBytes,
                    out DirtyBitmap? bitmap
                );
                if (fault.IsFault)
                    return fault;
                bitmaps.Add(bitmap!);
                Check.That(bitmap!.Bits.CopyFrom(since).IsNone);
            }
        }
        catch (InsufficientMemoryException)
        {
            return new Fault(FaultKind.NoMemory);
        }
        return Fault.None;
    }

    /// <summary>They are the disk's. The disk is quiesced. One whose name is taken is left out.</summary>
    public static void Add(DiskObject disk, List<DirtyBitmap> bitmaps)
    {
        disk.Bitmaps.Reserve(bitmaps.Count);
        disk.Core.Bitmaps.Reserve(bitmaps.Count);
        foreach (DirtyBitmap bitmap in bitmaps)
        {
            if (disk.Bitmaps.Find(bitmap.Name) != null)
                continue;
            disk.Core.Add(bitmap);
            disk.Bitmaps.Add(
                bitmap.Name,
                new BitmapObject(disk.Engine!, disk.Id, bitmap) { IsOfMonitor = true, IsPersistent = true }
            );
        }
        bitmaps.Clear();
    }

    /// <summary>The tracker is detached: it keeps them as they are now, the disk has bitmaps like any other.</summary>
    public static void Leave(DiskObject disk)
    {
        foreach (BitmapObject bitmap in disk.Bitmaps)
            bitmap.IsPersistent = false;
    }
}
