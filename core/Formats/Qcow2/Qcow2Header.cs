// What the header of a qcow2 file says, once it was found to make sense: every number is within bounds, tables are
// aligned and end before 2^63. Whether they lie in the file is seen by who reads them.
// Source: QEMU docs/interop/qcow2.rst; the bounds that are no part of the format are those of QEMU's block/qcow2.h.
using System.Collections.Generic;

namespace FastBackup.Formats.Qcow2;

/// <summary>Immutable.</summary>
public sealed record Qcow2Header
{
    public const int ClusterBitsMin = 9;
    public const int ClusterBitsMax = 21;

    /// <summary>Where each L2 entry has bits for 32 parts of its cluster.</summary>
    public const int SubclusterCount = 32;

    public required uint Version { get; init; }

    public required int ClusterBits { get; init; }

    /// <summary>Of the disk.</summary>
    public required ulong SizeBytes { get; init; }

    public required ulong L1OffsetBytes { get; init; }

    /// <summary>Entries, at least as many as the disk needs.</summary>
    public required uint L1Count { get; init; }

    public required ulong RefcountTableOffsetBytes { get; init; }

    public required uint RefcountTableClusters { get; init; }

    /// <summary>A reference count has 2^this bits, 0..6.</summary>
    public required int RefcountOrder { get; init; }

    public required ulong SnapshotsOffsetBytes { get; init; }

    public required uint SnapshotCount { get; init; }

    public Qcow2Features Features { get; init; }

    public ulong CompatibleFeatures { get; init; }

    public ulong AutoclearFeatures { get; init; }

    public Qcow2Compression Compression { get; init; }

    /// <summary>As in the file; null: based on nothing.</summary>
    public string? BackingName { get; init; }

    /// <summary>Of the backing file, where that was recorded.</summary>
    public string? BackingFormat { get; init; }

    /// <summary>Of the file with guest data, where that was recorded.</summary>
    public string? DataFileName { get; init; }

    /// <summary>Persistent bitmaps; null: there are none, or a writer that does not know them was here since.</summary>
    public Qcow2BitmapTable? Bitmaps { get; init; }

    /// <summary>Names for features that the file has brought with it: type, bit, name.</summary>
    public IReadOnlyList<(byte Type, byte Bit, string Name)> FeatureNames { get; init; } = [];

    public ulong ClusterBytes => 1UL << ClusterBits;

    public bool HasDataFile => (Features & Qcow2Features.DataFile) != 0;

    public bool HasSubclusters => (Features & Qcow2Features.ExtendedL2) != 0;

    public uint L2EntryBytes => HasSubclusters ? 16u : 8u;

    /// <summary>An L2 table is one cluster, and has 2^this entries.</summary>
    public int L2Bits => ClusterBits - (HasSubclusters ? 4 : 3);

    /// <summary>What one entry of the L1 table stands for.</summary>
    public ulong L1SpanBytes => 1UL << ClusterBits + L2Bits;
}
