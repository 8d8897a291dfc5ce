// What parts of clusters are: where a cluster has subclusters those, else itself. Pure.
using System;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
/// <param name="parts">Of the image.</param>
/// <param name="entries">Of its tables.</param>
sealed class ClusterLayout(Qcow2Parts parts, EntryReader entries)
{
    readonly Qcow2Header _header = parts.Header;

    /// <summary>The least that has a place or has none.</summary>
    public ulong UnitBytes { get; } =
        parts.Header.HasSubclusters
            ? parts.Header.ClusterBytes / Qcow2Header.SubclusterCount
            : parts.Header.ClusterBytes;

    /// <summary>What the image is based on has something there.</summary>
    public bool HasBelow(ulong offsetBytes) => (parts.Backing?.Limits.CapacityBytes ?? 0) > offsetBytes;

    /// <summary>Cuts a length to what of it is stored, or not, as its first byte is.</summary>
    /// <returns>Whether that is.</returns>
    public bool Run(uint stored, ulong within, ref ulong length)
    {
        if (!_header.HasSubclusters)
            return true;
        int part = (int)(within / UnitBytes);
        bool isStored = (stored >> part & 1) != 0;
        ulong end = within + length;
        ulong at = ((ulong)part + 1) * UnitBytes;
        for (; at < end && (stored >> (int)(at / UnitBytes) & 1) != 0 == isStored; at += UnitBytes) { }
        length = Math.Min(end, at) - within;
        return isStored;
    }

    /// <summary>Whether a part of a cluster reads as zero as it is.</summary>
    public bool ReadsAsZero(ulong entry, ulong bits, ulong clusterStart, ulong start, ulong end)
    {
        ClusterKind kind = entries.KindOf(entry);
        if (!_header.HasSubclusters || kind is not (ClusterKind.Data or ClusterKind.Unallocated))
            return kind == ClusterKind.Zero || kind == ClusterKind.Unallocated && !HasBelow(clusterStart + start);
        uint zero = (uint)(bits >> 32) | (HasBelow(clusterStart + start) ? 0 : ~(uint)bits);
        uint mask = Mask(start, Units.AlignUp(end, UnitBytes));
        return (zero & mask) == mask;
    }

    /// <summary>The bits of the parts of a cluster from one offset to another.</summary>
    public uint Mask(ulong start, ulong end)
    {
        int first = (int)(start / UnitBytes);
        int count = (int)(Units.DivCeil(end, UnitBytes) - (ulong)first);
        return (uint)((1UL << count) - 1 << first);
    }
}
