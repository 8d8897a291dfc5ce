// Whether the tables of an image agree: every use of every cluster is counted (header, tables of the disk and of its
// snapshots, data, compressed clusters, bitmaps) and compared with the reference counts in the file. A count below the
// uses is a corruption: the cluster could be given away while it holds data. Above them it is a leak. Entries that no
// writer makes, and marks "referenced once" that are not true, are corruptions as well. Only reads.
//
// Memory: 4 bytes a cluster of the file, CountsMax at most; tables are read one at a time. Time: as many tables as the
// image and its snapshots name, TableBytesMax in all: who shares one table between thousands of snapshots is told that
// the check was not done to its end.
// Source: QEMU docs/interop/qcow2.rst; what counts as which, qemu-img check.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one, that may wait. Used once.</summary>
public sealed class Qcow2Check : IDisposable
{
    const ulong CountsMax = 1UL << 28;
    const ulong TableBytesMax = 64 * Units.GiB;

    // Bits that have no meaning yet, and are zero.
    const ulong L1Reserved = 0x7f00_0000_0000_01ff;
    const ulong L2Reserved = 0x3f00_0000_0000_01fe;

    readonly IImageReader _reader;
    readonly Qcow2Header _header;
    readonly EntryReader _entries;
    readonly NativeArray<uint> _uses;
    readonly CheckFindings _findings = new();
    readonly byte[] _table;
    RefcountReader _counts = null!;
    ulong _readBytes;

    Qcow2Check(IImageReader reader, Qcow2Header header)
    {
        (_reader, _header) = (reader, header);
        _entries = new EntryReader(header);
        _table = new byte[header.ClusterBytes];
        // And one behind the end: a packed cluster may begin there, and nothing else.
        _uses = new NativeArray<uint>(Units.DivCeil(reader.SizeBytes, header.ClusterBytes) + 1, RegionResidency.Lazy);
    }

    /// <param name="reader">Of the file.</param>
    /// <param name="header">Its own.</param>
    public static CheckFindings Run(IImageReader reader, Qcow2Header header)
    {
        if (Units.DivCeil(reader.SizeBytes, header.ClusterBytes) > CountsMax)
            return new CheckFindings { Incomplete = "the image has more clusters than can be counted in memory" };
        using Qcow2Check check = new(reader, header);
        check._findings.Incomplete = check.Run();
        return check._findings;
    }

    public void Dispose() => _uses.Dispose();

    string? Run()
    {
        _findings.TotalClusters = Units.DivCeil(_header.SizeBytes, _header.ClusterBytes);
        ulong tableBytes = (ulong)_header.RefcountTableClusters << _header.ClusterBits;
        if (!new Extent(_header.RefcountTableOffsetBytes, tableBytes).IsWithin(_reader.SizeBytes))
            return "the table of reference counts leaves the file";
        _counts = new RefcountReader(_reader, _header, out Fault fault);
        if (fault.IsFault)
            return $"the table of reference counts cannot be read: {fault}";
        Use(0, _header.ClusterBytes, "the header");
        Use(_header.RefcountTableOffsetBytes, tableBytes, "the table of reference counts");
        foreach (ulong block in _counts.Blocks)
            if (block != 0 && !Units.IsAligned(block, _header.ClusterBytes))
                _findings.Corrupt(Text($"a block of reference counts lies at {block}, on no cluster"));
            else if (block != 0)
                Use(block, _header.ClusterBytes, "a block of reference counts");
        return CountL1(_header.L1OffsetBytes, _header.L1Count, isActive: true)
            ?? CountSnapshots()
            ?? CountBitmaps()
            ?? CheckBlocks()
            ?? Compare();
    }

    /// <summary>Counts are written in place: what else lies there would change with them.</summary>
    string? CheckBlocks()
    {
        foreach (ulong block in _counts.Blocks)
            if (block != 0 && block >> _header.ClusterBits < _uses.Count && _uses[block >> _header.ClusterBits] > 1)
                _findings.Corrupt(Text($"a block of reference counts lies at {block}, where something else is, too"));
        return null;
    }

    string? CountSnapshots()
    {
        if (_header.SnapshotCount == 0)
            return null;
        string? wrong = Qcow2Snapshot.TryReadAll(_reader, _header, out List<Qcow2Snapshot> all, out ulong tableBytes);
        if (wrong != null)
            return wrong;
        Use(_header.SnapshotsOffsetBytes, tableBytes, "the table of snapshots");
        foreach (Qcow2Snapshot snapshot in all)
        {
            wrong = CountL1(snapshot.L1OffsetBytes, snapshot.L1Count, isActive: false);
            if (wrong != null)
                return $"snapshot '{snapshot.Name}': {wrong}";
        }
        return null;
    }

    string? CountBitmaps()
    {
        if (_header.Bitmaps is not { } table)
            return null;
        Use(table.DirectoryOffsetBytes, table.DirectoryBytes, "the directory of bitmaps");
        if (Qcow2Bitmap.TryReadAll(_reader, _header, out List<Qcow2Bitmap> all) is { } wrong)
        {
            _findings.Corrupt(wrong);
            return null;
        }
        foreach (Qcow2Bitmap bitmap in all)
        {
            ulong bytes = bitmap.TableCount * 8UL;
            string name = $"bitmap '{bitmap.Name}'";
            if (!IsPlace(bitmap.TableOffsetBytes, bytes) || bytes > 64 * Units.MiB || Spend(bytes))
            {
                _findings.Corrupt(Text($"{name} has its table at {bitmap.TableOffsetBytes}, where none can be"));
                continue;
            }
            Use(bitmap.TableOffsetBytes, bytes, name);
            byte[] entries = new byte[bytes];
            if (_reader.Read(bitmap.TableOffsetBytes, entries) is { IsFault: true } fault)
                return $"{name} cannot be read: {fault}";
            for (int at = 0; at < entries.Length; at += 8)
            {
                ulong entry = BinaryPrimitives.ReadUInt64BigEndian(entries.AsSpan(at));
                ulong offset = entry & EntryReader.OffsetMask;
                bool isWrong = (entry & BitmapReading.Reserved) != 0 || offset != 0 && (entry & 1) != 0;
                if (isWrong || !Units.IsAligned(offset, _header.ClusterBytes))
                    _findings.Corrupt($"{name} has an entry that no writer makes");
                else if (offset != 0)
                    Use(offset, _header.ClusterBytes, name);
            }
        }
        return null;
    }

    /// <returns>Null, or why the check cannot go on.</returns>
    string? CountL1(ulong offset, uint count, bool isActive)
    {
        ulong bytes = count * 8UL;
        if (bytes == 0)
            return null;
        if (!IsPlace(offset, bytes) || bytes > 32 * Units.MiB)
            return Text($"an L1 table lies at {offset}, where none can be");
        if (Spend(bytes))
            return "its tables are named more often than can be followed";
        Use(offset, bytes, "an L1 table");
        byte[] table = new byte[bytes];
        if (_reader.Read(offset, table) is { IsFault: true } fault)
            return $"an L1 table cannot be read: {fault}";
        for (uint i = 0; i < count; i++)
        {
            ulong entry = BinaryPrimitives.ReadUInt64BigEndian(table.AsSpan((int)i * 8));
            ulong l2 = entry & EntryReader.OffsetMask;
            if ((entry & L1Reserved) != 0)
                _findings.Corrupt(Text($"L1 entry {i} has bits that mean nothing"));
            if (l2 == 0)
                continue;
            Use(l2, _header.ClusterBytes, "an L2 table");
            if (!IsPlace(l2, _header.ClusterBytes))
            {
                _findings.Corrupt(Text($"L1 entry {i} names an L2 table at {l2}, where none can be"));
                continue;
            }
            if (isActive)
                CheckMark(entry, l2, i);
            if (CountL2(l2, i, isActive) is { } wrong)
                return wrong;
        }
        return null;
    }

    string? CountL2(ulong offset, uint number, bool isActive)
    {
        if (Spend(_header.ClusterBytes))
            return "its tables are named more often than can be followed";
        if (_reader.Read(offset, _table) is { IsFault: true } fault)
            return $"the L2 table at {offset} cannot be read: {fault}";
        int count = 1 << _header.L2Bits;
        for (int i = 0; i < count; i++)
        {
            (ulong entry, ulong bits) = _entries.Get(_table, i);
            if (entry == 0 && bits == 0)
                continue;
            ulong guest = ((ulong)number << _header.L2Bits) + (ulong)i;
            CountEntry(entry, bits, guest, isActive);
        }
        return null;
    }

    void CountEntry(ulong entry, ulong bits, ulong guest, bool isActive)
    {
        ClusterKind kind = _entries.KindOf(entry);
        ulong host = entry & EntryReader.OffsetMask;
        uint stored = (uint)bits;
        bool isTwice = _header.HasSubclusters && (stored & (uint)(bits >> 32)) != 0;
        if (kind == ClusterKind.Corrupt || isTwice || kind == ClusterKind.Unallocated && stored != 0)
        {
            _findings.Corrupt($"{NameOf(guest)} is none that a writer makes");
            return;
        }
        if (kind == ClusterKind.Compressed)
        {
            if ((entry & EntryReader.Copied) != 0)
                _findings.Corrupt($"{NameOf(guest)} is compressed, and marked as to be written in place");
            (ulong start, uint length) = _entries.Packed(entry);
            UseOfGuest(start, length, guest);
            Allocated(isActive, isPacked: true);
            return;
        }
        if ((entry & L2Reserved) != 0)
            _findings.Corrupt($"{NameOf(guest)} has bits that mean nothing");
        bool isPlaced = kind == ClusterKind.Data || host != 0;
        if (!isPlaced)
            return;
        Allocated(isActive && kind == ClusterKind.Data, isPacked: false);
        if (_header.HasDataFile)
            return; // nothing is counted there
        UseOfGuest(host, _header.ClusterBytes, guest);
        if (isActive && !IsMarkRight(entry, host, out ulong count))
            Contradict(entry, host, count, NameOf(guest));
    }

    string NameOf(ulong guest) => Text($"the entry of the disk's offset {guest << _header.ClusterBits}");

    void Allocated(bool isCounted, bool isPacked)
    {
        if (!isCounted)
            return;
        _findings.AllocatedClusters++;
        _findings.CompressedClusters += isPacked ? 1u : 0;
    }

    void CheckMark(ulong entry, ulong host, uint number)
    {
        if (!IsMarkRight(entry, host, out ulong count))
            Contradict(entry, host, count, Text($"L1 entry {number}"));
    }

    /// <summary>"Referenced once" lets a writer write in place: it has to be true, and said where it is.</summary>
    bool IsMarkRight(ulong entry, ulong host, out ulong count)
    {
        bool isMarked = (entry & EntryReader.Copied) != 0;
        return _counts.TryGet(host >> _header.ClusterBits, out count).IsFault || isMarked == (count == 1);
    }

    void Contradict(ulong entry, ulong host, ulong count, string name)
    {
        string says = (entry & EntryReader.Copied) != 0 ? "says" : "does not say";
        _findings.Corrupt(Text($"{name} {says} that its cluster at {host} is used once; it is {count} times"));
    }

    /// <summary>As Use, by an entry of an L2 table.</summary>
    void UseOfGuest(ulong offset, ulong length, ulong guest)
    {
        if (!TryUse(offset, length))
            _findings.Corrupt(Text($"{NameOf(guest)} is at {offset}, behind the end of the file"));
    }

    void Use(ulong offset, ulong length, string name)
    {
        if (!TryUse(offset, length))
            _findings.Corrupt(Text($"{name} is at {offset}, behind the end of the file"));
    }

    /// <summary>Counts the clusters of a range as used once more.</summary>
    /// <returns>False: it leaves the file.</returns>
    bool TryUse(ulong offset, ulong length)
    {
        bool isBounded = Units.TryAdd(offset, length, out ulong end);
        if (!isBounded || end > _reader.SizeBytes && end - _reader.SizeBytes >= _header.ClusterBytes)
            return false;
        ulong last = Math.Min((end - 1) >> _header.ClusterBits, _uses.Count - 1);
        for (ulong i = offset >> _header.ClusterBits; i <= last && length > 0; i++)
            _uses[i] = _uses[i] == uint.MaxValue ? uint.MaxValue : _uses[i] + 1;
        return true;
    }

    string? Compare()
    {
        ulong end = _uses.Count - (_uses[_uses.Count - 1] == 0 ? 1u : 0);
        for (ulong cluster = 0; cluster < end; cluster++)
        {
            Fault fault = _counts.TryGet(cluster, out ulong count);
            if (fault.IsFault)
                return $"reference counts cannot be read: {fault}";
            uint uses = _uses[cluster];
            if (count > 0 || uses > 0)
                _findings.EndBytes = (cluster + 1) << _header.ClusterBits;
            if (count == uses)
                continue;
            string what = Text($"cluster {cluster} is used {uses} times and counted {count} times");
            if (count > uses)
                _findings.Leak(what);
            else
                _findings.Corrupt(what);
        }
        return null;
    }

    bool IsPlace(ulong offset, ulong length) =>
        offset > 0
        && Units.IsAligned(offset, _header.ClusterBytes)
        && new Extent(offset, length).IsWithin(_reader.SizeBytes);

    /// <returns>True: more was read than any honest image needs.</returns>
    bool Spend(ulong bytes)
    {
        _readBytes += bytes;
        return _readBytes > TableBytesMax;
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
