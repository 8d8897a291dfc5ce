// What an image is written by, read and looked at when it is opened for that: all reference counts, their table, the
// first bytes of its header. Refused is what could not be written without harm: an image that was not closed (its
// counts may be behind), one that cannot be counted in memory, tables that are not counted or lie on one another.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one at a time. Owner: the image's device.</summary>
public sealed class WritableParts : IDisposable
{
    const int AutoclearOffset = 88;
    const int SizeOffset = 24;
    const int L1CountOffset = 36;
    const int RefcountTableOffset = 48;
    const ulong GrowthStepDefault = 8 * Units.MiB;

    WritableParts(Qcow2Header header, AlignedRegion head, AlignedRegion table, ulong fileBytes)
    {
        (Head, RefcountTable) = (head, table);
        Counts = new RefcountMap(header, (int)(table.LengthBytes / 8), fileBytes);
        HeadBytes = Counts.PageBytes;
    }

    internal RefcountMap Counts { get; }

    /// <summary>The header as it is to be in the file.</summary>
    internal AlignedRegion Head { get; }

    /// <summary>Of it that is written.</summary>
    internal uint HeadBytes { get; }

    /// <summary>As in the file, when it was opened.</summary>
    internal AlignedRegion RefcountTable { get; }

    /// <summary>The file becomes longer when something is written behind its end.</summary>
    public bool CanGrow { get; init; }

    /// <summary>By so much at once.</summary>
    public ulong GrowthStepBytes { get; init; } = GrowthStepDefault;

    /// <summary>Who opened it records what is written in the bitmaps of the image, and stores them.</summary>
    public bool KeepsBitmaps { get; init; }

    /// <summary>The directory of bitmaps, all of them in use; null: there is none, or nobody keeps them.</summary>
    internal AlignedRegion? Directory { get; private set; }

    /// <summary>Bits that say what a writer who does not know them has made untrue.</summary>
    internal ulong Autoclear
    {
        get => BinaryPrimitives.ReadUInt64BigEndian(Head.Slice(AutoclearOffset, 8));
        set => BinaryPrimitives.WriteUInt64BigEndian(Head.Slice(AutoclearOffset, 8), value);
    }

    internal void SetRefcountTable(ulong hostBytes, ulong clusters)
    {
        BinaryPrimitives.WriteUInt64BigEndian(Head.Slice(RefcountTableOffset, 8), hostBytes);
        BinaryPrimitives.WriteUInt32BigEndian(Head.Slice(RefcountTableOffset + 8, 4), (uint)clusters);
    }

    internal void SetL1(ulong hostBytes, uint count)
    {
        BinaryPrimitives.WriteUInt32BigEndian(Head.Slice(L1CountOffset, 4), count);
        BinaryPrimitives.WriteUInt64BigEndian(Head.Slice(L1CountOffset + 4, 8), hostBytes);
    }

    internal void SetSize(ulong diskBytes) =>
        BinaryPrimitives.WriteUInt64BigEndian(Head.Slice(SizeOffset, 8), diskBytes);

    /// <summary>Internal snapshots say how large the disk was; there may be none.</summary>
    internal bool HaveSnapshotsSizes { get; private init; }

    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    /// <param name="l1">Its L1 table, big endian.</param>
    /// <param name="path">For people.</param>
    /// <param name="growth">Whether the file can become longer, and by how much it does at once.</param>
    /// <param name="keepsBitmaps">See <see cref="KeepsBitmaps"/>.</param>
    /// <param name="parts">Null when refused. Owner: the caller.</param>
    /// <returns>None, or why it cannot be written.</returns>
    public static OpenRefusal TryRead(
        IImageReader reader,
        Qcow2Header header,
        NativeArray<ulong> l1,
        string path,
        (bool CanGrow, ulong? StepBytes) growth,
        out WritableParts? parts,
        bool keepsBitmaps = false
    )
    {
        parts = null;
        ulong tableBytes = (ulong)header.RefcountTableClusters << header.ClusterBits;
        if ((header.Features & Qcow2Features.Dirty) != 0)
            return OpenRefusal.Rule(
                $"'{path}' was not closed by who wrote to it: its reference counts may be behind; repair it with "
                    + "'qemu-img check -r all', or open it for reading only"
            );
        if (!new Extent(header.RefcountTableOffsetBytes, tableBytes).IsWithin(reader.SizeBytes))
            return OpenRefusal.Rule($"'{path}' ends before its table of reference counts: it was cut");
        AlignedRegion head = AlignedRegion.Map(Math.Min(header.ClusterBytes, 4096), RegionResidency.Resident);
        AlignedRegion table = AlignedRegion.Map(tableBytes, RegionResidency.Resident);
        WritableParts made = new(header, head, table, reader.SizeBytes)
        {
            CanGrow = growth.CanGrow,
            GrowthStepBytes = growth.StepBytes ?? GrowthStepDefault,
            KeepsBitmaps = keepsBitmaps,
            HaveSnapshotsSizes = Qcow2Snapshot.HaveSizes(reader, header),
        };
        string? wrong = null;
        Fault fault = reader.Read(0, head.Slice(0, (int)Math.Min(head.LengthBytes, reader.SizeBytes)));
        if (fault.IsNone)
            fault = reader.Read(header.RefcountTableOffsetBytes, table.Slice(0, (int)tableBytes));
        if (fault.IsNone)
            fault = made.ReadBlocks(reader, header, out wrong);
        if (fault.IsNone)
            wrong ??= made.MarkTables(header, l1);
        if (fault.IsNone && wrong == null && header.Bitmaps != null)
            fault = made.TakeBitmaps(reader, header, out wrong);
        if (fault.IsNone && wrong == null)
        {
            parts = made;
            return default;
        }
        made.Dispose();
        return wrong == null
            ? OpenRefusal.Of(path, "read the reference counts of", fault)
            : OpenRefusal.Rule($"'{path}' {wrong}; look at it with 'fastbackup check', or open it for reading only");
    }

    Fault ReadBlocks(IImageReader reader, Qcow2Header header, out string? wrong)
    {
        wrong = null;
        ReadOnlySpan<byte> table = RefcountTable.Slice(0, (int)RefcountTable.LengthBytes);
        for (int number = 0; number < table.Length / 8; number++)
        {
            ulong offset = BinaryPrimitives.ReadUInt64BigEndian(table[(number * 8)..]);
            if (offset == 0)
                continue;
            if (!IsPlace(reader, header, offset))
                wrong = Text($"has a block of reference counts at {offset}, where none can be");
            else if (Counts.IsFull)
                wrong = Text($"has more than {Counts.MemoryBytes} bytes of reference counts");
            if (wrong != null)
                return Fault.None;
            Fault fault = reader.Read(offset, Counts.AddBlock(number, offset));
            if (fault.IsFault)
                return fault;
        }
        return Fault.None;
    }

    /// <summary>Each table is counted, and no two are in one place.</summary>
    /// <returns>Null, or what is wrong.</returns>
    string? MarkTables(Qcow2Header header, NativeArray<ulong> l1)
    {
        ulong tableBytes = (ulong)header.RefcountTableClusters << header.ClusterBits;
        string? wrong =
            MarkOwn(header, 0, header.ClusterBytes) ?? MarkOwn(header, header.RefcountTableOffsetBytes, tableBytes);
        wrong ??= MarkOwn(header, header.L1OffsetBytes, header.L1Count * 8UL);
        for (int number = 0; number < Counts.TableCount && wrong == null; number++)
            if (Counts.OffsetOf(number) is > 0 and var offset)
                wrong = MarkOwn(header, offset, header.ClusterBytes);
        if (header.SnapshotCount > 0)
            wrong ??= Mark(header, header.SnapshotsOffsetBytes, 1);
        foreach (ulong entry in l1.AsSpan())
        {
            ulong table = Qcow2Device.FromFile(entry) & EntryReader.OffsetMask;
            if (table != 0 && wrong == null)
                wrong = Mark(header, table, header.ClusterBytes);
        }
        return wrong;
    }

    /// <summary>Nothing of a guest goes where bitmaps lie; and the directory, as it is to be while it is written to.
    /// </summary>
    Fault TakeBitmaps(IImageReader reader, Qcow2Header header, out string? wrong)
    {
        Qcow2BitmapTable place = header.Bitmaps!;
        wrong = Qcow2Bitmap.TryReadAll(reader, header, out List<Qcow2Bitmap> all);
        wrong ??= Mark(header, place.DirectoryOffsetBytes, place.DirectoryBytes);
        List<byte> bytes = [];
        foreach (Qcow2Bitmap bitmap in all)
        {
            bytes.AddRange((bitmap with { Flags = bitmap.Flags | Qcow2Bitmap.InUse }).ToEntry());
            if (wrong != null || bitmap.IsInUse)
                continue;
            wrong = BitmapReading.TryReadTable(reader, header, bitmap, out ulong[] table, out Fault fault);
            if (fault.IsFault)
                return fault;
            wrong ??= Mark(header, bitmap.TableOffsetBytes, bitmap.TableBytes);
            foreach (ulong entry in table)
                if ((entry & EntryReader.OffsetMask) is > 0 and var host)
                    wrong ??= Mark(header, host, header.ClusterBytes);
        }
        if (!KeepsBitmaps || wrong != null)
            return Fault.None;
        Check.That((ulong)bytes.Count == place.DirectoryBytes);
        Directory = AlignedRegion.Map(place.DirectoryBytes, RegionResidency.Resident);
        bytes.ToArray().CopyTo(Directory.Slice(0, bytes.Count));
        return Fault.None;
    }

    /// <summary>As Mark, of what is written to in place: nobody else may have it.</summary>
    string? MarkOwn(Qcow2Header header, ulong offset, ulong length)
    {
        for (ulong at = 0; at < length; at += header.ClusterBytes)
            if (Counts.Get((offset + at) >> header.ClusterBits) is > 1 and var count)
                return Text($"has a table at {offset + at} that it counts {count} times");
        return Mark(header, offset, length);
    }

    string? Mark(Qcow2Header header, ulong offset, ulong length)
    {
        if (length == 0)
            return null;
        if (!Units.IsAligned(offset, header.ClusterBytes))
            return Text($"has a table at {offset}, on no cluster");
        for (ulong cluster = offset >> header.ClusterBits; cluster << header.ClusterBits < offset + length; cluster++)
        {
            if (Counts.Get(cluster) == 0)
                return Text($"has a table at {offset} that it does not count as used");
            if (Counts.IsTable(cluster))
                return Text($"has two tables at {offset}");
            Counts.SetTable(cluster, isTable: true);
        }
        return null;
    }

    static bool IsPlace(IImageReader reader, Qcow2Header header, ulong offset) =>
        Units.IsAligned(offset, header.ClusterBytes)
        && new Extent(offset, header.ClusterBytes).IsWithin(reader.SizeBytes);

    public void Dispose()
    {
        Counts.Dispose();
        Head.Dispose();
        RefcountTable.Dispose();
        Directory?.Dispose();
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
