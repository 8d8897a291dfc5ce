// The life of every cluster of one point in time, as four bitmaps:
//
//   todo -> reading -> captured -> done        Todo  Busy  Protected  Zeroes
//   to be copied, unclaimed                     1     0     1          0
//   claimed, old data not yet safe              0     1     1          0
//   captured, held by a snapshot read           0     0     1          0 or 1
//   captured or done: the guest may write       0     0     0          0
//   captured without memory: it was zero        0     0     0          1
//
// What is known to have been zero is captured by that alone (KnownZeroes): whatever a guest writes there, nobody looks
// at the source again, and the target is made zero in its turn.
// Protected is what guest threads read: a set bit means that the disk still holds the only copy of the old data, so
// a write must go the slow way. It is set before the point in time, or when that is taken, with the disk quiesced,
// and after that only ever cleared, by the reactor, when the old data is safe. So a guest thread that sees it clear
// may write at once, and one that sees it set asks the reactor; no third case exists.
// Todo is claimed by atomic clears; Busy belongs to the reactor alone.
//
// What a bitmap names is not marked at the point in time, but taken over afterwards: CopyMap.Named.cs.
//
// Unsure stands beside these: what a failed or unanswered request may have left on the target, until a later copy of
// the cluster succeeds.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's; <see cref="IsProtected"/> any.</summary>
public sealed partial class CopyMap : IDisposable
{
    const ulong LongRangeClusters = 4096;

    CopyMap(
        HierarchicalBitmap todo,
        HierarchicalBitmap busy,
        HierarchicalBitmap protectedBits,
        HierarchicalBitmap zeroes,
        HierarchicalBitmap unsure,
        HierarchicalBitmap untaken
    ) => (Todo, Busy, Protected, Zeroes, Unsure, _untaken) = (todo, busy, protectedBits, zeroes, unsure, untaken);

    /// <summary>To be copied by whoever claims it.</summary>
    public HierarchicalBitmap Todo { get; }

    /// <summary>Claimed, and not yet where a guest may overwrite it.</summary>
    public HierarchicalBitmap Busy { get; }

    /// <summary>Not to be overwritten yet.</summary>
    public HierarchicalBitmap Protected { get; }

    /// <summary>Zero at the point in time, and still to be made so on the target.</summary>
    public HierarchicalBitmap Zeroes { get; }

    /// <summary>Nobody knows what the target has there.</summary>
    public HierarchicalBitmap Unsure { get; }

    public ulong ClusterBytes => Todo.GranularityBytes;

    public ulong SizeBytes => Todo.SizeBytes;

    public ulong ClusterCount => Todo.BitCount;

    /// <param name="sizeBytes">Of the disk.</param>
    /// <param name="clusterBytes">A power of two.</param>
    /// <param name="map">All clear, or null after a fault.</param>
    /// <returns>None or NoMemory.</returns>
    public static Fault TryCreate(ulong sizeBytes, uint clusterBytes, out CopyMap? map)
    {
        map = null;
        BitmapOptions resident = new(IsResident: true); // a guest write must not fault on its way through
        HierarchicalBitmap?[] made = new HierarchicalBitmap?[6];
        ulong lineCount = Units.DivCeil(Units.DivCeil(sizeBytes, clusterBytes), LineClusters);
        Fault fault = HierarchicalBitmap.TryCreate(lineCount, 1, resident, out made[5]);
        for (int i = 0; i < 5 && fault.IsNone; i++)
            fault = HierarchicalBitmap.TryCreate(sizeBytes, clusterBytes, i < 2 ? resident : default, out made[i]);
        if (fault.IsNone)
        {
            map = new CopyMap(made[0]!, made[2]!, made[1]!, zeroes: made[3]!, unsure: made[4]!, untaken: made[5]!);
            return fault;
        }
        foreach (HierarchicalBitmap? bits in made)
            bits?.Dispose();
        return fault;
    }

    /// <summary>Whether a guest write to the range must wait. Threads: any. Cost: a read per 64 clusters.</summary>
    public bool IsProtected(in Extent extent)
    {
        Clusters(extent, out ulong first, out ulong count);
        if (Volatile.Read(ref _named) is { } named && IsProtectedByName(named, first, count))
            return true;
        // A summary may hide a bit while its neighbour is cleared, and never shows one that is not there: it answers
        // "yes" for a long range at once, and never "no".
        if (count > LongRangeClusters && Protected.NextDirtyBit(first, first + count) != HierarchicalBitmap.NotFound)
            return true;
        return Protected.IsAnySet(first, count);
    }

    /// <summary>As <see cref="IsProtected"/>, on the one thread that clears bits. Cost: O(1).</summary>
    public bool IsProtectedNow(in Extent extent)
    {
        Clusters(extent, out ulong first, out ulong count);
        if (_named is { } named && IsProtectedByName(named, first, count))
            return true;
        return count <= LongRangeClusters
            ? Protected.IsAnySet(first, count)
            : Protected.NextDirtyBit(first, first + count) != HierarchicalBitmap.NotFound;
    }

    /// <summary>
    /// The next run of clusters in a range that are captured or done, and protected still: a reader holds them, or held
    /// them.
    /// </summary>
    /// <param name="first">Where to look from; moved behind the run.</param>
    /// <param name="count">How far; lessened by as much.</param>
    /// <param name="captured">The run's first cluster.</param>
    /// <param name="capturedCount">Its length.</param>
    /// <returns>False when there is none.</returns>
    public bool TryFindCaptured(ref ulong first, ref ulong count, out ulong captured, out ulong capturedCount)
    {
        ulong end = first + count;
        (captured, capturedCount) = (first, 0);
        while (captured < end)
        {
            captured = Math.Min(end, Protected.NextDirtyBit(captured, end)); // NotFound is above any
            ulong runEnd = Math.Min(end, Protected.NextCleanBit(captured, end));
            runEnd = Math.Min(runEnd, Math.Min(Todo.NextDirtyBit(captured, end), Busy.NextDirtyBit(captured, end)));
            if (runEnd > captured)
            {
                capturedCount = runEnd - captured;
                (first, count) = (runEnd, end - runEnd);
                return true;
            }
            if (captured < end)
                captured = Math.Min(end, (Todo.GetBit(captured) ? Todo : Busy).NextCleanBit(captured, end));
        }
        (first, count) = (end, 0);
        return false;
    }

    /// <summary>The clusters that a byte range touches.</summary>
    public void Clusters(in Extent extent, out ulong first, out ulong count)
    {
        first = extent.OffsetBytes / ClusterBytes;
        count = extent.IsEmpty ? 0 : Units.DivCeil(extent.EndBytes, ClusterBytes) - first;
    }

    /// <summary>The bytes of a run of clusters, cut at the disk's end.</summary>
    public Extent Bytes(ulong firstCluster, ulong clusterCount)
    {
        ulong offsetBytes = firstCluster * ClusterBytes;
        ulong endBytes = Math.Min((firstCluster + clusterCount) * ClusterBytes, SizeBytes);
        return new Extent(offsetBytes, endBytes - offsetBytes);
    }

    /// <summary>Everything is to be copied and protected. Before the filter is attached.</summary>
    /// <remarks>Threads: any, alone with the map. Cost: every line, at the speed of memory.</remarks>
    public void MarkAll()
    {
        Todo.SetAll();
        Protected.SetAll();
    }

    /// <summary>Adds what is to be copied, and what nobody knows of the target; not what is under way.</summary>
    /// <param name="left">Of the disk's size, any granularity.</param>
    /// <returns>False: a bitmap's names are not all taken over yet.</returns>
    /// <remarks>Cost: in proportion to the disk, at the speed of memory.</remarks>
    public bool TryAddLeft(HierarchicalBitmap left) =>
        IsWhole
        && left.Merge(Todo).IsNone
        && left.Merge(Busy).IsNone
        && left.Merge(Zeroes).IsNone
        && left.Merge(Unsure).IsNone;

    public void Dispose()
    {
        Todo.Dispose();
        Busy.Dispose();
        Protected.Dispose();
        Zeroes.Dispose();
        Unsure.Dispose();
        _untaken.Dispose();
    }
}
