// How a new image is laid out: the header, then data in the order in which it comes, then the tables.
// Source: QEMU docs/interop/qcow2.rst.
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Immutable.</summary>
public sealed class NewImageShape
{
    internal const int ClusterBits = 16; // QEMU's own default
    internal const uint ClusterBytes = 1u << ClusterBits;
    internal const uint EntriesATable = ClusterBytes / sizeof(ulong);

    const uint CountsABlock = ClusterBytes / sizeof(ushort);
    const ulong PackedRoomClusters = 64;
    const ulong SizeBytesMax = 64 * Units.TiB;

    /// <param name="sizeBytes">Of the disk: whole sectors of 512, up to 64 TiB.</param>
    /// <param name="options">Null: nothing beside.</param>
    public NewImageShape(ulong sizeBytes, NewImageOptions? options = null)
    {
        Options = options ?? new NewImageOptions();
        Check.That(!Options.IsPreallocated || !TakesWholeClusters);
        SizeBytes = sizeBytes;
        Header = new BlankImageOptions
        {
            SizeBytes = sizeBytes,
            ClusterBytes = ClusterBytes,
            Compression = Options.Packing?.Type ?? Qcow2Compression.Zlib,
            BackingName = Options.BackingName,
            BackingFormat = Options.BackingFormat,
        };
        DataClusters = Units.DivCeil(sizeBytes, ClusterBytes);
        TableCount = Units.DivCeil(DataClusters, EntriesATable);
        L1Clusters = Units.DivCeil(TableCount * sizeof(ulong), ClusterBytes);
        // Packed clusters that are written again get another place.
        ulong again = Options.Packing == null ? 0 : PackedRoomClusters + DataClusters / 8;
        FileBytesMax = EndCluster(1 + DataClusters + again + TableCount + L1Clusters, out _, out _) * ClusterBytes;
        DataEndMax = 1 + DataClusters + again;
    }

    /// <summary>Whether an image can hold a disk.</summary>
    public static bool CanHold(ulong sizeBytes) =>
        sizeBytes is > 0 and <= SizeBytesMax && Units.IsAligned(sizeBytes, 512);

    public ulong SizeBytes { get; }

    internal NewImageOptions Options { get; }

    /// <summary>As the header says it.</summary>
    internal BlankImageOptions Header { get; }

    /// <summary>What is not written is not zero.</summary>
    internal bool IsBased => Options.BackingName != null;

    /// <summary>Part of a cluster cannot be written: the rest of it would have to be read.</summary>
    internal bool TakesWholeClusters => IsBased || Options.Packing != null;

    /// <summary>Where data ends at the latest: cluster of the file.</summary>
    internal ulong DataEndMax { get; }

    /// <summary>As long as the file can become.</summary>
    public ulong FileBytesMax { get; }

    /// <summary>Of the disk.</summary>
    internal ulong DataClusters { get; }

    /// <summary>L2 tables, where all are there.</summary>
    internal ulong TableCount { get; }

    internal ulong L1Clusters { get; }

    /// <summary>Where the file ends that has its reference counts behind all else.</summary>
    /// <param name="usedClusters">All else.</param>
    /// <param name="blockCount">Blocks of reference counts, those of themselves included.</param>
    /// <param name="tableClusters">Of the table of those.</param>
    internal static ulong EndCluster(ulong usedClusters, out ulong blockCount, out ulong tableClusters)
    {
        (blockCount, tableClusters) = (0, 0);
        while (true)
        {
            ulong end = usedClusters + blockCount + tableClusters;
            ulong blocks = Units.DivCeil(end, CountsABlock);
            ulong tables = Units.DivCeil(blocks * sizeof(ulong), ClusterBytes);
            if (blocks == blockCount && tables == tableClusters)
                return end;
            (blockCount, tableClusters) = (blocks, tables);
        }
    }
}
