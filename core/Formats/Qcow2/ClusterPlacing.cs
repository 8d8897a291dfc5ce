// Where the data of an image's writes goes: into places that there are, or into new ones. A change of the tables is in
// memory when its data has landed; its old place is free after the next commit.
//
// Memory: ChangesMax changes at once, and for those that are put together of old and new 8 MiB, at least four clusters.
// A request that finds none waits for it.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class ClusterPlacing : IDisposable
{
    const int ChangesMax = 64;
    const uint ClustersMax = 256;
    const ulong BounceBytes = 8 * Units.MiB;

    readonly Qcow2Parts _parts;
    readonly Qcow2Header _header; // but for the disk's size, which changes
    readonly IBlockDevice _data;
    readonly EntryReader _entries;
    readonly ClusterLayout _layout;
    readonly TableCache _tables;
    readonly IImageOwner _owner;
    readonly ClusterAllocator _allocator;
    readonly FreedClusters _freed;
    readonly FileGrowth _growth;
    readonly MetadataCommit _commit;
    readonly ClusterChange[] _changes = new ClusterChange[ChangesMax];
    readonly AlignedRegion _bounces;
    readonly bool[] _isBounceTaken;
    readonly Action<ClusterChange, Fault> _onChanged;
    int _changeCount;
    WaitList _starving; // for a change, or its memory

    /// <param name="parts">Of the image, open for writing.</param>
    /// <param name="entries">Of its tables.</param>
    /// <param name="layout">Of its clusters.</param>
    /// <param name="tables">With pieces of a page.</param>
    /// <param name="space">Free clusters, and those to be.</param>
    /// <param name="commit">Is told of changes.</param>
    /// <param name="owner">Its device.</param>
    public ClusterPlacing(
        Qcow2Parts parts,
        EntryReader entries,
        ClusterLayout layout,
        TableCache tables,
        (ClusterAllocator Allocator, FreedClusters Freed, FileGrowth Growth) space,
        MetadataCommit commit,
        IImageOwner owner
    )
    {
        (_parts, _header, _data) = (parts, parts.Header, parts.DataFile ?? parts.File);
        (_entries, _layout, _tables, _commit, _owner) = (entries, layout, tables, commit, owner);
        (_allocator, _freed, _growth) = space;
        _onChanged = OnChanged;
        for (int i = 0; i < ChangesMax; i++)
            _changes[i] = new ClusterChange();
        _isBounceTaken = new bool[Math.Clamp(BounceBytes >> _header.ClusterBits, 4, 32)];
        _bounces = AlignedRegion.Map((ulong)_isBounceTaken.Length * Stride(_header), RegionResidency.Lazy);
    }

    /// <summary>Of buffers of a cluster.</summary>
    public static ulong Stride(Qcow2Header header) => Units.AlignUp(header.ClusterBytes, AlignedRegion.PageBytes);

    /// <summary>Room in the next commit for a page of tables.</summary>
    /// <returns>False: the slot waits.</returns>
    public bool TryReserve(Qcow2Slot slot) => _commit.TryReserve(slot, _changeCount);

    /// <summary>The change that is under way of a cluster, or null.</summary>
    public ClusterChange? Find(ulong cluster)
    {
        for (int i = 0; _changeCount > 0 && i < ChangesMax; i++)
            if (_changes[i].Has(cluster))
                return _changes[i];
        return null;
    }

    /// <summary>A place; where there is none the slot waits, or fails.</summary>
    public bool TryTakePlace(Qcow2Slot slot, uint wanted, out ulong first, out uint count, out bool isFresh)
    {
        bool isTaken = _allocator.TryTake(wanted, out first, out count, out isFresh);
        if (isTaken)
            _growth.StartIfLow();
        else if (!_growth.TryWait(slot) && !TryWaitForFreed(slot))
            slot.Fault = new Fault(FaultKind.Io, Errnos.ENOSPC, slot.PositionBytes);
        return isTaken;
    }

    /// <summary>Once, for what is free after the next commit. With nothing under way it keeps none of that.</summary>
    bool TryWaitForFreed(Qcow2Slot slot)
    {
        if (slot.HasWaitedForSpace || slot.PendingCount > 0 || _freed.IsEmpty)
            return false;
        (slot.HasWaitedForSpace, slot.Serial) = (true, _owner.NextSerial);
        _commit.Wait(slot);
        return true;
    }

    public void SendInPlace(Qcow2Slot slot, BlockOperation operation, ulong hostBytes, ulong lengthBytes)
    {
        BlockRequest request = default;
        request.Operation = operation;
        request.Flags = slot.Request.Flags & (BlockFlags.Fua | BlockFlags.MayUnmap);
        if ((request.Flags & BlockFlags.Fua) != 0 && !_commit.IsClean)
        {
            request.Flags &= ~BlockFlags.Fua;
            slot.NeedsCommit = true;
        }
        request.Lane = slot.Request.Lane;
        request.OffsetBytes = hostBytes;
        request.LengthBytes = lengthBytes;
        if (operation == BlockOperation.Write)
            request.Buffer = Qcow2Device.Address(slot);
        slot.PositionBytes += lengthBytes;
        _owner.Send(slot, _data, request);
    }

    /// <summary>Gives clusters a place, or parts of one that has it.</summary>
    public void Change(Qcow2Slot slot, in TablePlace place, bool isOwn, ulong within, ulong length)
    {
        (ulong entry, ulong bits) = _entries.Get(place.Piece, place.Index);
        ClusterKind kind = _entries.KindOf(entry);
        ulong clusterStart = place.Cluster << _header.ClusterBits;
        bool isSplit = _header.HasSubclusters && (isOwn || kind == ClusterKind.Unallocated);
        if (isSplit && !isOwn)
            _ = _layout.Run(0, within, ref length);
        else if (isSplit)
            _ = _layout.Run((uint)bits, within, ref length);
        ulong unit = isSplit ? _layout.UnitBytes : _header.ClusterBytes;
        (ulong start, ulong end) = (Units.AlignDown(within, unit), Units.AlignUp(within + length, unit));
        if (_header.HasDataFile)
            end = Math.Min(end, _parts.Header.SizeBytes - clusterStart);
        bool isAll = start == within && end == within + length;
        bool isZero = _layout.ReadsAsZero(entry, bits, clusterStart, start, end);
        if (!TryReserve(slot) || !TryTakeChange(slot, out ClusterChange change))
            return;
        uint count = isAll && length == _header.ClusterBytes && !isOwn ? CountAlike(slot, place) : 1;
        change.Stored = isSplit ? _layout.Mask(start, end) : uint.MaxValue;
        bool isFresh = false;
        if (isOwn)
            change.HostBytes = entry & EntryReader.OffsetMask;
        else if (_header.HasDataFile)
            change.HostBytes = clusterStart;
        else if (TryTakePlace(slot, count, out ulong first, out count, out isFresh))
            (change.HostBytes, change.IsNewPlace) = (first << _header.ClusterBits, true);
        else
        {
            GiveBack(change);
            return;
        }
        if (!isAll && !(isZero && isFresh) && !TryTakeBounce(slot, change))
        {
            if (change.IsNewPlace)
                _allocator.Release(change.HostBytes >> _header.ClusterBits);
            GiveBack(change);
            return;
        }
        ulong brought = count > 1 ? count * _header.ClusterBytes : length;
        (change.FirstCluster, change.Count) = (place.Cluster, count);
        (change.PieceHostBytes, change.Index) = (place.PieceHostBytes, place.Index);
        change.Brought = (within, brought);
        change.Written = change.Bounce >= 0 ? (start, end) : (within, within + brought);
        change.Source = slot.Request.Operation == BlockOperation.Write ? Qcow2Device.Address(slot) : 0;
        _tables.Pin(place.PieceHostBytes);
        slot.PositionBytes += brought;
        slot.PendingCount++;
        slot.NeedsCommit |= (slot.Request.Flags & BlockFlags.Fua) != 0;
        // Behind the end of the disk nothing is to be read: zeroes. While it becomes larger that is the old end.
        ulong readEnd = Math.Min(end, _owner.DiskBytes - Math.Min(_owner.DiskBytes, clusterStart));
        (ulong, ulong) read =
            isZero || change.Bounce < 0 ? (0, 0)
            : start == within ? (within + length, readEnd)
            : end == within + length ? (start, within)
            : (start, readEnd);
        change.Start(_data, _owner, read, clusterStart, _onChanged);
    }

    /// <summary>Whole clusters of the request, from this on, that need a place.</summary>
    uint CountAlike(Qcow2Slot slot, in TablePlace place)
    {
        ulong most = Math.Min((slot.EndBytes - slot.PositionBytes) >> _header.ClusterBits, ClustersMax);
        uint count = 1;
        for (int index = place.Index + 1; count < most; index++, count++)
        {
            if ((ulong)(index + 1) * _header.L2EntryBytes > (ulong)place.Piece.Length)
                break;
            (ulong entry, ulong bits) = _entries.Get(place.Piece, index);
            bool isPlaced = _entries.KindOf(entry) != ClusterKind.Compressed && (entry & EntryReader.Copied) != 0;
            if (isPlaced || _entries.KindOf(entry) == ClusterKind.Corrupt || ((uint)bits & (uint)(bits >> 32)) != 0)
                break;
            if (Find(place.Cluster + count) != null)
                break;
        }
        return count;
    }

    bool TryTakeChange(Qcow2Slot slot, out ClusterChange change)
    {
        change = null!;
        if (_changeCount == ChangesMax)
        {
            _starving.Add(slot);
            return false;
        }
        change = Array.Find(_changes, one => !one.IsActive)!;
        change.Take(slot);
        _changeCount++;
        return true;
    }

    bool TryTakeBounce(Qcow2Slot slot, ClusterChange change)
    {
        int number = Array.IndexOf(_isBounceTaken, false);
        if (number < 0)
        {
            _starving.Add(slot);
            return false;
        }
        _isBounceTaken[number] = true;
        (change.Bounce, change.Buffer) = (number, _bounces.Start + (nint)((ulong)number * Stride(_header)));
        return true;
    }

    void GiveBack(ClusterChange change)
    {
        if (change.Bounce >= 0)
            _isBounceTaken[change.Bounce] = false;
        change.Free();
        _changeCount--;
    }

    void OnChanged(ClusterChange change, Fault fault)
    {
        for (uint i = 0; i < change.Count; i++)
            if (fault.IsNone)
                Name(change, i);
            else if (change.IsNewPlace)
                _allocator.Release((change.HostBytes >> _header.ClusterBits) + i);
        if (fault.IsNone)
            _commit.OnTableChanged(change.PieceHostBytes);
        _tables.Unpin(change.PieceHostBytes);
        Qcow2Slot slot = change.Slot;
        WaitList waiting = change.Waiting.TakeAll();
        GiveBack(change);
        WaitList starving = _starving.TakeAll();
        _owner.OnEnded(slot, fault);
        _owner.OnWaited(waiting, Fault.None);
        _owner.OnWaited(starving, Fault.None);
    }

    /// <summary>The table names the new place of a cluster.</summary>
    void Name(ClusterChange change, uint number)
    {
        Span<byte> piece = _tables.Writable(change.PieceHostBytes);
        int index = change.Index + (int)number;
        (ulong entry, ulong bits) = _entries.Get(piece, index);
        ulong host = change.HostBytes + ((ulong)number << _header.ClusterBits);
        ulong stored = change.Stored | (_entries.KindOf(entry) == ClusterKind.Compressed ? 0 : (uint)bits);
        if (change.Stored == uint.MaxValue)
            bits = 0;
        ulong zero = (bits >> 32) & ~stored;
        if (change.IsNewPlace || (entry & EntryReader.OffsetMask) != host)
            Free(entry);
        _entries.Put(piece, index, host | EntryReader.Copied, zero << 32 | stored);
    }

    /// <summary>What an entry names loses a reference.</summary>
    public void Free(ulong entry)
    {
        if (_header.HasDataFile)
            return;
        ulong host = entry & EntryReader.OffsetMask;
        ulong length = 1;
        if (_entries.KindOf(entry) == ClusterKind.Compressed)
            (host, length) = _entries.Packed(entry);
        else if (host == 0)
            return;
        for (ulong i = host >> _header.ClusterBits; i <= (host + length - 1) >> _header.ClusterBits; i++)
            _freed.Add(i);
    }

    public void Dispose()
    {
        if (_changeCount == 0)
            _bounces.Dispose();
        else
            _bounces.Leak(); // of a loop that has stopped
    }
}
