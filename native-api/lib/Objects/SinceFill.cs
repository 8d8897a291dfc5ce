// A bitmap of a disk gains what has changed since a checkpoint. It records already: what guests write meanwhile is in
// it whatever this finds. On a thread of its own, as long as the maps are; without one guests wait for some
// milliseconds.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Native.Errors;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

static class SinceFill
{
    /// <summary>In the moment in which the bitmap begins to record, on the reactor's thread.</summary>
    /// <param name="disk">Of the bitmap.</param>
    /// <param name="points">Its tracker's, in hand; given back at the end.</param>
    /// <param name="since">A point that is there.</param>
    /// <param name="left">What it gains beside that; null: nothing. Used up.</param>
    /// <param name="bitmap">Busy until the end (BeginFill).</param>
    /// <param name="threads">Gives the thread.</param>
    /// <param name="onDone">Told on the reactor's thread, if the answer is true.</param>
    /// <returns>False: it has ended already.</returns>
    public static bool Begin(
        DiskObject disk,
        DiskPoints points,
        string since,
        HierarchicalBitmap? left,
        DirtyBitmap bitmap,
        PatientThreads threads,
        Action onDone
    )
    {
        void End()
        {
            bitmap.EndFill();
            PointsInHand.GiveBack(disk, points);
        }
        void Gain()
        {
            _ = points.TryAddSince(since, bitmap.Bits);
            if (left != null)
                Check.That(bitmap.Bits.MergeLive(left).IsNone);
            left?.Dispose();
        }
        void Fill()
        {
            Gain();
            _ = disk.Engine!.Run(
                disk,
                () =>
                {
                    End();
                    onDone();
                    return Answer.Ok;
                }
            );
        }
        if (threads.TryRun("fb-fill", Fill))
            return true;
        Gain();
        End();
        return false;
    }
}
