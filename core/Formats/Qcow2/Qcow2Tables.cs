// Reads what every use of a qcow2 file begins with: its header, its L1 table, and whether the rest makes sense.
using System;
using System.Globalization;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

public static class Qcow2Tables
{
    /// <param name="reader">Of the file.</param>
    /// <param name="path">For people.</param>
    /// <param name="header">Null when refused.</param>
    /// <returns>None, or what is wrong with the header.</returns>
    public static OpenRefusal TryReadHeader(IImageReader reader, string path, out Qcow2Header? header)
    {
        header = null;
        Span<byte> first = stackalloc byte[HeaderParser.LeastBytes];
        first = first[..(int)Math.Min(reader.SizeBytes, (ulong)first.Length)];
        Fault fault = reader.Read(0, first);
        if (fault.IsFault)
            return OpenRefusal.Of(path, "read", fault);
        if (HeaderParser.TryClusterBits(first, out int clusterBits) is { } none)
            return OpenRefusal.Rule($"'{path}' {none}");
        byte[] head = new byte[Math.Min(1UL << clusterBits, reader.SizeBytes)];
        fault = reader.Read(0, head);
        if (fault.IsFault)
            return OpenRefusal.Of(path, "read", fault);
        // Another may write to the file: what was looked at has to be what is read.
        if (HeaderParser.TryClusterBits(head, out int again) is { } changed)
            return OpenRefusal.Rule($"'{path}' {changed}");
        string? wrong = again == clusterBits ? null : "changes while it is read";
        wrong ??= new HeaderParser(head).TryParse(clusterBits, out header);
        return wrong == null ? default : OpenRefusal.Rule($"'{path}' {wrong}");
    }

    /// <summary>Whether what is there beside its disk, bitmaps and snapshots, makes sense: else no program opens it.
    /// </summary>
    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <returns>Null, or what is wrong, a sentence.</returns>
    public static string? WhatIsWrongBeside(IImageReader reader, Qcow2Header header) =>
        BitmapReading.WhatIsWrong(reader, header) ?? Qcow2Snapshot.WhatIsWrong(reader, header);

    /// <summary>Entries of the L1 table that the disk needs.</summary>
    public static ulong L1Needed(Qcow2Header header) => Units.DivCeil(header.SizeBytes, header.L1SpanBytes);

    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <param name="path">For people.</param>
    /// <param name="table">As in the file, big endian; null when refused. Owner: the caller.</param>
    /// <returns>None, or why it cannot be read.</returns>
    public static OpenRefusal TryReadL1(
        IImageReader reader,
        Qcow2Header header,
        string path,
        out NativeArray<ulong>? table
    )
    {
        table = null;
        ulong count = L1Needed(header);
        if (!new Extent(header.L1OffsetBytes, count * sizeof(ulong)).IsWithin(reader.SizeBytes) && count > 0)
            return OpenRefusal.Rule(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{path}' ends before its L1 table at {header.L1OffsetBytes}: it was cut"
                )
            );
        NativeArray<ulong> made = new(count, RegionResidency.Resident);
        Fault fault = count > 0 ? reader.Read(header.L1OffsetBytes, MemoryMarshal.AsBytes(made.AsSpan())) : Fault.None;
        if (fault.IsNone)
        {
            table = made;
            return default;
        }
        made.Dispose();
        return OpenRefusal.Of(path, "read the L1 table of", fault);
    }
}
