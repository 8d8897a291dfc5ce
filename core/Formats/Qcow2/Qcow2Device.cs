// A qcow2 image as a disk, over the device of its file, of its data file and of what it is based on.
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
// Internal snapshots are no part of the disk. Writes, where it is open for them, are Qcow2Writer's.
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
public sealed class Qcow2Device : IBlockDevice, IBlockOwner, ILoopTask, IImageOwner
{
    const uint AtOnceMax = 64;
    const uint InFlightMax = 1024;
    const uint PendingMax = 32;
    const uint OwnMax = 64 + 1; // reads of what changes clusters, and one that makes the disk larger
    const ulong FinishedArgument = 0;
    const ulong YieldedArgument = 1;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly Qcow2Parts _parts;
    readonly Qcow2Header _header;
    readonly IBlockDevice _data;
    readonly EntryReader _entries;
    readonly TableCache _tables;
    readonly PackedClusters _packed;
    readonly ClusterReading _reading;
    readonly ClusterMapping _mapping;
    readonly Qcow2Writer? _writer;
    readonly SlotTable<Qcow2Slot> _slots;
    readonly RequestLanes _lanes = new(AtOnceMax, waitingHint: InFlightMax);
    readonly BoundedQueue<ulong> _finished = new(AtOnceMax + OwnMax); // completions that may not run inside Submit

    WaitList _yielded;
    uint _ownCount;
    ulong _nextSerial = 1;
    bool _isYielding;
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
        _slots = new SlotTable<Qcow2Slot>(parts.Writable == null ? AtOnceMax : AtOnceMax + OwnMax);
        _tables = new TableCache(parts.File, _header.ClusterBytes, this, parts.Writable?.Counts.PageBytes ?? 0);
        if (parts.Writable != null)
            _writer = new Qcow2Writer(parts, _entries, _tables, this);
        _packed = new PackedClusters(loop, parts.File, _header, parts.Crew, this, OnUnpacked);
        _reading = new ClusterReading(parts, _packed, this);
        _mapping = new ClusterMapping(parts, _reading, this);
        Limits = new BlockLimits
        {
            CapacityBytes = _header.SizeBytes,
            RequestAlignBytes = _data.Limits.RequestAlignBytes,
            BufferAlignBytes = _data.Limits.BufferAlignBytes,
            IsReadOnly = parts.Writable == null,
            InFlightMax = InFlightMax,
            CanZeroFast = parts.Writable != null && ClusterClearing.CanByEntries(_header),
            ReadsThroughCache =
                _data.Limits.ReadsThroughCache && parts.Backing?.Limits is null or { ReadsThroughCache: true },
        };
        Storage = LayeredStorage.Of(parts.File.Storage, parts.DataFile?.Storage, parts.Backing?.Storage);
    }

    public string Name { get; }

    public BlockLimits Limits { get; private set; }

    /// <inheritdoc/>
    public Fault Grow(ulong capacityBytes)
    {
        if (capacityBytes > NamedBytes)
            return new Fault(FaultKind.Unsupported);
        Limits = Limits with { CapacityBytes = capacityBytes };
        return Fault.None;
    }

    /// <summary>Of all its layers.</summary>
    public StorageIdentity? Storage { get; }

    public bool ReadsAsZero => false;

    public uint InFlightCount => _slots.TakenCount + _lanes.WaitingCount + (_writer is { IsBusy: true } ? 1u : 0u);

    public Qcow2Header Header => _parts.Header;

    /// <summary>The file of the image itself.</summary>
    public IBlockDevice File => _parts.File;

    /// <summary>Of the disk, as the header in the file has it. Threads: any.</summary>
    public ulong NamedBytes => _writer?.NamedBytes ?? Limits.CapacityBytes;

    /// <summary>Its external data file, or null.</summary>
    public IBlockDevice? DataFile => _parts.DataFile;

    /// <summary>What it is based on, or null.</summary>
    public IBlockDevice? Backing => _parts.Backing;

    /// <summary>What is wrong with the image, a clause for people, once a request has met it; else null.</summary>
    public string? CorruptBecause { get; private set; }

    /// <summary>Why it takes no more writes, a clause for people; null: it does.</summary>
    public string? FailedBecause => _writer?.FailedBecause;

    /// <summary>Who opened it records in the bitmaps of the image, and stores them.</summary>
    public bool KeepsBitmaps => _parts.Writable is { KeepsBitmaps: true } && _header.Version >= 3;

    /// <summary>It is written to, and its internal snapshots say how large the disk was; or has none.</summary>
    internal bool HaveSnapshotsSizes => _parts.Writable is { HaveSnapshotsSizes: true };

    /// <summary>Its file becomes longer when something is written behind its end.</summary>
    public bool CanGrow => _parts.Writable is { CanGrow: true };

    ulong IImageOwner.NextSerial => _nextSerial;

    ulong IImageOwner.OldestSerial
    {
        get
        {
            ulong oldest = _nextSerial;
            for (uint at = 0; at < _slots.Capacity; at++)
                if (_slots.TryGetAt(at, out _, out Qcow2Slot slot))
                    oldest = Math.Min(oldest, slot.Serial);
            return oldest;
        }
    }

    bool IsFull => _slots.TakenCount - _ownCount == AtOnceMax;

    ulong IImageOwner.DiskBytes => Limits.CapacityBytes;

    public void Submit(in BlockRequest request)
    {
        if (_lanes.TryBegin(request.Lane, IsFull))
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
        _writer?.Dispose();
        _parts.Writable?.Dispose();
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

    /// <summary>The header says a larger disk; <see cref="Grow"/> is next. One at a time, of an image that is
    /// written to.</summary>
    /// <param name="growth">To above what the header says; owned from here, unless that is refused.</param>
    /// <param name="onEnd">Told of the end, not in this call.</param>
    /// <returns>False: another is under way.</returns>
    public bool TryBegin(Qcow2Growth growth, Action<Fault> onEnd)
    {
        if (!_writer!.TryBegin(growth, onEnd, out BlockRequest request))
            return false;
        _ownCount++;
        Begin(request);
        return true;
    }

    void Begin(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out Qcow2Slot slot));
        bool hasSerial = request.Operation is not (BlockOperation.Flush or BlockOperation.Map);
        slot.Begin(key, request, hasSerial ? _nextSerial++ : ulong.MaxValue);
        // Zeroes may be there already, and not durable.
        bool isDurable = request.Operation.IsWrite() && (request.Flags & BlockFlags.Fua) != 0;
        bool isWriteOfData = request.Operation == BlockOperation.Write;
        slot.NeedsCommit =
            _writer != null && (request.Operation == BlockOperation.Flush || isDurable && !isWriteOfData);
        if (request.Operation == BlockOperation.Size)
            slot.Fault = new Fault(FaultKind.Unsupported);
        else if (request.Operation.IsWrite() && _writer == null)
            slot.Fault = new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes);
        else if (
            slot.Growth == null
            && request.Operation.HasRange()
            && !new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes)
        )
            slot.Fault = new Fault(FaultKind.Range, 0, request.OffsetBytes);
        else if ((request.Flags & BlockFlags.FastOnly) != 0 && !ClusterClearing.IsByEntries(Header, request))
            slot.Fault = new Fault(FaultKind.Unsupported, Errnos.EOPNOTSUPP, request.OffsetBytes);
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
            BlockOperation.Flush or BlockOperation.Size => false,
            _ => slot.PositionBytes < slot.EndBytes,
        };

    /// <summary>Begins what can be begun.</summary>
    void Advance(Qcow2Slot slot)
    {
        if (slot.Request.Operation.IsWrite())
        {
            _writer?.Advance(slot);
            return;
        }
        bool isMap = slot.Request.Operation == BlockOperation.Map;
        uint pendingMax = isMap ? 1 : PendingMax;
        for (uint runs = 0; slot.Fault.IsNone && !slot.IsWaiting && slot.PendingCount < pendingMax; runs++)
        {
            if (!HasMore(slot) || isMap && ClusterMapping.IsEnough(slot, runs))
                return;
            if (!TryFind(slot, out ClusterRun run))
                return;
            if (run.Kind == ClusterKind.Corrupt)
                Fail(slot, "has an entry in its tables that no writer makes");
            else if (isMap)
                _mapping.Map(slot, run);
            else
                _reading.Read(slot, run);
        }
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
        ulong entry = FromFile(_parts.L1[number]);
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
            && new Extent(table, _header.ClusterBytes).IsWithin(_writer?.FileBytes ?? _parts.File.Limits.CapacityBytes);
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

    /// <summary>A number as it lies in the file, or from here to there.</summary>
    internal static ulong FromFile(ulong bigEndian) =>
        BitConverter.IsLittleEndian ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(bigEndian) : bigEndian;

    void Send(Qcow2Slot slot, IBlockDevice device, BlockRequest request)
    {
        request.Owner = this;
        request.UserData = slot.Key;
        slot.PendingCount++;
        device.Submit(request);
    }

    ulong IImageOwner.DataFileBytes =>
        _parts.DataFile == null && _writer != null ? _writer.FileBytes : _data.Limits.CapacityBytes;

    void IImageOwner.Send(Qcow2Slot slot, IBlockDevice device, BlockRequest request) => Send(slot, device, request);

    void IImageOwner.ReadDisk(ulong offsetBytes, ulong lengthBytes, nint buffer, IoLane lane, ClusterChange owner)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.Lane = lane;
        request.OffsetBytes = offsetBytes;
        request.LengthBytes = lengthBytes;
        request.Buffer = buffer;
        request.Owner = owner;
        _ownCount++;
        Begin(request);
    }

    internal static nint Address(Qcow2Slot slot) =>
        slot.Request.Buffer + (nint)(slot.PositionBytes - slot.Request.OffsetBytes);

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

    void IImageOwner.OnEnded(Qcow2Slot slot, Fault fault) => OnEnded(slot, fault);

    void IImageOwner.OnMetadataFault(Fault fault) => _writer!.OnMetadataFault(fault);

    void IImageOwner.OnQuiet()
    {
        if (_isClosing && InFlightCount == 0)
            Dispose();
    }

    void IImageOwner.Fail(Qcow2Slot slot, string because) => Fail(slot, because);

    void IImageOwner.Yield(Qcow2Slot slot)
    {
        _yielded.Add(slot);
        if (_isYielding)
            return;
        _isYielding = true;
        _loop.Defer(this, YieldedArgument);
    }

    void OnEnded(Qcow2Slot slot, Fault fault)
    {
        slot.PendingCount--;
        if (fault.IsFault && slot.Fault.IsNone)
            slot.Fault = fault.At(slot.Request.OffsetBytes);
        GoOn(slot);
    }

    void IWaitOwner.OnWaited(WaitList waiting, Fault fault) => OnWaited(waiting, fault);

    void OnWaited(WaitList waiting, Fault fault)
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
        _loop.Defer(this, FinishedArgument);
    }

    void ILoopTask.Run(ulong argument)
    {
        if (argument == YieldedArgument)
        {
            _isYielding = false;
            OnWaited(_yielded.TakeAll(), Fault.None);
            return;
        }
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out ulong key); count--)
            Finish(_slots.Get(key));
    }

    void Finish(Qcow2Slot slot)
    {
        if (slot.NeedsCommit && slot.Fault.IsNone)
        {
            // What it did is done: clusters that it may have met need not wait for it.
            (slot.NeedsCommit, slot.Serial) = (false, ulong.MaxValue);
            _writer!.Commit(slot);
            if (slot.IsWaiting)
                return;
        }
        bool isOwn = slot.Request.Owner is ClusterChange or Qcow2Growth;
        (IBlockOwner owner, ulong userData, IoLane lane) = (
            slot.Request.Owner,
            slot.Request.UserData,
            slot.Request.Lane
        );
        BlockResult result = new(slot.Fault, slot.Fault.IsNone ? slot.MapCount : 0);
        slot.Request = default;
        _slots.Free(slot.Key);
        if (isOwn)
            _ownCount--;
        else
            _lanes.End(lane);
        while (_lanes.WaitingCount > 0 && !IsFull && _lanes.TryNext(out BlockRequest request))
            Begin(request);
        if (_isClosing && InFlightCount == 0)
            Dispose();
        owner.OnBlockCompleted(userData, result);
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
