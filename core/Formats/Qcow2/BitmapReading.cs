// Reads the bits of an image's persistent bitmaps. The table of a bitmap names a cluster of bits for each part of the
// disk, or says of the part that all its bits are clear or set. The bits lie as HierarchicalBitmap has them when it is
// serialised.
// Memory: a table, a cluster, and the bitmap; what a header can ask for is bounded (Qcow2Bitmap).
// Source: QEMU docs/interop/qcow2.rst, "Bitmap table", "Bitmap data".
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;

namespace FastBackup.Formats.Qcow2;

public static class BitmapReading
{
    /// <summary>Bits of an entry that have no meaning yet, and are zero.</summary>
    public const ulong Reserved = 0xff00_0000_0000_01fe;

    /// <summary>Without a place: all bits of the part are set.</summary>
    public const ulong AllSet = 1;

    /// <summary>Of all tables of one image that are looked at.</summary>
    const ulong TablesBytesMax = 256 * Units.MiB;

    /// <summary>Whether directory and tables are as a writer makes them; what they hold is not looked at.</summary>
    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <returns>Null, or what is wrong, a sentence.</returns>
    public static string? WhatIsWrong(IImageReader reader, Qcow2Header header)
    {
        if (Qcow2Bitmap.TryReadAll(reader, header, out List<Qcow2Bitmap> all) is { } wrong)
            return wrong;
        ulong bytes = 0;
        foreach (Qcow2Bitmap bitmap in all)
        {
            if (bitmap.IsInUse) // its table may be anything; of others that are of no use here it may not
                continue;
            bytes += bitmap.TableBytes;
            if (bytes > TablesBytesMax)
                return "its bitmaps have more tables than any writer makes";
            if (TryReadTable(reader, header, bitmap, out _, out Fault fault) is { } bad && fault.IsNone)
                return bad;
        }
        return null;
    }

    /// <summary>The bits of one that is right.</summary>
    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <param name="path">For people.</param>
    /// <param name="bitmap">One of its directory.</param>
    /// <param name="bits">Null when refused. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryRead(
        IImageReader reader,
        Qcow2Header header,
        string path,
        Qcow2Bitmap bitmap,
        out HierarchicalBitmap? bits
    )
    {
        bits = null;
        if (bitmap.UselessBecause is { } useless)
            return OpenRefusal.Rule($"bitmap '{bitmap.Name}' of '{path}' {useless}");
        string? wrong = TryReadTable(reader, header, bitmap, out ulong[] table, out Fault fault);
        if (wrong != null && fault.IsNone)
            return OpenRefusal.Rule($"'{path}' is corrupt: {wrong}");
        HierarchicalBitmap? made = null;
        if (fault.IsNone)
            fault = HierarchicalBitmap.TryCreate(header.SizeBytes, bitmap.GranularityBytes, default, out made);
        if (fault.IsNone)
            fault = Load(reader, header, table, made!);
        if (fault.IsNone)
        {
            bits = made;
            return default;
        }
        made?.Dispose();
        return new OpenRefusal(fault, $"cannot read bitmap '{bitmap.Name}' of '{path}': {fault}");
    }

    static Fault Load(IImageReader reader, Qcow2Header header, ulong[] table, HierarchicalBitmap bits)
    {
        byte[] cluster = new byte[header.ClusterBytes];
        ulong partBytes = PartBytes(header, bits.GranularityBytes);
        for (ulong i = 0; i < (ulong)table.Length && partBytes * i < bits.SizeBytes; i++)
        {
            Extent part = new(partBytes * i, Math.Min(partBytes, bits.SizeBytes - partBytes * i));
            ulong host = table[i] & EntryReader.OffsetMask;
            Fault fault = Fault.None;
            if (host != 0)
                fault = reader.Read(host, cluster);
            if (fault.IsNone && host != 0)
                fault = bits.DeserializePart(part.OffsetBytes, part.LengthBytes, cluster);
            else if (fault.IsNone && (table[i] & AllSet) != 0)
                fault = bits.DeserializeOnes(part.OffsetBytes, part.LengthBytes);
            if (fault.IsFault)
                return fault;
        }
        _ = bits.DeserializeFinish();
        return Fault.None;
    }

    /// <summary>What one cluster of bits is about.</summary>
    /// <param name="header">Of the image.</param>
    /// <param name="granularityBytes">Of a bit.</param>
    internal static ulong PartBytes(Qcow2Header header, ulong granularityBytes) =>
        header.ClusterBytes * 8 * granularityBytes;

    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <param name="bitmap">Whose.</param>
    /// <param name="table">As many entries as could be.</param>
    /// <param name="fault">Of the storage.</param>
    /// <returns>Null, or what is wrong, a sentence.</returns>
    internal static string? TryReadTable(
        IImageReader reader,
        Qcow2Header header,
        Qcow2Bitmap bitmap,
        out ulong[] table,
        out Fault fault
    )
    {
        (table, fault) = ([], Fault.None);
        if (!new Extent(bitmap.TableOffsetBytes, bitmap.TableBytes).IsWithin(reader.SizeBytes))
            return $"the table of bitmap '{bitmap.Name}' leaves the file";
        byte[] bytes = new byte[bitmap.TableBytes];
        fault = reader.Read(bitmap.TableOffsetBytes, bytes);
        if (fault.IsFault)
            return $"the table of bitmap '{bitmap.Name}' cannot be read";
        table = new ulong[bitmap.TableCount];
        for (int i = 0; i < table.Length; i++)
        {
            ulong entry = table[i] = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(i * sizeof(ulong)));
            ulong host = entry & EntryReader.OffsetMask;
            if (
                (entry & Reserved) != 0
                || host != 0 && (entry & AllSet) != 0
                || !Units.IsAligned(host, header.ClusterBytes)
            )
                return $"bitmap '{bitmap.Name}' has an entry that no writer makes";
            if (host != 0 && !new Extent(host, header.ClusterBytes).IsWithin(reader.SizeBytes))
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"bitmap '{bitmap.Name}' has bits at {host}, behind the end of the file"
                );
        }
        return null;
    }
}
