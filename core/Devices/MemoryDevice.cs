// A disk in memory: for tests, benchmarks of the machinery, and hosts that want none other. Copies at
// Submit, completes in the loop's next turn, never inside Submit. Holes exist at start and after discards,
// at 64 KiB granularity, so that allocation maps can be exercised.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices;

/// <summary>Threads: the loop's; <see cref="Content"/> any, when nothing is in flight.</summary>
public sealed class MemoryDevice : IBlockDevice, ILoopTask
{
    public const ulong HoleBytes = 64 * Units.KiB;

    readonly record struct Finished(IBlockOwner Owner, ulong UserData, BlockResult Result);

    readonly IIoLoop _loop;
    readonly AlignedRegion _content;
    readonly bool[] _isAllocated; // per HoleBytes
    readonly BoundedQueue<Finished> _finished;
    bool _isDeferred;

    /// <param name="loop">Drives this device.</param>
    /// <param name="name">For people.</param>
    /// <param name="capacityBytes">Any; the memory is taken at first touch.</param>
    /// <param name="isZeroInitialised">What to claim in the limits; the memory is zero either way.</param>
    public MemoryDevice(IIoLoop loop, string name, ulong capacityBytes, bool isZeroInitialised = true)
    {
        _loop = loop;
        Name = name;
        Limits = new BlockLimits
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
            IsZeroInitialised = isZeroInitialised,
            CanZeroFast = true,
        };
        ReadsAsZero = isZeroInitialised;
        _content = AlignedRegion.Map(capacityBytes, RegionResidency.Lazy);
        _isAllocated = new bool[checked((int)Units.DivCeil(capacityBytes, HoleBytes))];
        _finished = new BoundedQueue<Finished>(Limits.InFlightMax);
    }

    public string Name { get; }

    public BlockLimits Limits { get; }

    public bool ReadsAsZero { get; private set; }

    public uint InFlightCount => _finished.Count;

    /// <summary>Bytes moved by reads and writes.</summary>
    public ulong TransferredBytes { get; private set; }

    public Span<byte> Content(ulong offsetBytes, int lengthBytes) => _content.Slice(offsetBytes, lengthBytes);

    /// <summary>For hosts that write through <see cref="Content"/>: the map says data everywhere from now on.</summary>
    public void MarkAllAllocated()
    {
        ReadsAsZero = false;
        Array.Fill(_isAllocated, true);
    }

    public void Submit(in BlockRequest request)
    {
        if (request.Operation.IsWrite())
            ReadsAsZero = false;
        BlockResult result;
        if (new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes))
            result = Execute(request);
        else
            result = new BlockResult(new Fault(FaultKind.Range, 0, request.OffsetBytes));
        _finished.Enqueue(new Finished(request.Owner, request.UserData, result));
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        // Everything is begun at once.
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out Finished finished); count--)
            finished.Owner.OnBlockCompleted(finished.UserData, finished.Result);
    }

    public void Dispose()
    {
        Check.That(InFlightCount == 0);
        _content.Dispose();
    }

    unsafe BlockResult Execute(in BlockRequest request)
    {
        // SAFETY: the range was checked against the capacity; the caller owns LengthBytes at Buffer.
        byte* content = _content.Pointer + request.OffsetBytes;
        switch (request.Operation)
        {
            case BlockOperation.Read:
                Buffer.MemoryCopy(content, (void*)request.Buffer, request.LengthBytes, request.LengthBytes);
                TransferredBytes += request.LengthBytes;
                break;
            case BlockOperation.Write:
                Buffer.MemoryCopy((void*)request.Buffer, content, request.LengthBytes, request.LengthBytes);
                TransferredBytes += request.LengthBytes;
                MarkAllocated(request.OffsetBytes, request.LengthBytes);
                break;
            case BlockOperation.WriteZeroes:
            case BlockOperation.Discard:
                Clear(content, request.LengthBytes);
                if ((request.Flags & BlockFlags.MayUnmap) != 0 || request.Operation == BlockOperation.Discard)
                    MarkHoles(request.OffsetBytes, request.LengthBytes);
                else
                    MarkAllocated(request.OffsetBytes, request.LengthBytes);
                break;
            case BlockOperation.Map:
                return new BlockResult(Fault.None, Map(request));
            default:
                break;
        }
        return default;
    }

    static unsafe void Clear(byte* start, ulong lengthBytes)
    {
        for (ulong done = 0; done < lengthBytes; done += Units.GiB)
            new Span<byte>(start + done, (int)Math.Min(Units.GiB, lengthBytes - done)).Clear();
    }

    void MarkAllocated(ulong offsetBytes, ulong lengthBytes)
    {
        ulong end = Units.DivCeil(offsetBytes + lengthBytes, HoleBytes);
        for (ulong i = offsetBytes / HoleBytes; i < end; i++)
            _isAllocated[i] = true;
    }

    void MarkHoles(ulong offsetBytes, ulong lengthBytes)
    {
        ulong endBytes = offsetBytes + lengthBytes;
        bool isToEnd = endBytes == Limits.CapacityBytes;
        ulong end = isToEnd ? (ulong)_isAllocated.Length : endBytes / HoleBytes;
        for (ulong i = Units.DivCeil(offsetBytes, HoleBytes); i < end; i++)
            _isAllocated[i] = false;
    }

    unsafe uint Map(in BlockRequest request)
    {
        // SAFETY: the caller keeps room for MapCapacity entries until the completion.
        Span<MapEntry> entries = new((void*)request.Buffer, (int)request.MapCapacity);
        ulong offset = request.OffsetBytes;
        ulong end = offset + request.LengthBytes;
        uint count = 0;
        while (offset < end && count < entries.Length)
        {
            bool isData = _isAllocated[offset / HoleBytes];
            ulong next = offset;
            while (next < end && _isAllocated[next / HoleBytes] == isData)
                next = Math.Min(end, (next / HoleBytes + 1) * HoleBytes);
            entries[(int)count++] = new MapEntry
            {
                OffsetBytes = offset,
                LengthBytes = next - offset,
                Kind = isData ? ExtentKind.Data : ExtentKind.Hole,
            };
            offset = next;
        }
        return count;
    }
}
