// A new qcow2 image as the target of a backup, over the device of a new file, which reads as zero.
//
//   write    a cluster of the disk gets the next one of the file when it is first written to, whole or in part: what is
//            not written of it is a hole of the new file, and zero. Requests go straight to the file, in runs
//   zeroes   of clusters that have no place: nothing, or the entry. Of others: zeroes in the file
//   seal     the flush that ends a job writes the tables and then the header (NewImageSeal). Until then the file begins
//            with zeroes: an unfinished copy is no image, however the process ends
//
// Based on another image (NewImageOptions.BackingName) what is not written to is what lies there, so zeroes are an
// entry of their own, and only whole clusters are taken: of others the rest would have to be read there.
// Packed (NewImageOptions.Packing) a write of whole clusters goes to the crew's threads (ClusterPacker) and from there
// close together to the file (PackedStream); what is not worth it lies there as it is.
// Preallocated (NewImageOptions.IsPreallocated) each cluster has its place before it is written to.
// Memory: NewImageMap, and of packing what those two take. No snapshots. Is not read: nobody reads a target. Takes no
// writes once it is sealed.
// Cost: O(runs) a request; nothing is allocated before the seal.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
public sealed class Qcow2NewImage : IBlockDevice, IBlockOwner, ILoopTask
{
    const uint AtOnceMax = 256;
    const uint InFlightMax = 1024;

    readonly IIoLoop _loop;
    readonly IBlockDevice _file;
    readonly NewImageShape _shape;
    readonly NewImageMap _map;
    readonly WorkCrew? _crew;
    readonly ClusterPacker? _packer;
    readonly PackedStream? _stream;
    readonly AlignedRegion _buffer = AlignedRegion.Map(NewImageSeal.BufferBytes, RegionResidency.Resident);
    readonly SlotTable<NewImageSlot> _slots = new(AtOnceMax);
    readonly RequestLanes _lanes = new(AtOnceMax, waitingHint: InFlightMax);
    readonly BoundedQueue<ulong> _finished = new(AtOnceMax); // completions that may not run inside Submit
    readonly BoundedQueue<ulong> _unpacked = new(AtOnceMax); // writes of which clusters wait for the packer
    readonly BoundedQueue<ulong> _flushes = new(AtOnceMax); // that wait for the stream
    NewImageSeal? _seal;
    ulong _sealingKey;
    bool _isDeferred;
    bool _isClosing;
    bool _isDisposed;

    /// <param name="loop">Drives the file.</param>
    /// <param name="file">New, FileBytesMax long; owned from here.</param>
    /// <param name="shape">Of the image.</param>
    /// <param name="crew">Packs, and trims the file; owned from here. Null: the loop packs, the caller trims.</param>
    public Qcow2NewImage(IIoLoop loop, IBlockDevice file, NewImageShape shape, WorkCrew? crew = null)
    {
        Check.That(file.ReadsAsZero);
        Check.That(file.Limits.CapacityBytes >= shape.FileBytesMax);
        Check.That(file.Limits.RequestAlignBytes <= NewImageShape.ClusterBytes);
        (_loop, _file, _shape, _crew) = (loop, file, shape, crew);
        _map = new NewImageMap(shape);
        if (shape.Options.Packing is { } packing)
        {
            _packer = new ClusterPacker(loop, packing, crew, ClusterPacker.ThreadCount, PlacePacked);
            _stream = new PackedStream(file, _map, OnStreamWritten);
        }
        Limits = file.Limits with
        {
            CapacityBytes = shape.SizeBytes,
            RequestAlignBytes = shape.TakesWholeClusters ? NewImageShape.ClusterBytes : file.Limits.RequestAlignBytes,
            IsZeroInitialised = !shape.TakesWholeClusters,
            CanTellSize = false,
            InFlightMax = InFlightMax,
        };
        ReadsAsZero = Limits.IsZeroInitialised;
    }

    public string Name => _file.Name;

    public BlockLimits Limits { get; }

    /// <summary>With that of what it is based on: a source that lies there is none for it.</summary>
    public StorageIdentity? Storage =>
        Backing == null ? _file.Storage : LayeredStorage.Of(_file.Storage, Backing.Storage);

    public bool ReadsAsZero { get; private set; }

    public uint InFlightCount => _slots.TakenCount + _lanes.WaitingCount + (_stream?.InFlightCount ?? 0);

    public IBlockDevice File => _file;

    /// <summary>How long the file is to be, once it is sealed; else 0.</summary>
    public ulong EndBytes { get; private set; }

    /// <summary>What it is based on; owned. Null: nothing, or the caller keeps it.</summary>
    public IBlockDevice? Backing { get; private init; }

    /// <summary>As the constructor, with threads.</summary>
    public static Qcow2NewImage Create(
        IIoLoop loop,
        IBlockDevice file,
        NewImageShape shape,
        IBlockDevice? backing = null
    ) =>
        new(
            loop,
            file,
            shape,
            // Where the system has no more threads, the loop packs: slower, never wrong.
            WorkCrew.TryStart("fb-pack", shape.Options.Packing == null ? 1 : ClusterPacker.ThreadCount)
        )
        {
            Backing = backing,
        };

    /// <summary>Takes away what its file has behind the image. Threads: any that may wait, after the seal.</summary>
    public Fault Trim() =>
        BorrowedDevice.Behind(_file) is FileDevice file ? NewImageTrim.Trim(file, EndBytes) : Fault.None;

    /// <summary>The image is there, durably. Threads: any.</summary>
    public bool IsSealed { get; private set; }

    public void BeginImage(ulong bitmapSerial) => _file.BeginImage(bitmapSerial);

    public void EndImage() => _file.EndImage();

    public void Submit(in BlockRequest request)
    {
        if (request.Operation.IsWrite())
            ReadsAsZero = false;
        if (_lanes.TryBegin(request.Lane, _slots.TakenCount == _slots.Capacity))
            Begin(request);
        else
            _lanes.Wait(request);
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        if (_lanes.TryPromote(owner, userData, out BlockRequest request))
            Submit(request);
    }

    public void Dispose()
    {
        if (_isDisposed)
            return;
        Check.That(InFlightCount == 0 || _loop.HasFailed);
        _isDisposed = true;
        _crew?.Close();
        _packer?.Dispose();
        _stream?.Dispose();
        _map.Dispose();
        if (InFlightCount == 0)
            _buffer.Dispose();
        else
            _buffer.Leak(); // of a loop that has stopped
        _file.Dispose();
        Backing?.Dispose();
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
        Check.That(_slots.TryTake(out ulong key, out NewImageSlot slot));
        (slot.Request, slot.Fault, slot.PendingCount, slot.PackedBytes) = (request, Refusal(request), 1, 0);
        if (slot.Fault.IsNone)
            Launch(key, slot);
        if (--slot.PendingCount > 0)
            return;
        _finished.Enqueue(key);
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    Fault Refusal(in BlockRequest request)
    {
        if (request.Operation is BlockOperation.Read or BlockOperation.Map or BlockOperation.Size)
            return new Fault(FaultKind.Unsupported);
        if (_stream is { Fault.IsFault: true } lost)
            return lost.Fault;
        if (!request.Operation.IsWrite())
            return Fault.None;
        if (_seal != null)
            return new Fault(FaultKind.State);
        Fault fault = RequestRules.Check(request, Limits);
        return fault.IsFault || !_shape.TakesWholeClusters || IsWhole(request) ? fault : new Fault(FaultKind.Align);
    }

    bool IsWhole(in BlockRequest request)
    {
        ulong end = request.OffsetBytes + request.LengthBytes;
        return Units.IsAligned(request.OffsetBytes, NewImageShape.ClusterBytes)
            && (end == _shape.SizeBytes || Units.IsAligned(end, NewImageShape.ClusterBytes));
    }

    void Launch(ulong key, NewImageSlot slot)
    {
        ref readonly BlockRequest request = ref slot.Request;
        if (request.Operation == BlockOperation.Flush)
            Flush(key, slot);
        else if (_packer != null && request.Operation == BlockOperation.Write)
            Pack(key, slot);
        else
            HandRuns(key, slot, request.OffsetBytes);
    }

    void Flush(ulong key, NewImageSlot slot)
    {
        _stream?.Close();
        if (_stream is { InFlightCount: > 0 })
        {
            slot.PendingCount++;
            _flushes.Enqueue(key);
        }
        else if ((slot.Request.Flags & BlockFlags.Seal) != 0)
            Seal(key, slot);
        else
            Hand(key, slot, 0, 0, 0);
    }

    void Pack(ulong key, NewImageSlot slot)
    {
        ulong wholeBytes = Units.AlignDown(slot.Request.LengthBytes, NewImageShape.ClusterBytes);
        if (wholeBytes > 0)
        {
            slot.PendingCount += (uint)(wholeBytes / NewImageShape.ClusterBytes);
            _unpacked.Enqueue(key);
            FeedPacker();
        }
        if (wholeBytes < slot.Request.LengthBytes) // the end of the disk
            HandRuns(key, slot, slot.Request.OffsetBytes + wholeBytes);
    }

    void FeedPacker()
    {
        while (_packer!.HasRoom && _unpacked.TryPeek(out ulong key))
        {
            NewImageSlot slot = _slots.Get(key);
            ulong at = slot.PackedBytes;
            slot.PackedBytes += NewImageShape.ClusterBytes;
            if (slot.PackedBytes + NewImageShape.ClusterBytes > slot.Request.LengthBytes)
                _ = _unpacked.TryDequeue(out _);
            _packer.Start(key, slot.Request.OffsetBytes + at, slot.Request.Buffer + (nint)at);
        }
    }

    /// <summary>What is packed gets its place, in the order in which it came; what has none yet holds up the rest.
    /// </summary>
    void PlacePacked()
    {
        while (_packer!.TryPeek(out PackingSlot packed))
        {
            (ulong key, ulong at, ulong bytes) = (packed.Key, packed.OffsetBytes, (ulong)packed.PackedBytes);
            Fault fault = Fault.None;
            if (bytes == 0)
                fault = HandWhole(key, at);
            else if (_stream!.TryAppend(packed.Packed, out ulong host))
                _map.SetPacked(at >> NewImageShape.ClusterBits, host, bytes);
            else if (_stream.Fault.IsNone)
                break;
            else
                fault = _stream.Fault;
            _packer.Free();
            OnEnded(key, fault);
        }
        FeedPacker();
    }

    Fault HandWhole(ulong key, ulong at)
    {
        ulong place = Place(at, isWrite: true);
        if (place == 0)
            return new Fault(FaultKind.NoSpace, Errnos.ENOSPC);
        Hand(key, _slots.Get(key), at, place, NewImageShape.ClusterBytes);
        return Fault.None;
    }

    void OnStreamWritten()
    {
        PlacePacked();
        if (_stream!.InFlightCount > 0)
            return;
        for (uint count = _flushes.Count; count > 0 && _flushes.TryDequeue(out ulong key); count--)
        {
            NewImageSlot slot = _slots.Get(key);
            if (_stream.Fault.IsNone)
                Flush(key, slot);
            OnEnded(key, _stream.Fault);
        }
        if (_isClosing && InFlightCount == 0)
            Dispose();
    }

    /// <summary>A request below for each run of clusters that lie one behind the other.</summary>
    void HandRuns(ulong key, NewImageSlot slot, ulong startBytes)
    {
        bool isWrite = slot.Request.Operation == BlockOperation.Write;
        ulong end = slot.Request.OffsetBytes + slot.Request.LengthBytes;
        for (ulong at = startBytes; at < end; )
        {
            ulong within = at & NewImageShape.ClusterBytes - 1;
            ulong first = Place(at, isWrite);
            if (first == 0 && isWrite)
            {
                slot.Fault = new Fault(FaultKind.NoSpace, Errnos.ENOSPC, at);
                return;
            }
            ulong next = at - within + NewImageShape.ClusterBytes;
            for (ulong last = first; next < end; next += NewImageShape.ClusterBytes)
            {
                ulong place = Place(next, isWrite);
                if (place != (first == 0 ? 0 : last + NewImageShape.ClusterBytes))
                    break;
                last = place;
            }
            ulong length = System.Math.Min(next, end) - at;
            if (first != 0)
                Hand(key, slot, at, first + within, length);
            at += length;
        }
    }

    /// <summary>Where a cluster lies. Where it has no place a write gives it one, and zeroes the entry.</summary>
    ulong Place(ulong offset, bool isWrite)
    {
        ulong cluster = offset >> NewImageShape.ClusterBits;
        ulong place = _map.PlaceOf(cluster);
        if (place != 0)
            return place;
        if (isWrite)
            return _map.Place(cluster);
        _map.SetZero(cluster, _shape.IsBased);
        return 0;
    }

    void Hand(ulong key, NewImageSlot slot, ulong at, ulong hostBytes, ulong lengthBytes)
    {
        BlockRequest request = slot.Request;
        request.OffsetBytes = hostBytes;
        request.LengthBytes = lengthBytes;
        if (request.Operation == BlockOperation.Write)
            request.Buffer += (nint)(at - slot.Request.OffsetBytes);
        (request.Owner, request.UserData) = (this, key);
        slot.PendingCount++;
        _file.Submit(request);
    }

    void Seal(ulong key, NewImageSlot slot)
    {
        if (_seal != null)
        {
            slot.Fault = new Fault(FaultKind.State); // a seal that failed leaves what nobody knows
            return;
        }
        slot.PendingCount++;
        _sealingKey = key;
        ulong first = _map.EndCluster;
        NewImageTables tables = new(_shape, _map);
        EndBytes = tables.EndCluster << NewImageShape.ClusterBits;
        _seal = new NewImageSeal(_file, tables, first, _buffer, OnSealed);
        _seal.Begin();
    }

    void OnSealed(Fault fault)
    {
        IsSealed = fault.IsNone;
        if (IsSealed && _crew != null && BorrowedDevice.Behind(_file) is FileDevice file)
            new NewImageTrim(_loop, file, EndBytes, () => OnEnded(_sealingKey, Fault.None)).Begin(_crew);
        else
            OnEnded(_sealingKey, fault);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) => OnEnded(userData, result.Fault);

    void OnEnded(ulong key, Fault fault)
    {
        NewImageSlot slot = _slots.Get(key);
        if (fault.IsFault && slot.Fault.IsNone)
            slot.Fault = slot.Request.Operation.HasRange() ? fault.At(slot.Request.OffsetBytes) : fault;
        if (--slot.PendingCount == 0)
            Finish(key, slot);
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out ulong key); count--)
            Finish(key, _slots.Get(key));
    }

    void Finish(ulong key, NewImageSlot slot)
    {
        (IBlockOwner owner, ulong userData, IoLane lane) = (
            slot.Request.Owner,
            slot.Request.UserData,
            slot.Request.Lane
        );
        BlockResult result = new(slot.Fault);
        slot.Request = default;
        _slots.Free(key);
        _lanes.End(lane);
        while (
            _lanes.WaitingCount > 0 && _slots.TakenCount < _slots.Capacity && _lanes.TryNext(out BlockRequest request)
        )
            Begin(request);
        if (_isClosing && InFlightCount == 0)
            Dispose();
        owner.OnBlockCompleted(userData, result);
    }
}
