// A persistent dirty bitmap of an image, and where the directory of them is read. An entry that breaks the rules makes
// the whole directory useless, as it does to QEMU.
// Source: QEMU docs/interop/qcow2.rst, "Bitmaps"; the bounds that are no part of the format are those of QEMU's
// block/qcow2-bitmap.c.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <param name="Name">Its own.</param>
/// <param name="GranularityBits">A bit is about 2^this bytes.</param>
/// <param name="Flags">1: in use, so that it is not right; 2: recording; 4: right without its extra bytes.</param>
/// <param name="TableOffsetBytes">Of its table.</param>
/// <param name="TableCount">Entries.</param>
public sealed record Qcow2Bitmap(string Name, int GranularityBits, uint Flags, ulong TableOffsetBytes, uint TableCount)
{
    /// <summary>The autoclear bit by which the extension is right.</summary>
    public const ulong IsConsistent = 1;

    public const int GranularityBitsMin = 9;
    public const int GranularityBitsMax = 31;

    /// <summary>Of all of them together.</summary>
    public const int CountMax = 65535;

    public const int FixedBytes = 24;
    public const uint InUse = 1;
    public const uint Recording = 2;
    const uint RightWithoutExtra = 4;
    const int NameBytesMax = 1023;
    const uint ExtraBytesMax = 4096;
    const ulong BitBytesMax = 512 * Units.MiB;

    /// <summary>What a newer writer has put beside it; kept as it is.</summary>
    public byte[] Extra { get; init; } = [];

    /// <summary>In the file; null: as Name has it.</summary>
    public byte[]? ForeignName { get; init; }

    public bool IsInUse => (Flags & InUse) != 0;

    public bool IsRecording => (Flags & Recording) != 0;

    /// <summary>Why its bits say nothing, a clause for people; null: they are right.</summary>
    public string? UselessBecause =>
        IsInUse ? "is inconsistent: whoever recorded in it has not stored it, or is recording now"
        : ForeignName != null ? "has a name that is no text"
        : Extra.Length > 0 && (Flags & RightWithoutExtra) == 0 ? "has something beside it that is not known here"
        : null;

    public ulong GranularityBytes => 1UL << GranularityBits;

    /// <summary>Of the table.</summary>
    public ulong TableBytes => TableCount * 8UL;

    /// <summary>Whether an image can have a bitmap of so many bits: with more of them nobody opens it.</summary>
    /// <param name="header">Of the image.</param>
    /// <param name="diskBytes">Of its disk.</param>
    /// <param name="granularityBytes">Of a bit.</param>
    public static bool Fits(Qcow2Header header, ulong diskBytes, ulong granularityBytes)
    {
        ulong bitBytes = Units.DivCeil(Units.DivCeil(diskBytes, granularityBytes), 8);
        return Units.DivCeil(bitBytes, header.ClusterBytes) <= BitBytesMax >> header.ClusterBits;
    }

    /// <summary>What is in the directory of an image's bitmaps, where they are kept.</summary>
    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <param name="all">Those before the first that makes no sense.</param>
    /// <returns>Null, or what is wrong, a sentence.</returns>
    public static string? TryReadAll(IImageReader reader, Qcow2Header header, out List<Qcow2Bitmap> all)
    {
        all = [];
        if (header.Bitmaps is not { } table)
            return null;
        if (!new Extent(table.DirectoryOffsetBytes, table.DirectoryBytes).IsWithin(reader.SizeBytes))
            return "the directory of bitmaps leaves the file";
        byte[] bytes = new byte[table.DirectoryBytes];
        if (reader.Read(table.DirectoryOffsetBytes, bytes).IsFault)
            return "the directory of bitmaps cannot be read";
        HashSet<string> names = [];
        int at = 0;
        for (uint i = 0; i < table.Count; i++)
        {
            string? wrong = TryReadOne(bytes.AsSpan(at), header, out Qcow2Bitmap? bitmap, out int length);
            if (wrong == null && bitmap!.ForeignName == null && !names.Add(bitmap.Name))
                wrong = $"two bitmaps have the name '{bitmap.Name}'";
            if (wrong != null)
                return wrong;
            all.Add(bitmap!);
            at += length;
        }
        return at == bytes.Length ? null : "the directory of bitmaps goes on behind its last entry";
    }

    static string? TryReadOne(ReadOnlySpan<byte> entry, Qcow2Header header, out Qcow2Bitmap? bitmap, out int length)
    {
        (bitmap, length) = (null, 0);
        if (entry.Length < FixedBytes)
            return "the directory of bitmaps ends too early";
        int nameBytes = BinaryPrimitives.ReadUInt16BigEndian(entry[18..]);
        uint extraBytes = BinaryPrimitives.ReadUInt32BigEndian(entry[20..]);
        if (extraBytes > ExtraBytesMax || nameBytes is 0 or > NameBytesMax || entry[16] != 1)
            return "the directory of bitmaps has an entry that makes no sense";
        length = (int)Units.AlignUp((ulong)(FixedBytes + nameBytes) + extraBytes, 8);
        if (length > entry.Length)
            return "the directory of bitmaps ends too early";
        ReadOnlySpan<byte> name = entry.Slice(FixedBytes + (int)extraBytes, nameBytes);
        bitmap = new Qcow2Bitmap(
            Encoding.UTF8.GetString(name),
            entry[17],
            BinaryPrimitives.ReadUInt32BigEndian(entry[12..]),
            BinaryPrimitives.ReadUInt64BigEndian(entry),
            BinaryPrimitives.ReadUInt32BigEndian(entry[8..])
        )
        {
            Extra = entry.Slice(FixedBytes, (int)extraBytes).ToArray(),
            ForeignName = System.Text.Unicode.Utf8.IsValid(name) && !name.Contains((byte)0) ? null : name.ToArray(),
        };
        return bitmap.WhatIsWrong(header) is { } wrong ? $"bitmap '{bitmap.Name}' {wrong}" : null;
    }

    string? WhatIsWrong(Qcow2Header header)
    {
        if (GranularityBits is < GranularityBitsMin or > GranularityBitsMax)
            return Text($"has a granularity of 2^{GranularityBits} bytes; 2^9 to 2^31 are possible");
        if ((Flags & ~(InUse | Recording | RightWithoutExtra)) != 0)
            return Text($"has flags {Flags:x}, which mean nothing");
        if ((Flags & RightWithoutExtra) != 0 && Extra.Length == 0)
            return "is right without extra bytes, and has none";
        bool isPlace = TableOffsetBytes > 0 && Units.IsAligned(TableOffsetBytes, header.ClusterBytes);
        if (!isPlace || TableCount == 0 || TableCount > BitBytesMax >> header.ClusterBits)
            return Text($"has a table of {TableCount} entries at {TableOffsetBytes}, where none can be");
        return IsInUse || Covers(header) ? null : Text($"has a table of {TableCount} entries, not those of its disk");
    }

    /// <summary>Its table has an entry for each part of the disk, and no more: else QEMU does not open the image.
    /// </summary>
    /// <param name="header">Of the image.</param>
    public bool Covers(Qcow2Header header)
    {
        ulong bitCount = Units.DivCeil(header.SizeBytes, GranularityBytes);
        return TableCount == Units.DivCeil(Units.DivCeil(bitCount, 8), header.ClusterBytes);
    }

    /// <summary>As it stands in a directory, with the bytes that fill it up.</summary>
    public byte[] ToEntry()
    {
        byte[] name = ForeignName ?? Encoding.UTF8.GetBytes(Name);
        byte[] entry = new byte[Units.AlignUp((ulong)(FixedBytes + Extra.Length + name.Length), 8)];
        BinaryPrimitives.WriteUInt64BigEndian(entry, TableOffsetBytes);
        BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(8), TableCount);
        BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(12), Flags);
        (entry[16], entry[17]) = (1, (byte)GranularityBits);
        BinaryPrimitives.WriteUInt16BigEndian(entry.AsSpan(18), (ushort)name.Length);
        BinaryPrimitives.WriteUInt32BigEndian(entry.AsSpan(20), (uint)Extra.Length);
        Extra.CopyTo(entry, FixedBytes);
        name.CopyTo(entry, FixedBytes + Extra.Length);
        return entry;
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
