// How a disk is cut into granules, regions and the blocks that hold their bits. All numbers of a tracker file's layout
// follow from three: the disk's size, the granule, the region.
//
//   granule   what the fine map tells apart, 2^12..2^22 bytes; one bit in a fine page of 4096 bytes
//   region    what is durably open or closed, 4 MiB unless told; one bit in an intent sector of 512 bytes
//
// Every block keeps its first 64 bytes for itself (SealedBlock), so a fine page has 63 lines of bits, a sector has 7.
// 64 TiB with 64 KiB granules: 2^30 granules in 33,289 pages (130 MiB a copy), 2^24 regions in 4,682 sectors (2.3 MiB).
using FastBackup.Base;

namespace FastBackup.Tracking.Format;

/// <summary>Immutable.</summary>
/// <param name="DiskBytes">1..<see cref="DiskMaxBytes"/>, any multiple of nothing.</param>
/// <param name="GranuleShift">12..22.</param>
/// <param name="RegionShift">GranuleShift..30.</param>
readonly record struct TrackerShape(ulong DiskBytes, int GranuleShift, int RegionShift)
{
    public const int GranuleShiftMin = 12;
    public const int GranuleShiftMax = 22;
    public const int RegionShiftMax = 30;
    public const int RegionShiftUsual = 22;
    public const ulong DiskMaxBytes = 1UL << 53; // 2^41 granules of 4 KiB, the longest bitmap

    public const int PageBytes = 4096;
    public const int SectorBytes = 512;
    public const ulong SectorsPerPage = PageBytes / SectorBytes;
    public const ulong GranulesPerPage = (PageBytes - SealedBlock.HeadBytes) * 8;
    public const ulong RegionsPerSector = (SectorBytes - SealedBlock.HeadBytes) * 8;

    /// <summary>Whether the format has such a disk.</summary>
    public bool IsLegal =>
        DiskBytes is > 0 and <= DiskMaxBytes
        && GranuleShift is >= GranuleShiftMin and <= GranuleShiftMax
        && RegionShift >= GranuleShift
        && RegionShift <= RegionShiftMax;

    public ulong GranuleBytes => 1UL << GranuleShift;

    public ulong RegionBytes => 1UL << RegionShift;

    public ulong GranuleCount => Units.DivCeil(DiskBytes, GranuleBytes);

    public ulong RegionCount => Units.DivCeil(DiskBytes, RegionBytes);

    public ulong FinePageCount => Units.DivCeil(GranuleCount, GranulesPerPage);

    public ulong IntentSectorCount => Units.DivCeil(RegionCount, RegionsPerSector);

    /// <summary>One copy of the fine map in the file.</summary>
    public ulong FineBytes => FinePageCount * PageBytes;

    /// <summary>One copy of the intents in the file; whole pages, for disks that write no less.</summary>
    public ulong IntentBytes => Units.DivCeil(IntentSectorCount, SectorsPerPage) * PageBytes;

    /// <summary>The live map in the file: bits and nothing else, whole pages.</summary>
    public ulong LiveBytes => Units.AlignUp(Units.DivCeil(GranuleCount, 8), PageBytes);

    /// <summary>What a fine page tells about.</summary>
    public Extent OfFinePage(ulong index) =>
        Clip(index * GranulesPerPage * GranuleBytes, GranulesPerPage * GranuleBytes);

    /// <summary>What an intent sector tells about.</summary>
    public Extent OfSector(ulong index) => Clip(index * RegionsPerSector * RegionBytes, RegionsPerSector * RegionBytes);

    public Extent OfRegion(ulong index) => Clip(index * RegionBytes, RegionBytes);

    Extent Clip(ulong offsetBytes, ulong lengthBytes)
    {
        Check.That(offsetBytes < DiskBytes);
        return new Extent(offsetBytes, System.Math.Min(lengthBytes, DiskBytes - offsetBytes));
    }
}
