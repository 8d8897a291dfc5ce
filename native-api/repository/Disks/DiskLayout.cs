// How a disk is cut: chunks of one size, and of many chunks a file each (a segment), when the disk is large. A chunk is
// what is stored once; a segment's list of chunks is what unchanged parts of a disk share between points in time.
//
//   HOST/DISK/disk.json
//   HOST/DISK/disk.img           all of it, or
//   HOST/DISK/000000/segment     the first, 000001/segment the next, ...: each in a folder of its own, since a folder's
//                                list, in which its files' chunks are, is what can be shared
//
// So 'cat HOST/DISK/*/segment', or 'cat HOST/DISK/disk.img', of what stock restic has restored is the disk.
using System;
using System.Globalization;
using FastBackup.Base;

namespace FastBackup.Repositories;

/// <param name="SizeBytes">Of the disk.</param>
/// <param name="ChunkBytes">A power of two.</param>
/// <param name="SegmentBytes">A multiple of it; 0: one file.</param>
readonly record struct DiskLayout(ulong SizeBytes, ulong ChunkBytes, ulong SegmentBytes)
{
    public const string ImageName = "disk.img";
    public const string SegmentName = "segment";
    public const string DocumentName = "disk.json";

    public const ulong ChunkBytesMin = 128 * Units.KiB;
    public const ulong ChunkBytesMax = 8 * Units.MiB;

    /// <summary>The largest that is chosen by itself.</summary>
    public const ulong ChunkBytesUsualMost = Units.MiB;

    /// <summary>Chunks of a segment: its list is half a MiB sealed, and stored anew when one of them changes.</summary>
    public const ulong SegmentChunks = 16 * 1024;

    const ulong ChunkBytesUsualLeast = 256 * Units.KiB;
    const ulong ChunksUsualMost = 4 * 1024 * 1024;

    public static DiskLayout Of(ulong sizeBytes, ulong chunkBytes) =>
        new(sizeBytes, chunkBytes, sizeBytes > chunkBytes * SegmentChunks ? chunkBytes * SegmentChunks : 0);

    /// <summary>
    /// Small, since a change stores whole chunks, as long as their names fit into memory: 256 KiB up to 1 TiB, then
    /// more, so that some 4 million are enough, but no more than 1 MiB. bench/Points has the figures.
    /// </summary>
    public static ulong UsualChunkOf(ulong sizeBytes)
    {
        ulong chunkBytes = ChunkBytesUsualLeast;
        while (chunkBytes < ChunkBytesUsualMost && sizeBytes / chunkBytes > ChunksUsualMost)
            chunkBytes *= 2;
        return chunkBytes;
    }

    public ulong ChunkCount => Units.DivCeil(SizeBytes, ChunkBytes);

    public ulong ChunksPerSegment => SegmentBytes == 0 ? Math.Max(1, ChunkCount) : SegmentBytes / ChunkBytes;

    public ulong SegmentCount => SegmentBytes == 0 ? 1 : Units.DivCeil(SizeBytes, SegmentBytes);

    /// <summary>Bytes of a chunk: the last one may be shorter.</summary>
    public ulong LengthOf(ulong chunk) => Math.Min(ChunkBytes, SizeBytes - chunk * ChunkBytes);

    public ulong ChunksOf(ulong segment) => Math.Min(ChunksPerSegment, ChunkCount - segment * ChunksPerSegment);

    public ulong BytesOf(ulong segment) =>
        SegmentBytes == 0 ? SizeBytes : Math.Min(SegmentBytes, SizeBytes - segment * SegmentBytes);

    /// <summary>Of a segment's folder; they sort as they lie on the disk.</summary>
    public static string FolderOf(ulong segment) => segment.ToString("000000", CultureInfo.InvariantCulture);
}
