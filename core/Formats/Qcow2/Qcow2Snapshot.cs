// An internal snapshot of an image, and where the table of them is read.
// Source: QEMU docs/interop/qcow2.rst, "Snapshots".
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <param name="Id">For people.</param>
/// <param name="Name">For people.</param>
/// <param name="L1OffsetBytes">Of its own L1 table.</param>
/// <param name="L1Count">Entries.</param>
/// <param name="DateSeconds">Since 1970.</param>
/// <param name="StateBytes">Of a machine that it also holds.</param>
public sealed record Qcow2Snapshot(
    string Id,
    string Name,
    ulong L1OffsetBytes,
    uint L1Count,
    uint DateSeconds,
    ulong StateBytes
)
{
    const int FixedBytes = 40;
    const int SizeOffset = 8; // behind the fixed part
    const uint ExtraBytesMax = 1024;
    const ulong TableBytesMax = 64 * Units.MiB;

    /// <summary>Of its disk; null: it does not say, and is as large as the image's.</summary>
    public ulong? DiskBytes { get; init; }

    /// <summary>All of them make sense, and say how large their disks are, as they have to from version 3 on; or there
    /// are none.</summary>
    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    public static bool HaveSizes(IImageReader reader, Qcow2Header header) =>
        header.SnapshotCount == 0
        || header.Version >= 3
            && TryReadAll(reader, header, out List<Qcow2Snapshot> all, out _) == null
            && all.TrueForAll(snapshot => snapshot.DiskBytes != null);

    /// <summary>Where the table of snapshots makes no sense, QEMU does not open the image, whatever its disk is.
    /// </summary>
    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <returns>Null, or what is wrong, a sentence.</returns>
    public static string? WhatIsWrong(IImageReader reader, Qcow2Header header) =>
        TryReadAll(reader, header, out _, out _);

    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <param name="all">As many as make sense.</param>
    /// <param name="tableBytes">How long the table is.</param>
    /// <returns>Null, or what is wrong, a sentence.</returns>
    public static string? TryReadAll(
        IImageReader reader,
        Qcow2Header header,
        out List<Qcow2Snapshot> all,
        out ulong tableBytes
    )
    {
        (all, tableBytes) = ([], 0);
        Span<byte> part = stackalloc byte[FixedBytes];
        for (uint i = 0; i < header.SnapshotCount; i++)
        {
            ulong offset = header.SnapshotsOffsetBytes + tableBytes;
            if (!TryRead(reader, offset, part))
                return "the table of snapshots leaves the file";
            int idBytes = BinaryPrimitives.ReadUInt16BigEndian(part[12..]);
            int nameBytes = BinaryPrimitives.ReadUInt16BigEndian(part[14..]);
            uint extraBytes = BinaryPrimitives.ReadUInt32BigEndian(part[36..]);
            byte[] rest = new byte[Math.Min(extraBytes, ExtraBytesMax) + (uint)idBytes + (uint)nameBytes];
            if (extraBytes > ExtraBytesMax || !TryRead(reader, offset + FixedBytes, rest))
                return "a snapshot has more to it than a file can hold";
            ReadOnlySpan<byte> id = rest.AsSpan((int)extraBytes, idBytes);
            all.Add(
                new Qcow2Snapshot(
                    Encoding.UTF8.GetString(id),
                    Encoding.UTF8.GetString(rest.AsSpan((int)extraBytes + idBytes)),
                    BinaryPrimitives.ReadUInt64BigEndian(part),
                    BinaryPrimitives.ReadUInt32BigEndian(part[8..]),
                    BinaryPrimitives.ReadUInt32BigEndian(part[16..]),
                    extraBytes >= 8
                        ? BinaryPrimitives.ReadUInt64BigEndian(rest)
                        : BinaryPrimitives.ReadUInt32BigEndian(part[32..])
                )
                {
                    DiskBytes =
                        extraBytes >= SizeOffset + 8
                            ? BinaryPrimitives.ReadUInt64BigEndian(rest.AsSpan(SizeOffset))
                            : null,
                }
            );
            tableBytes += Units.AlignUp(FixedBytes + (ulong)rest.Length, 8);
            if (tableBytes > TableBytesMax)
                return "the table of snapshots is longer than any";
        }
        return null;
    }

    static bool TryRead(IImageReader reader, ulong offset, Span<byte> bytes) =>
        new Extent(offset, (ulong)bytes.Length).IsWithin(reader.SizeBytes) && reader.Read(offset, bytes).IsNone;
}
