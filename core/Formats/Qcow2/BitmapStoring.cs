// Stores the bitmaps of an image that nobody writes to, all of them at once: what is not among them is gone from it.
//
//   1  bits, tables and directory go to free places; counts of those go up              flush
//   2  the header names the directory (HeaderEdit)                                      flush, at each of its steps
//   3  counts of what was there before go down                                          flush
//
// So a power cut leaves the bitmaps from before, or the new ones, or none of which anything is believed; and leaks at
// most. What was stored while the image was open for writing says that it is in use: that is how it stays until 2.
// A fault leaves one of these states as well.
// Cost: a read of all reference counts; what the bits take, parts without or with all bits nothing.
// Source: QEMU docs/interop/qcow2.rst, "Bitmaps".
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one, that may wait. Used once.</summary>
public sealed class BitmapStoring
{
    readonly IImageFile _file;
    readonly Qcow2Header _header;
    readonly BitmapSpace _space;
    readonly List<Qcow2Bitmap> _directory = [];

    BitmapStoring(IImageFile file, Qcow2Header header, WritableParts parts) =>
        (_file, _header, _space) = (file, header, new BitmapSpace(file, header, parts));

    /// <summary>Whether an image can have bitmaps.</summary>
    /// <param name="header">Its own.</param>
    /// <param name="path">For people.</param>
    public static OpenRefusal Check(Qcow2Header header, string path) =>
        header.Version >= 3
            ? default
            : OpenRefusal.Rule(
                $"'{path}' has version 2 of the format qcow2, which has no bitmaps; 'qemu-img amend -o compat=1.1' "
                    + "makes it version 3"
            );

    /// <param name="file">Of the image; all that was written to it is durable.</param>
    /// <param name="path">For people.</param>
    /// <param name="canGrow">The file becomes longer when something is written behind its end.</param>
    /// <param name="bitmaps">In the order of the directory.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryStore(
        IImageFile file,
        string path,
        bool canGrow,
        IReadOnlyCollection<StoredBitmap> bitmaps
    )
    {
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(file, path, out Qcow2Header? header);
        if (refusal.IsNone)
            refusal = Check(header!, path);
        if (!refusal.IsNone || bitmaps.Count == 0 && header!.Bitmaps == null)
            return refusal;
        refusal = Qcow2Tables.TryReadL1(file, header!, path, out NativeArray<ulong>? l1);
        if (!refusal.IsNone)
            return refusal;
        using NativeArray<ulong> table = l1!;
        refusal = WritableParts.TryRead(file, header!, table, path, (canGrow, null), out WritableParts? parts);
        if (!refusal.IsNone)
            return refusal;
        using WritableParts writable = parts!;
        refusal = new BitmapStoring(file, header!, writable).TryStore(path, bitmaps);
        return refusal;
    }

    OpenRefusal TryStore(string path, IReadOnlyCollection<StoredBitmap> bitmaps)
    {
        string? wrong = Qcow2Bitmap.TryReadAll(_file, _header, out List<Qcow2Bitmap> before);
        if (wrong != null)
            return OpenRefusal.Rule($"'{path}' is corrupt: {wrong}");
        if (bitmaps.Count > 0 && _header.SizeBytes == 0)
            return OpenRefusal.Rule($"'{path}' has a disk of no bytes, which can have no bitmaps");
        foreach (StoredBitmap bitmap in bitmaps)
            if (bitmap.Bits is { } bits && !Qcow2Bitmap.Fits(_header, _header.SizeBytes, bits.GranularityBytes))
                return OpenRefusal.Rule($"bitmap '{bitmap.Name}' has more bits than '{path}' can hold");
        Fault fault = HeaderEdit.TryRead(_file, _header.ClusterBytes, out HeaderEdit? edit);
        if (fault.IsNone && bitmaps.Count > 0 && !edit!.HasRoom)
            return OpenRefusal.Rule($"'{path}' has no room in its header, a cluster, to say that it has bitmaps");
        foreach (StoredBitmap bitmap in bitmaps)
            if (fault.IsNone)
                fault = Add(bitmap);
        Qcow2BitmapTable? named = null;
        if (fault.IsNone && _directory.Count > 0)
            fault = WriteDirectory(out named);
        _space.GiveBackSpare();
        if (fault.IsNone)
            fault = _space.WriteCounts();
        if (fault.IsNone)
            fault = HeaderEdit.TryRead(_file, _header.ClusterBytes, out edit);
        if (fault.IsNone)
            fault = edit!.Write(named);
        if (fault.IsNone)
            fault = Release(before);
        return fault.IsNone ? default : OpenRefusal.Of(path, "store the bitmaps of", fault);
    }

    Fault Add(StoredBitmap bitmap)
    {
        if (bitmap.Kept is { } kept)
        {
            // The disk may have become larger since: then it is not right.
            uint state = kept.Covers(_header) ? 0 : Qcow2Bitmap.InUse;
            _directory.Add(kept with { Flags = kept.Flags | state });
            return Fault.None;
        }
        HierarchicalBitmap bits = bitmap.Bits!;
        ulong partBytes = BitmapReading.PartBytes(_header, bits.GranularityBytes);
        byte[] table = new byte[Math.Max(Units.DivCeil(_header.SizeBytes, partBytes), 1) * 8];
        byte[] cluster = new byte[_header.ClusterBytes];
        for (int i = 0; i < table.Length / 8 && partBytes * (ulong)i < bits.SizeBytes; i++)
        {
            Extent part = new(partBytes * (ulong)i, Math.Min(partBytes, bits.SizeBytes - partBytes * (ulong)i));
            if (PartFault(bits, part, cluster, out ulong entry) is { IsFault: true } fault)
                return fault;
            BinaryPrimitives.WriteUInt64BigEndian(table.AsSpan(i * 8), entry);
        }
        Fault ended = WriteWhole(table, out ulong offset);
        if (ended.IsFault)
            return ended;
        int granularityBits = System.Numerics.BitOperations.Log2(bits.GranularityBytes);
        uint flags = bitmap.IsRecording ? Qcow2Bitmap.Recording : 0;
        _directory.Add(new Qcow2Bitmap(bitmap.Name, granularityBits, flags, offset, (uint)(table.Length / 8)));
        return Fault.None;
    }

    /// <summary>The bits of a part, written where there are some that are set and some that are not.</summary>
    Fault PartFault(HierarchicalBitmap bits, Extent part, byte[] cluster, out ulong entry)
    {
        entry = 0;
        ulong first = part.OffsetBytes / bits.GranularityBytes;
        ulong end = Math.Min(bits.BitCount, first + _header.ClusterBytes * 8);
        if (bits.NextDirtyBit(first, end) == HierarchicalBitmap.NotFound)
            return Fault.None;
        if (bits.NextCleanBit(first, end) == HierarchicalBitmap.NotFound)
        {
            entry = BitmapReading.AllSet;
            return Fault.None;
        }
        Array.Clear(cluster);
        Fault fault = bits.SerializePart(part.OffsetBytes, part.LengthBytes, cluster);
        if (fault.IsNone)
            fault = _space.TryTake(1, out entry);
        return fault.IsNone ? _file.Write(entry, cluster) : fault;
    }

    /// <summary>Whole clusters that lie together.</summary>
    Fault WriteWhole(byte[] bytes, out ulong offsetBytes)
    {
        byte[] whole = bytes;
        Array.Resize(ref whole, (int)Units.AlignUp((ulong)bytes.Length, _header.ClusterBytes));
        Fault fault = _space.TryTake((ulong)whole.Length >> _header.ClusterBits, out offsetBytes);
        return fault.IsNone ? _file.Write(offsetBytes, whole) : fault;
    }

    Fault WriteDirectory(out Qcow2BitmapTable? table)
    {
        List<byte> bytes = [];
        foreach (Qcow2Bitmap bitmap in _directory)
            bytes.AddRange(bitmap.ToEntry());
        Fault fault = WriteWhole([.. bytes], out ulong offset);
        table = new Qcow2BitmapTable((uint)_directory.Count, (ulong)bytes.Count, offset);
        return fault;
    }

    /// <summary>What was there, but what was kept of it.</summary>
    Fault Release(List<Qcow2Bitmap> before)
    {
        if (_header.Bitmaps is { } old)
            _space.Release(old.DirectoryOffsetBytes, old.DirectoryBytes);
        foreach (Qcow2Bitmap bitmap in before)
        {
            if (_directory.Exists(one => one.TableOffsetBytes == bitmap.TableOffsetBytes))
                continue;
            if (BitmapReading.TryReadTable(_file, _header, bitmap, out ulong[] table, out _) != null)
                continue; // of one that was not right: its places leak
            foreach (ulong entry in table)
                if ((entry & EntryReader.OffsetMask) is > 0 and var host)
                    _space.Release(host, 1);
            _space.Release(bitmap.TableOffsetBytes, bitmap.TableBytes);
        }
        return _space.WriteCounts();
    }
}
