// Writes to an image in place: what a guest's requests become.
//
//   in place     a cluster that is used once, by this disk: the request goes straight there
//   a change     any other: a place of its own (ClusterChange), filled up with what the request does not bring. A place
//                behind the old end of the file reads as zero, and is filled up with nothing where that is right
//   zeroes, discards   of whole clusters, or parts of them (extended L2): an entry. The rest of zeroes is written, the
//                rest of a discard is left. Parts that read as zero already are passed over
//   durable      a write that changed tables, or hits tables that are not durable, waits for a commit
//   a larger disk   is a request as well, whose first steps are Qcow2Growth's
//
// What loses its place is free after the next commit (FreedClusters). Nothing is written where the reference counts do
// not agree that a place is used once, by data: the request fails, and the image is named as corrupt.
// With an external data file a cluster lies there where it lies on the disk; of a raw one zeroes are written.
// After a failed write of tables nothing is written any more: EIO, and FailedBecause says so. Reads go on.
// Cost: O(clusters) a request; bounded memory, taken at the open; a request that finds none waits for it.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class Qcow2Writer : IDisposable
{
    const int TablesMax = 4;
    const uint RunsATurn = 512;
    const uint PendingMax = 32;

    readonly Qcow2Parts _parts;
    readonly Qcow2Header _header;
    readonly EntryReader _entries;
    readonly ClusterLayout _layout;
    readonly TableCache _tables;
    readonly RefcountMap _counts;
    readonly IImageOwner _owner;
    readonly FileGrowth _growth;
    readonly WriteGate _gate;
    readonly HeadWriting _head;
    readonly MetadataCommit _commit;
    readonly ClusterPlacing _placing;
    readonly ClusterClearing _clearing;
    readonly TableMaking[] _makings = new TableMaking[TablesMax];
    readonly AlignedRegion _tableBuffers;
    readonly ulong _openedBytes;
    WaitList _starving; // for one that makes a table
    Qcow2Growth? _growing;

    /// <param name="parts">Of the image, open for writing.</param>
    /// <param name="entries">Of its tables.</param>
    /// <param name="tables">With pieces of a page.</param>
    /// <param name="owner">Its device.</param>
    public Qcow2Writer(Qcow2Parts parts, EntryReader entries, TableCache tables, IImageOwner owner)
    {
        (_parts, _header, _entries, _tables, _owner) = (parts, parts.Header, entries, tables, owner);
        WritableParts writable = parts.Writable!;
        _counts = writable.Counts;
        _openedBytes = parts.File.Limits.CapacityBytes;
        NamedBytes = _header.SizeBytes;
        // The last may be a part of one: the gate makes it whole, where that can be.
        ulong end = writable.CanGrow
            ? Units.DivCeil(_openedBytes, _header.ClusterBytes)
            : _openedBytes >> _header.ClusterBits;
        ClusterAllocator allocator = new(_counts, end, writable.CanGrow);
        FreedClusters freed = new();
        _gate = new WriteGate(parts, owner);
        _head = new HeadWriting(parts.File, writable);
        _growth = new FileGrowth(parts, allocator, freed, _head, owner);
        _commit = new MetadataCommit(parts, tables, allocator, freed, _head, owner);
        _layout = new ClusterLayout(parts, entries);
        _placing = new ClusterPlacing(parts, entries, _layout, tables, (allocator, freed, _growth), _commit, owner);
        _clearing = new ClusterClearing(parts, entries, _layout, tables, _placing, _commit);
        ulong stride = ClusterPlacing.Stride(_header);
        _tableBuffers = AlignedRegion.Map(TablesMax * stride, RegionResidency.Lazy);
        for (int i = 0; i < TablesMax; i++)
            _makings[i] = new TableMaking(
                parts,
                (allocator, freed),
                _commit,
                tables,
                OnTableMade,
                _tableBuffers.Start + (nint)((ulong)i * stride)
            );
    }

    /// <summary>That the image's own file has for sure: its device's limits are ahead of that while it grows.</summary>
    public ulong FileBytes => _gate.IsOpen ? Math.Max(_gate.FileBytes, _growth.GrownBytes) : _openedBytes;

    /// <summary>Something is under way that no request need wait for.</summary>
    public bool IsBusy => _commit.IsRunning || _growth.IsRunning || _gate.IsRunning || _growing != null;

    /// <summary>Of the disk, as the header in the file has it.</summary>
    public ulong NamedBytes { get; private set; }

    /// <summary>Why nothing is written any more; null: it is.</summary>
    public string? FailedBecause { get; private set; }

    public void OnMetadataFault(Fault fault) =>
        FailedBecause ??= $"takes no more writes: its tables failed with {fault}";

    /// <param name="growth">Owned from here, unless another is under way.</param>
    /// <param name="onEnd">Told of its end.</param>
    /// <param name="request">To be begun.</param>
    public bool TryBegin(Qcow2Growth growth, Action<Fault> onEnd, out BlockRequest request)
    {
        request = default;
        if (_growing != null)
            return false;
        _growing = growth;
        request = growth.Begin(
            new GrowthPlace(_parts, _growth, _commit, _head, _owner, () => FileBytes, OnGrown),
            onEnd
        );
        return true;
    }

    void OnGrown(Fault fault)
    {
        if (fault.IsNone)
            NamedBytes = _growing!.SizeBytes;
        _parts.SetHeader(_parts.Header with { SizeBytes = NamedBytes });
        _growing!.Dispose();
        _growing = null;
    }

    /// <summary>The slot goes on when all that has ended is durable.</summary>
    public void Commit(Qcow2Slot slot)
    {
        if (FailedBecause == null)
            _commit.Wait(slot);
        else
            slot.Fault = new Fault(FaultKind.Io, Errnos.EIO);
    }

    /// <summary>Begins what can be begun of a write.</summary>
    public void Advance(Qcow2Slot slot)
    {
        if (slot is { Growth: not null, PendingCount: 0 })
            slot.Serial = _owner.NextSerial; // it has found nothing that it has not let go
        for (uint runs = 0; IsGoing(slot); runs++)
        {
            if (runs == RunsATurn)
            {
                _owner.Yield(slot);
                return;
            }
            if (FailedBecause != null)
                slot.Fault = new Fault(FaultKind.Io, Errnos.EIO, slot.PositionBytes);
            else if (!_gate.IsOpen)
                _gate.Wait(slot);
            else if (slot.Growth is { IsClearing: false } growth)
                growth.Advance(slot);
            else if (_placing.Find(slot.PositionBytes >> _header.ClusterBits) is { } change)
                change.Waiting.Add(slot);
            else
                Step(slot);
        }
    }

    static bool IsGoing(Qcow2Slot slot) =>
        slot is { IsWaiting: false, Fault.IsNone: true, PendingCount: < PendingMax }
        && slot.PositionBytes < slot.EndBytes;

    void Step(Qcow2Slot slot)
    {
        ulong number = slot.PositionBytes / _header.L1SpanBytes;
        ulong entry = Qcow2Device.FromFile(_parts.L1[number]);
        ulong table = entry & EntryReader.OffsetMask;
        bool isWrite = slot.Request.Operation == BlockOperation.Write;
        if (table == 0 && !isWrite && _clearing.TryPassOver(slot, (number + 1) * _header.L1SpanBytes))
            return;
        if (table != 0 && !IsTable(table, entry, slot))
            return;
        if (table == 0 || (entry & EntryReader.Copied) == 0)
        {
            MakeTable(slot, number, table);
            return;
        }
        ulong within = slot.PositionBytes & (_header.L1SpanBytes - 1);
        ulong indexBytes = (within >> _header.ClusterBits) * _header.L2EntryBytes;
        ulong pieceBytes = Units.AlignDown(indexBytes, _tables.PieceBytes);
        if (_tables.Find(table + pieceBytes, slot, out ReadOnlySpan<byte> piece) == TableState.Waits)
            return;
        TablePlace place = new()
        {
            Cluster = slot.PositionBytes >> _header.ClusterBits,
            PieceHostBytes = table + pieceBytes,
            Piece = piece,
            Index = (int)((indexBytes - pieceBytes) / _header.L2EntryBytes),
        };
        (ulong l2, ulong bits) = _entries.Get(piece, place.Index);
        ClusterKind kind = _entries.KindOf(l2);
        bool isTwice = _header.HasSubclusters && ((uint)bits & (uint)(bits >> 32)) != 0;
        if (kind == ClusterKind.Corrupt || isTwice || kind == ClusterKind.Unallocated && (uint)bits != 0)
            _owner.Fail(slot, "has an entry in its tables that no writer makes");
        else if (!TryIsOwn(slot, l2, kind, out bool isOwn))
            return;
        else if (isWrite)
            Write(slot, place, isOwn);
        else
            _clearing.Clear(slot, place, isOwn);
    }

    bool IsTable(ulong table, ulong entry, Qcow2Slot slot)
    {
        ulong count = _counts.Get(table >> _header.ClusterBits);
        bool isOnce = (entry & EntryReader.Copied) == 0 || count == 1;
        bool isPlace = Units.IsAligned(table, _header.ClusterBytes) && table < FileBytes;
        if (isPlace && count > 0 && isOnce)
            return true;
        _owner.Fail(slot, Text($"has an L2 table at {table} that is counted {count} times"));
        return false;
    }

    void MakeTable(Qcow2Slot slot, ulong number, ulong shared)
    {
        TableMaking? idle = null;
        foreach (TableMaking making in _makings)
        {
            if (making.IsBusy && making.Number == number)
            {
                making.Wait(slot);
                return;
            }
            idle ??= making.IsBusy ? null : making;
        }
        if (idle == null)
            _starving.Add(slot);
        else if (_placing.TryReserve(slot) && _placing.TryTakePlace(slot, 1, out ulong first, out _, out _))
        {
            idle.Start(number, first, shared);
            idle.Wait(slot);
        }
    }

    /// <summary>Whether a cluster has a place that may be written to.</summary>
    /// <returns>False: the tables contradict each other.</returns>
    bool TryIsOwn(Qcow2Slot slot, ulong entry, ClusterKind kind, out bool isOwn)
    {
        ulong host = entry & EntryReader.OffsetMask;
        isOwn =
            (kind == ClusterKind.Data || kind == ClusterKind.Zero && host != 0) && (entry & EntryReader.Copied) != 0;
        if (_header.HasDataFile)
        {
            isOwn = kind == ClusterKind.Data;
            if (!isOwn || host == Units.AlignDown(slot.PositionBytes, _header.ClusterBytes))
                return true;
            _owner.Fail(slot, Text($"has data at {host} of its data file, where other data is"));
            return false;
        }
        bool isCounted = isOwn ? IsData(host) && host < FileBytes : IsCounted(entry, kind);
        if (!isCounted)
            _owner.Fail(
                slot,
                Text($"names a place at {host} by entry {entry:x}, which its reference counts contradict")
            );
        return isCounted;
    }

    /// <summary>It is used once, and not by a table.</summary>
    bool IsData(ulong host) =>
        _counts.Get(host >> _header.ClusterBits) == 1 && !_counts.IsTable(host >> _header.ClusterBits);

    /// <summary>What would lose a reference has one, and is no table.</summary>
    bool IsCounted(ulong entry, ClusterKind kind)
    {
        (ulong host, ulong length) = (entry & EntryReader.OffsetMask, 1);
        if (kind == ClusterKind.Compressed)
            (host, length) = _entries.Packed(entry);
        else if (host == 0)
            return true;
        ulong last = (host + length - 1) >> _header.ClusterBits;
        for (ulong cluster = host >> _header.ClusterBits; cluster <= last; cluster++)
            if (_counts.Get(cluster) == 0 || _counts.IsTable(cluster))
                return false;
        return true;
    }

    void Write(Qcow2Slot slot, in TablePlace place, bool isOwn)
    {
        (ulong entry, ulong bits) = _entries.Get(place.Piece, place.Index);
        ulong within = slot.PositionBytes & (_header.ClusterBytes - 1);
        ulong left = slot.EndBytes - slot.PositionBytes;
        ulong length = Math.Min(left, _header.ClusterBytes - within);
        bool isData = isOwn && _entries.KindOf(entry) == ClusterKind.Data;
        if (isData && _layout.Run((uint)bits, within, ref length))
        {
            for (int next = place.Index + 1; length < left && (within + length) % _header.ClusterBytes == 0; next++)
            {
                if (_header.HasSubclusters || !IsNext(place, next, entry + within + length))
                    break;
                length = Math.Min(left, length + _header.ClusterBytes);
            }
            _placing.SendInPlace(slot, BlockOperation.Write, (entry & EntryReader.OffsetMask) + within, length);
        }
        else
            _placing.Change(slot, place, isOwn, within, length);
    }

    /// <summary>The next cluster lies behind the last, and is this disk's alone.</summary>
    bool IsNext(in TablePlace place, int index, ulong wanted)
    {
        if ((ulong)(index + 1) * _header.L2EntryBytes > (ulong)place.Piece.Length)
            return false;
        (ulong entry, _) = _entries.Get(place.Piece, index);
        ulong host = entry & EntryReader.OffsetMask;
        return entry == wanted
            && _entries.KindOf(entry) == ClusterKind.Data
            && _placing.Find(place.Cluster + (ulong)(index - place.Index)) == null
            && (_header.HasDataFile || IsData(host) && host < FileBytes);
    }

    void OnTableMade(WaitList waiting, Fault fault)
    {
        WaitList starving = _starving.TakeAll();
        _owner.OnWaited(waiting, fault);
        _owner.OnWaited(starving, Fault.None);
        _owner.OnQuiet();
    }

    public void Dispose()
    {
        if (Array.Exists(_makings, making => making.IsBusy)) // of a loop that has stopped
            _tableBuffers.Leak();
        else
            _tableBuffers.Dispose();
        _growing?.Dispose();
        _placing.Dispose();
        _growth.Dispose();
        _gate.Dispose();
        _commit.Dispose();
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
