// A huge disk in small clusters needs a large copy bitmap: refused before the memory is taken, since the kernel
// would otherwise end some process for it.
using FastBackup.Base;

namespace FastBackup.Cli;

static class CopyBitmapRule
{
    const ulong ClustersMax = 1UL << 41; // the bitmap's own limit

    /// <param name="diskBytes">Size of the source.</param>
    /// <param name="clusterBytes">Not 0.</param>
    /// <param name="availableBytes">Memory that may be taken.</param>
    /// <returns>Null, or why not.</returns>
    public static string? Check(ulong diskBytes, uint clusterBytes, ulong availableBytes)
    {
        ulong clusterCount = Units.DivCeil(diskBytes, clusterBytes);
        ulong neededBytes = BitmapBytes(clusterCount);
        if (clusterCount <= ClustersMax && neededBytes <= availableBytes)
            return null;
        ulong better = clusterBytes;
        while (
            Units.DivCeil(diskBytes, better) > ClustersMax
            || BitmapBytes(Units.DivCeil(diskBytes, better)) > availableBytes
        )
            better *= 2;
        return Phrases.Text(
            $"the copy bitmap of a disk of {ByteSize.Format(diskBytes)} in clusters of {
                ByteSize.Format(clusterBytes)} needs {ByteSize.Format(neededBytes)} of memory; give --cluster {better}"
        );
    }

    /// <summary>
    /// Three maps (see CopyMap): each one bit a cluster, and a bit for each 512 in the level above, and so on.
    /// </summary>
    static ulong BitmapBytes(ulong clusterCount) => 3 * (clusterCount / 8 / 511 * 512);
}
