// The life of every cluster of one point in time, as three bitmaps:
//
//   todo -> reading -> captured -> done        Todo  Busy  Protected
//   to be copied, unclaimed                     1     0     1
//   claimed, old data not yet safe              0     1     1
//   captured, held by a snapshot read           0     0     1
//   captured or done: the guest may write       0     0     0
//
// Protected is what guest threads read: a set bit means that the disk still holds the only copy of the old
// data, so a write must go the slow way. It is set when the point in time is taken, with the disk quiesced, and
// after that only ever cleared, by the reactor, when the old data is safe. So a guest thread that sees it clear
// may write at once, and one that sees it set asks the reactor; no third case exists.
// Todo is claimed by atomic clears; Busy belongs to the reactor alone.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's; <see cref="IsProtected"/> any.</summary>
public sealed class CopyMap : IDisposable
{
    CopyMap(HierarchicalBitmap todo, HierarchicalBitmap busy, HierarchicalBitmap protectedBits) =>
        (Todo, Busy, Protected) = (todo, busy, protectedBits);

    /// <summary>To be copied by whoever claims it.</summary>
    public HierarchicalBitmap Todo { get; }

    /// <summary>Claimed, and not yet where a guest may overwrite it.</summary>
    public HierarchicalBitmap Busy { get; }

    /// <summary>Not to be overwritten yet.</summary>
    public HierarchicalBitmap Protected { get; }

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
        HierarchicalBitmap? busy = null;
        HierarchicalBitmap? bits = null;
        Fault fault = HierarchicalBitmap.TryCreate(sizeBytes, clusterBytes, resident, out HierarchicalBitmap? todo);
        if (fault.IsNone)
            fault = HierarchicalBitmap.TryCreate(sizeBytes, clusterBytes, default, out busy);
        if (fault.IsNone)
            fault = HierarchicalBitmap.TryCreate(sizeBytes, clusterBytes, resident, out bits);
        if (fault.IsNone)
        {
            map = new CopyMap(todo!, busy!, bits!);
            return fault;
        }
        todo?.Dispose();
        busy?.Dispose();
        return fault;
    }

    /// <summary>Whether a guest write to the range must wait. Threads: any. Cost: a read per 64 clusters.</summary>
    public bool IsProtected(in Extent extent)
    {
        Clusters(extent, out ulong first, out ulong count);
        return Protected.IsAnySet(first, count);
    }

    /// <summary>The clusters that a byte range touches.</summary>
    public void Clusters(in Extent extent, out ulong first, out ulong count)
    {
        first = extent.OffsetBytes / ClusterBytes;
        count = extent.IsEmpty ? 0 : Units.DivCeil(extent.EndBytes, ClusterBytes) - first;
        if (Planted.Is(PlantedBug.R22TailClusterUnprotected))
            count = Units.DivCeil(extent.LengthBytes, ClusterBytes);
    }

    /// <summary>The bytes of a run of clusters, cut at the disk's end.</summary>
    public Extent Bytes(ulong firstCluster, ulong clusterCount)
    {
        ulong offsetBytes = firstCluster * ClusterBytes;
        ulong endBytes = Math.Min((firstCluster + clusterCount) * ClusterBytes, SizeBytes);
        return new Extent(offsetBytes, endBytes - offsetBytes);
    }

    /// <summary>Everything is to be copied and protected. The disk must be quiesced.</summary>
    public void MarkAll()
    {
        Todo.SetAll();
        Protected.SetAll();
        if (!Planted.Is(PlantedBug.R07LastClusterForgotten) || SizeBytes % ClusterBytes == 0)
            return;
        Todo.ClearBits(ClusterCount - 1, 1);
        Protected.ClearBits(ClusterCount - 1, 1);
    }

    /// <summary>What is dirty is to be copied and protected. The disk must be quiesced.</summary>
    /// <param name="dirty">Of any granularity; rounded outwards to clusters.</param>
    public void MarkDirty(HierarchicalBitmap dirty)
    {
        Check.That(Todo.CopyFrom(dirty).IsNone);
        Check.That(Protected.CopyFrom(dirty).IsNone);
    }

    public void Dispose()
    {
        Todo.Dispose();
        Busy.Dispose();
        Protected.Dispose();
    }
}
