// A persistent dirty bitmap of an image, and where the directory of them is read.
// Source: QEMU docs/interop/qcow2.rst, "Bitmaps".
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <param name="Name">Its own.</param>
/// <param name="GranularityBits">A bit is about 2^this bytes.</param>
/// <param name="Flags">1: in use, so that it is not right; 2: recording.</param>
/// <param name="TableOffsetBytes">Of its table.</param>
/// <param name="TableCount">Entries.</param>
public sealed record Qcow2Bitmap(string Name, int GranularityBits, uint Flags, ulong TableOffsetBytes, uint TableCount)
{
    /// <summary>The autoclear bit by which the extension is right.</summary>
    public const ulong IsConsistent = 1;

    const int FixedBytes = 24;

    public bool IsInUse => (Flags & 1) != 0;

    public bool IsRecording => (Flags & 2) != 0;

    /// <param name="reader">Of the file.</param>
    /// <param name="table">Where they are.</param>
    /// <param name="all">As many as make sense.</param>
    /// <returns>Null, or what is wrong, a sentence.</returns>
    public static string? TryReadAll(IImageReader reader, Qcow2BitmapTable table, out List<Qcow2Bitmap> all)
    {
        all = [];
        if (!new Extent(table.DirectoryOffsetBytes, table.DirectoryBytes).IsWithin(reader.SizeBytes))
            return "the directory of bitmaps leaves the file";
        byte[] bytes = new byte[table.DirectoryBytes];
        if (reader.Read(table.DirectoryOffsetBytes, bytes).IsFault)
            return "the directory of bitmaps cannot be read";
        int at = 0;
        for (uint i = 0; i < table.Count; i++)
        {
            ReadOnlySpan<byte> entry = bytes.AsSpan(at);
            if (entry.Length < FixedBytes)
                return "the directory of bitmaps ends too early";
            int nameBytes = BinaryPrimitives.ReadUInt16BigEndian(entry[18..]);
            uint extraBytes = BinaryPrimitives.ReadUInt32BigEndian(entry[20..]);
            ulong length = Units.AlignUp(FixedBytes + (ulong)nameBytes + extraBytes, 8);
            if (length > (ulong)entry.Length || entry[16] != 1)
                return "the directory of bitmaps has an entry that makes no sense";
            all.Add(
                new Qcow2Bitmap(
                    Encoding.UTF8.GetString(entry.Slice(FixedBytes + (int)extraBytes, nameBytes)),
                    entry[17],
                    BinaryPrimitives.ReadUInt32BigEndian(entry[12..]),
                    BinaryPrimitives.ReadUInt64BigEndian(entry),
                    BinaryPrimitives.ReadUInt32BigEndian(entry[8..])
                )
            );
            at += (int)length;
        }
        return null;
    }
}
