// A qcow2 image as a disk that can be read, over the device of its file, of its data file and of what it is based on.
//
//   a request      goes from its beginning to its end in runs: pieces that one look at the tables explains
//   data           read straight into the request's buffer, one request below a run
//   zeroes         filled in
//   unallocated    asked of the image below as far as that reaches; zeroes behind it, and where there is none
//   compressed     unpacked on the crew's threads (PackedClusters), whole clusters into the request's buffer
//   tables         the L1 table in memory; of L2 tables pieces (TableCache). A request waits for the piece it needs and
//                  goes on from there; what it has begun before is under way meanwhile
//   map            runs as entries: data, zero, hole; what lies below is asked for its map and counts one deeper
//
// Nothing in the tables is believed: a run that leaves the file, or an entry that no writer makes, fails the request
// with EIO and CorruptBecause says why. The end of the last cluster may be missing, as QEMU leaves it: zeroes.
// A cluster that begins behind the end of the file is an image that was cut, where QEMU reads zeroes without a word.
// Does not write. Internal snapshots are no part of the disk.
// Cost: O(runs) a request, nothing allocated but by decoders on the crew and when something is corrupt.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
public sealed class Qcow2Device : IBlockDevice, IBlockOwner, ILoopTask, IWaitOwner
{
    const uint AtOnceMax = 64;
    const uint InFlightMax = 1024;
    const uint PendingMax = 32;
    const uint RunsATurn = 4096;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly Qcow2Parts _parts;
    readonly Qcow2Header _header;
    readonly IBlockDevice _data;
    readonly EntryReader _entries;
    readonly TableCache _tables;
    readonly PackedClusters _packed;
    readonly SlotTable<Qcow2Slot> _slots = new(AtOnceMax);
    readonly RequestLanes _lanes = new(AtOnceMax, waitingHint: InFlightMax);
    readonly BoundedQueue<ulong> _finished = new(AtOnceMax); // completions that may not run inside Submit

    bool _isDeferred;
    bool _isClosing;
    bool _isDisposed;

    /// <param name="loop">Drives this device and those below.</param>
    /// <param name="name">For people.</param>
    /// <param name="parts">Owned from here.</param>
    public Qcow2Device(IIoLoop loop, string name, Qcow2Parts parts)
    {
        (_loop, Name, _parts, _header) = (loop, name, parts, parts.Header);
        _data = parts.DataFile ?? parts.File;
        _entries = new EntryReader(_header);
        _tables = new TableCache(parts.File, _header.ClusterBytes, this);
        _packed = new PackedClusters(loop, parts.File, _header, parts.Crew, this, OnUnpacked);
        Limits = new BlockLimits
        {
            CapacityBytes = _header.SizeBytes,
            RequestAlignBytes = _data.Limits.RequestAlignBytes,
            BufferAlignBytes = _data.Limits.BufferAlignBytes,
            IsReadOnly = true,
            InFlightMax = InFlightMax,
        };
        Storage = LayeredStorage.Of(parts.File.Storage, parts.DataFile?.Storage, parts.Backing?.Storage);
    }

    public string Name { get; }

    public BlockLimits Limits { get; }

    /// <summary>Of all its layers.</summary>
    public StorageIdentity? Storage { get; }

    public bool ReadsAsZero => false;

    public uint InFlightCount => _slots.TakenCount + _lanes.WaitingCount;

    public Qcow2Header Header => _header;

    /// <summary>The file of the image itself.</summary>
    public IBlockDevice File => _parts.File;

    /// <summary>What it is based on, or null.</summary>
    public IBlockDevice? Backing => _parts.Backing;

    /// <summary>What is wrong with the image, a clause for people, once a request has met it; else null.</summary>
    public string? CorruptBecause { get; private set; }

    public void Submit(in BlockRequest request)
    {
        if (_lanes.TryBegin(request.Lane, _slots.TakenCount == _slots.Capacity))
            Begin(request);
        else
            _lanes.Wait(request);
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        if (_lanes.TryPromote(owner, userData, out BlockRequest request))
        {
            Submit(request);
            return;
        }
        for (uint at = 0; at < _slots.Capacity; at++)
        {
            if (!_slots.TryGetAt(at, out ulong key, out Qcow2Slot slot))
                continue;
            if (!ReferenceEquals(slot.Request.Owner, owner) || slot.Request.UserData != userData)
                continue;
            for (uint i = 0; i < slot.PendingCount; i++)
            {
                _data.Promote(this, key);
                _parts.Backing?.Promote(this, key);
            }
        }
    }

    public void Dispose()
    {
        if (_isDisposed)
            return;
        Check.That(InFlightCount == 0 || _loop.HasFailed);
        _isDisposed = true;
        _tables.Dispose();
        _packed.Dispose();
        _parts.L1.Dispose();
        _parts.DataFile?.Dispose();
        _parts.Backing?.Dispose();
        _parts.File.Dispose();
        if (_parts.OwnsCrew)
            _parts.Crew?.Close();
    }

    /// <inheritdoc/>
    public void DisposeWhenIdle()
    {
        _isClosing = true;
        if (InFlightCount == 0 || _loop.HasFailed)
            Dispose();
    }

    void Begin(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out Qcow2Slot slot));
        slot.Begin(key, request);
        if (request.Operation == BlockOperation.Size)
            slot.Fault = new Fault(FaultKind.Unsupported);
        else if (request.Operation.IsWrite())
            slot.Fault = new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes);
        else if (
            request.Operation.HasRange()
            && !new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes)
        )
            slot.Fault = new Fault(FaultKind.Range, 0, request.OffsetBytes);
        Advance(slot);
        if (IsAtEnd(slot))
            FinishLater(slot);
    }

    /// <summary>Nothing of it is under way, and nothing more is to be begun.</summary>
    static bool IsAtEnd(Qcow2Slot slot) =>
        slot is { PendingCount: 0, IsWaiting: false } && (slot.Fault.IsFault || !HasMore(slot));

    static bool HasMore(Qcow2Slot slot) =>
        slot.Request.Operation switch
        {
            BlockOperation.Read or BlockOperation.Map => slot.PositionBytes < slot.EndBytes,
            _ => false,
        };

    /// <summary>Begins what can be begun.</summary>
    void Advance(Qcow2Slot slot)
    {
        bool isMap = slot.Request.Operation == BlockOperation.Map;
        uint pendingMax = isMap ? 1 : PendingMax;
        for (uint runs = 0; slot.Fault.IsNone && !slot.IsWaiting && slot.PendingCount < pendingMax; runs++)
        {
            if (!HasMore(slot) || isMap && IsEnough(slot, runs))
                return;
            if (!TryFind(slot, out ClusterRun run))
                return;
            if (run.Kind == ClusterKind.Corrupt)
                Fail(slot, "has an entry in its tables that no writer makes");
            else if (isMap)
                Map(slot, run);
            else
                Read(slot, run);
        }
    }

    /// <summary>A map need not describe all that was asked for.</summary>
    static bool IsEnough(Qcow2Slot slot, uint runs)
    {
        if (runs < RunsATurn || slot.MapCount == 0)
            return false;
        MapEntries.EndHere(slot);
        return true;
    }

    /// <summary>The run at the slot's position, no longer than its rest.</summary>
    /// <returns>False: the slot waits for a table, or has failed.</returns>
    bool TryFind(Qcow2Slot slot, out ClusterRun run)
    {
        ulong position = slot.PositionBytes;
        ulong left = slot.EndBytes - position;
        ulong span = _header.L1SpanBytes;
        ulong number = position / span;
        ulong within = position & (span - 1);
        ulong entry = BinaryEntry(_parts.L1[number]);
        ulong table = entry & EntryReader.OffsetMask;
        if (table == 0)
        {
            run = new ClusterRun(ClusterKind.Unallocated, Math.Min(left, span - within));
            return true;
        }
        run = default;
        ulong indexBytes = (within >> _header.ClusterBits) * _header.L2EntryBytes;
        ulong pieceBytes = Units.AlignDown(indexBytes, _tables.PieceBytes);
        bool isThere =
            Units.IsAligned(table, _header.ClusterBytes)
            && new Extent(table, _header.ClusterBytes).IsWithin(_parts.File.Limits.CapacityBytes);
        if (!isThere)
        {
            Fail(slot, Text($"has an L2 table at {table}, which is not in its file"));
            return false;
        }
        if (_tables.Find(table + pieceBytes, slot, out ReadOnlySpan<byte> piece) == TableState.Waits)
            return false;
        ulong firstBytes = (pieceBytes / _header.L2EntryBytes) << _header.ClusterBits;
        run = _entries.Find(piece, within - firstBytes, left);
        return true;
    }

    static ulong BinaryEntry(ulong bigEndian) =>
        BitConverter.IsLittleEndian ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(bigEndian) : bigEndian;

    void Read(Qcow2Slot slot, in ClusterRun run)
    {
        switch (run.Kind)
        {
            case ClusterKind.Data:
                ReadData(slot, run);
                break;
            case ClusterKind.Compressed:
                ReadPacked(slot, run);
                break;
            case ClusterKind.Unallocated when BackingLeft(slot) > 0:
                ReadBelow(slot, _parts.Backing!, slot.PositionBytes, Math.Min(run.LengthBytes, BackingLeft(slot)));
                break;
            default:
                Rest(slot, run.LengthBytes).Clear();
                slot.PositionBytes += run.LengthBytes;
                break;
        }
    }

    /// <summary>From the slot's position to the end of what the image is based on.</summary>
    ulong BackingLeft(Qcow2Slot slot)
    {
        ulong capacityBytes = _parts.Backing?.Limits.CapacityBytes ?? 0;
        return capacityBytes - Math.Min(capacityBytes, slot.PositionBytes);
    }

    void ReadData(Qcow2Slot slot, in ClusterRun run)
    {
        ulong fileBytes = _data.Limits.CapacityBytes;
        ulong within = run.HostBytes & (_header.ClusterBytes - 1);
        if (run.HostBytes < fileBytes)
            ReadBelow(slot, _data, run.HostBytes, Math.Min(run.LengthBytes, fileBytes - run.HostBytes));
        else if (run.HostBytes - within < fileBytes)
        {
            ulong length = Math.Min(run.LengthBytes, _header.ClusterBytes - within);
            Rest(slot, length).Clear();
            slot.PositionBytes += length;
        }
        else
            Fail(slot, Text($"has data at {run.HostBytes}, behind the end of its file: it was cut"));
    }

    void ReadPacked(Qcow2Slot slot, in ClusterRun run)
    {
        if (run.HostBytes < _header.ClusterBytes || run.HostBytes >= _parts.File.Limits.CapacityBytes)
        {
            Fail(slot, Text($"has a compressed cluster at {run.HostBytes}, where none can be"));
            return;
        }
        ulong within = slot.PositionBytes & (_header.ClusterBytes - 1);
        Span<byte> part = Rest(slot, run.LengthBytes);
        TableState state =
            run.LengthBytes == _header.ClusterBytes
                ? _packed.ReadWhole(slot, run, Address(slot))
                : _packed.Read(slot, run, within, part);
        if (state == TableState.Ready)
            slot.PositionBytes += run.LengthBytes;
    }

    void ReadBelow(Qcow2Slot slot, IBlockDevice device, ulong offsetBytes, ulong lengthBytes)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.Lane = slot.Request.Lane;
        request.OffsetBytes = offsetBytes;
        request.LengthBytes = lengthBytes;
        request.Buffer = Address(slot);
        request.Owner = this;
        request.UserData = slot.Key;
        slot.PendingCount++;
        slot.PositionBytes += lengthBytes;
        device.Submit(request);
    }

    static nint Address(Qcow2Slot slot) => slot.Request.Buffer + (nint)(slot.PositionBytes - slot.Request.OffsetBytes);

    static unsafe Span<byte> Rest(Qcow2Slot slot, ulong lengthBytes) =>
        // SAFETY: runs end with the request, whose buffer is as long as it and ours until the completion.
        new((void*)Address(slot), checked((int)lengthBytes));

    void Map(Qcow2Slot slot, in ClusterRun run)
    {
        ulong below = run.Kind == ClusterKind.Unallocated ? Math.Min(run.LengthBytes, BackingLeft(slot)) : 0;
        if (below > 0)
        {
            MapBelow(slot, below);
            return;
        }
        ExtentKind kind = run.Kind switch
        {
            ClusterKind.Unallocated => ExtentKind.Hole,
            ClusterKind.Zero => ExtentKind.Zero,
            _ => ExtentKind.Data,
        };
        MapEntries.Add(slot, new MapEntry { LengthBytes = run.LengthBytes, Kind = kind });
    }

    /// <summary>The image below fills the rest of the entries.</summary>
    unsafe void MapBelow(Qcow2Slot slot, ulong lengthBytes)
    {
        uint room = slot.Request.MapCapacity - slot.MapCount;
        if (room == 0)
        {
            MapEntries.EndHere(slot);
            return;
        }
        BlockRequest request = default;
        request.Operation = BlockOperation.Map;
        request.Lane = slot.Request.Lane;
        request.OffsetBytes = slot.PositionBytes;
        request.LengthBytes = slot.AskedBytes = lengthBytes;
        request.Buffer = slot.Request.Buffer + (nint)slot.MapCount * sizeof(MapEntry);
        request.MapCapacity = room;
        request.Owner = this;
        request.UserData = slot.Key;
        slot.PendingCount++;
        _parts.Backing!.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        Qcow2Slot slot = _slots.Get(userData);
        if (result.Fault.IsNone && slot.AskedBytes > 0)
            MapEntries.TakeBelow(slot, result.Count);
        OnEnded(slot, result.Fault);
    }

    void OnUnpacked(Qcow2Slot slot, Fault fault)
    {
        if (fault is { IsFault: true, Kind: FaultKind.Io })
            CorruptBecause ??= "has a compressed cluster that cannot be unpacked";
        OnEnded(slot, fault);
    }

    void OnEnded(Qcow2Slot slot, Fault fault)
    {
        slot.PendingCount--;
        if (fault.IsFault && slot.Fault.IsNone)
            slot.Fault = fault.At(slot.Request.OffsetBytes);
        GoOn(slot);
    }

    void IWaitOwner.OnWaited(WaitList waiting, Fault fault)
    {
        while (waiting.TryTake(out Qcow2Slot slot))
        {
            slot.IsWaiting = false;
            if (fault.IsFault && slot.Fault.IsNone)
                slot.Fault = fault.At(slot.PositionBytes);
            GoOn(slot);
        }
    }

    void GoOn(Qcow2Slot slot)
    {
        if (slot.IsWaiting)
            return; // and will be told
        Advance(slot);
        if (IsAtEnd(slot))
            Finish(slot);
    }

    void Fail(Qcow2Slot slot, string because)
    {
        CorruptBecause ??= because;
        slot.Fault = new Fault(FaultKind.Io, Errnos.EIO, slot.PositionBytes);
    }

    void FinishLater(Qcow2Slot slot)
    {
        _finished.Enqueue(slot.Key);
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out ulong key); count--)
            Finish(_slots.Get(key));
    }

    void Finish(Qcow2Slot slot)
    {
        (IBlockOwner owner, ulong userData, IoLane lane) = (
            slot.Request.Owner,
            slot.Request.UserData,
            slot.Request.Lane
        );
        BlockResult result = new(slot.Fault, slot.Fault.IsNone ? slot.MapCount : 0);
        slot.Request = default;
        _slots.Free(slot.Key);
        _lanes.End(lane);
        while (
            _lanes.WaitingCount > 0 && _slots.TakenCount < _slots.Capacity && _lanes.TryNext(out BlockRequest request)
        )
            Begin(request);
        if (_isClosing && InFlightCount == 0)
            Dispose();
        owner.OnBlockCompleted(userData, result);
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
