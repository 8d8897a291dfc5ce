// Zeroes and discards as what they are to an image: whole clusters, or parts of them with extended L2, become entries
// and lose their place, or keep it where they may not be unmapped. The rest of zeroes is written, the rest of a discard
// is left as it is. What reads as zero already is passed over. Version 2 has no entry for zeroes: without anything
// below "unallocated" is one, else they are written. So are those of a raw data file, which is to be the disk by
// itself; and what a disk becomes larger by has a place in that from the start, so that its tables say nothing else.
using System;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
/// <param name="parts">Of the image.</param>
/// <param name="entries">Of its tables.</param>
/// <param name="layout">Of its clusters.</param>
/// <param name="tables">That are changed.</param>
/// <param name="placing">Writes what is to be written.</param>
/// <param name="commit">Is told of changes.</param>
sealed class ClusterClearing(
    Qcow2Parts parts,
    EntryReader entries,
    ClusterLayout layout,
    TableCache tables,
    ClusterPlacing placing,
    MetadataCommit commit
)
{
    readonly Qcow2Header _header = parts.Header; // but for the disk's size, which changes
    readonly bool _isDataRaw = (parts.Header.AutoclearFeatures & HeaderParser.DataFileIsRaw) != 0;

    /// <summary>Whole clusters become zero by their entries, whatever is below.</summary>
    public static bool CanByEntries(Qcow2Header header) =>
        header.Version >= 3 && (header.AutoclearFeatures & HeaderParser.DataFileIsRaw) == 0;

    /// <summary>Nothing of a range need be written where entries can do it.</summary>
    public static bool IsByEntries(Qcow2Header header, in BlockRequest request)
    {
        ulong end = request.OffsetBytes + request.LengthBytes;
        return Units.IsAligned(request.OffsetBytes, header.ClusterBytes)
            && (Units.IsAligned(end, header.ClusterBytes) || end == header.SizeBytes);
    }

    /// <summary>Zeroes, or a discard, where there is no table, are nothing as far as that goes.</summary>
    /// <returns>False: the table is needed.</returns>
    public bool TryPassOver(Qcow2Slot slot, ulong tableEndBytes)
    {
        bool isLeft = slot.Request.Operation == BlockOperation.Discard && (_header.Version < 3 || _isDataRaw);
        if (!isLeft && layout.HasBelow(slot.PositionBytes) || NeedsPlace(slot))
            return false;
        slot.PositionBytes = Math.Min(tableEndBytes, slot.EndBytes);
        return true;
    }

    bool NeedsPlace(Qcow2Slot slot) => _isDataRaw && slot.Growth != null;

    /// <summary>As far as the cluster goes.</summary>
    public void Clear(Qcow2Slot slot, in TablePlace place, bool isOwn)
    {
        (ulong entry, ulong bits) = entries.Get(place.Piece, place.Index);
        ulong clusterStart = place.Cluster << _header.ClusterBits;
        ulong within = slot.PositionBytes - clusterStart;
        ulong length = Math.Min(slot.EndBytes - slot.PositionBytes, _header.ClusterBytes - within);
        bool isDiscard = slot.Request.Operation == BlockOperation.Discard;
        bool mayUnmap = isDiscard || (slot.Request.Flags & BlockFlags.MayUnmap) != 0;
        bool isToEnd = slot.PositionBytes + length == parts.Header.SizeBytes;
        ulong end = isToEnd ? _header.ClusterBytes : within + length;
        bool isWhole = within == 0 && end == _header.ClusterBytes;
        bool hasPlace = (entry & (EntryReader.OffsetMask | EntryReader.Compressed)) != 0;
        bool isZero = !NeedsPlace(slot) && layout.ReadsAsZero(entry, bits, clusterStart, within, within + length);
        bool mayBeEntry = !_isDataRaw && (_header.Version >= 3 || !layout.HasBelow(clusterStart));
        ClusterKind kind = entries.KindOf(entry);
        if (NeedsPlace(slot) && kind != ClusterKind.Data && slot.Growth!.ZeroFromBytes <= clusterStart && within == 0)
            NameZeroes(slot, place, clusterStart, length);
        else if (isZero && !(isWhole && mayUnmap && hasPlace && mayBeEntry) || isDiscard && !mayBeEntry)
            slot.PositionBytes += length;
        else if (isWhole && mayBeEntry)
            SetZero(slot, place, isOwn && kind == ClusterKind.Data && !mayUnmap && _header.Version >= 3, length);
        else if (_header.HasSubclusters && kind != ClusterKind.Compressed && !_isDataRaw)
            ClearParts(slot, place, isOwn, within, end);
        else if (isDiscard)
            slot.PositionBytes += length;
        else
            WriteZeroes(slot, place, isOwn, within, length);
    }

    /// <summary>A cluster of a data file that has zeroes there already.</summary>
    void NameZeroes(Qcow2Slot slot, in TablePlace place, ulong clusterStart, ulong length)
    {
        if (!placing.TryReserve(slot))
            return;
        uint stored = _header.HasSubclusters ? layout.Mask(0, length) : 0;
        Put(place, clusterStart | EntryReader.Copied, stored);
        slot.PositionBytes += length;
    }

    void WriteZeroes(Qcow2Slot slot, in TablePlace place, bool isOwn, ulong within, ulong length)
    {
        (ulong entry, ulong bits) = entries.Get(place.Piece, place.Index);
        if (isOwn && entries.KindOf(entry) == ClusterKind.Data && layout.Run((uint)bits, within, ref length))
            placing.SendInPlace(slot, BlockOperation.WriteZeroes, (entry & EntryReader.OffsetMask) + within, length);
        else
            placing.Change(slot, place, isOwn, within, length);
    }

    /// <summary>Parts of a cluster by their bits, what is no whole part by writing.</summary>
    void ClearParts(Qcow2Slot slot, in TablePlace place, bool isOwn, ulong within, ulong end)
    {
        ulong left = slot.EndBytes - slot.PositionBytes;
        ulong start = Units.AlignUp(within, layout.UnitBytes);
        ulong last = Units.AlignDown(end, layout.UnitBytes);
        if (start == within && last > start)
        {
            if (!placing.TryReserve(slot))
                return;
            (ulong entry, ulong bits) = entries.Get(place.Piece, place.Index);
            uint mask = layout.Mask(start, last);
            ulong stored = (uint)bits & ~mask;
            Put(place, entry, (bits >> 32 | mask) << 32 | stored);
            slot.PositionBytes += Math.Min(left, last - start);
            return;
        }
        ulong length = Math.Min(left, Math.Min(end, start == within ? within + layout.UnitBytes : start) - within);
        if (slot.Request.Operation == BlockOperation.Discard)
            slot.PositionBytes += length;
        else
            WriteZeroes(slot, place, isOwn, within, length);
    }

    void SetZero(Qcow2Slot slot, in TablePlace place, bool keepsPlace, ulong length)
    {
        if (!placing.TryReserve(slot))
            return;
        (ulong entry, _) = entries.Get(place.Piece, place.Index);
        ulong next = keepsPlace ? entry : 0;
        if (!keepsPlace)
            placing.Free(entry);
        bool isFlagged = !_header.HasSubclusters && _header.Version >= 3;
        Put(place, isFlagged ? next | EntryReader.ZeroFlag : next, 0xffff_ffffUL << 32);
        slot.PositionBytes += length;
    }

    void Put(in TablePlace place, ulong entry, ulong bits)
    {
        entries.Put(tables.Writable(place.PieceHostBytes), place.Index, entry, bits);
        commit.OnTableChanged(place.PieceHostBytes);
    }
}
