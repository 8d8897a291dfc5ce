// An image of Ceph as an IBlockDevice: requests go to the library as they come, it answers on threads of its own, and a
// ring and a post take the answers back to the loop.
//
//   lanes    what finds no room waits, guests first (RequestLanes)
//   long     zeroes and discards go out in parts; reads and writes as they are
//   FUA      a flush behind the write
//   map, size   ask the cluster and wait for it: each on a thread of its own
//
// The loop never waits for the cluster. What the cluster does not answer the library gives up after a while (RbdImage).
// Closing waits too, so a thread does it; a program that ends soon asks for it (AwaitClosed), or the image stays locked
// until Ceph has missed the program.
// Cost: O(1) a request, and an object of the library's; nothing is allocated here but for maps.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices.Rbd;

/// <summary>Threads: the loop's, unless a member says otherwise.</summary>
public sealed class RbdDevice : IBlockDevice, ILoopTask
{
    const uint AtOnceMax = 64;
    const uint InFlightMax = 1024;
    const ulong LongPartBytes = 256 * Units.MiB;
    const int NumberShift = 32;
    const ulong CloseLimitMs = 10_000; // then Ceph finds out by itself that nobody has its images

    readonly record struct Ended(uint Slot, nint Result, uint Count, Fault Fault);

    static readonly object s_one = new();
    static RbdDevice?[] s_open = new RbdDevice?[16];
    static int s_closingCount;

    readonly IIoLoop _loop;
    readonly RbdImage _image;
    readonly int _number;
    readonly SlotTable<RbdSlot> _slots = new(AtOnceMax);
    readonly RequestLanes _lanes = new(AtOnceMax, waitingHint: InFlightMax);
    readonly ConcurrentRing<Ended> _ended = new(AtOnceMax);
    readonly StandingPost _post;
    bool _isLeaving;
    bool _isDisposed;

    internal RbdDevice(IIoLoop loop, RbdImage image, bool isReadOnly)
    {
        (_loop, _image) = (loop, image);
        _post = new StandingPost(this);
        Limits = new BlockLimits
        {
            CapacityBytes = image.SizeBytes,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
            IsReadOnly = isReadOnly,
            CanTellSize = true,
            InFlightMax = InFlightMax,
        };
        _number = Enter(this);
    }

    public string Name => _image.Name.Text;

    public BlockLimits Limits { get; }

    public StorageIdentity? Storage => _image.Identity;

    public bool ReadsAsZero => false;

    public uint InFlightCount => _slots.TakenCount + _lanes.WaitingCount;

    /// <summary>
    /// Waits until all images that were disposed of are closed, or the time is over, however many end meanwhile. Any
    /// thread that may.
    /// </summary>
    public static void AwaitClosed()
    {
        MonotonicClock clock = MonotonicClock.Instance;
        ulong deadlineNs = clock.NowNs + CloseLimitMs * Units.NsPerMs;
        lock (s_one)
            while (s_closingCount > 0 && clock.NowNs is var nowNs && nowNs < deadlineNs)
                _ = Monitor.Wait(s_one, (int)((deadlineNs - nowNs) / Units.NsPerMs) + 1);
    }

    public void Submit(in BlockRequest request)
    {
        if (_lanes.TryBegin(request.Lane, _slots.TakenCount == AtOnceMax))
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
        Leave(_number);
        if (InFlightCount > 0)
            return; // a loop that has failed: what the library has keeps its image
        lock (s_one)
            s_closingCount++;
        if (!RbdImage.Threads.TryRun("fb-close", Close))
            EndClosing(); // it stays open: closing here would wait for the cluster, and guests with it
    }

    public void DisposeWhenIdle()
    {
        _isLeaving = true;
        while (_lanes.TryDrop(out BlockRequest request))
            request.Owner.OnBlockCompleted(request.UserData, new BlockResult(new Fault(FaultKind.Canceled)));
        if (InFlightCount == 0)
            Dispose();
    }

    void Close()
    {
        _image.Close();
        EndClosing();
    }

    static void EndClosing()
    {
        lock (s_one)
        {
            s_closingCount--;
            Monitor.PulseAll(s_one);
        }
    }

    /// <summary>A number for what the library is to give back with an answer.</summary>
    static int Enter(RbdDevice device)
    {
        lock (s_one)
        {
            int number = Array.IndexOf(s_open, null);
            if (number < 0)
            {
                number = s_open.Length;
                Array.Resize(ref s_open, 2 * number);
            }
            s_open[number] = device;
            return number;
        }
    }

    static void Leave(int number)
    {
        lock (s_one)
            s_open[number] = null;
    }

    void Begin(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out RbdSlot slot));
        (slot.Request, slot.DoneBytes, slot.PartBytes, slot.IsFlushing) = (request, 0, 0, false);
        Fault fault = request.Operation.HasRange() ? RequestRules.Check(request, Limits) : Fault.None;
        bool isEmpty = request.Operation.HasRange() && request.LengthBytes == 0;
        if (fault.IsFault || isEmpty)
            End(new Ended((uint)key, 0, 0, fault));
        else if (request.Operation is BlockOperation.Map or BlockOperation.Size)
            Ask((uint)key, request);
        else
            Start((uint)key, slot);
    }

    /// <summary>On a thread that waits for the cluster.</summary>
    void Ask(uint index, BlockRequest request)
    {
        void Run()
        {
            BlockResult result = request.Operation == BlockOperation.Map ? _image.Map(request) : CompareSize();
            End(new Ended(index, 0, result.Count, result.Fault));
        }
        if (!RbdImage.Threads.TryRun("fb-rbd", Run))
            End(new Ended(index, 0, 0, new Fault(FaultKind.NoMemory, Errnos.EAGAIN)));
    }

    BlockResult CompareSize()
    {
        Fault fault = _image.TryGetSize(out ulong sizeBytes);
        if (fault.IsNone && sizeBytes != Limits.CapacityBytes)
            fault = Fault.OfSize(Limits.CapacityBytes, sizeBytes);
        return new BlockResult(fault);
    }

    /// <summary>Hands the request, or its next part, to the library.</summary>
    unsafe void Start(uint index, RbdSlot slot)
    {
        nint argument = (nint)((ulong)_number << NumberShift | index);
        int result = LibRbd.CreateCompletion(argument, &OnAnswer, out nint completion);
        if (result >= 0)
            result = Start(slot, completion);
        else
            completion = 0;
        if (result >= 0)
            return;
        if (completion != 0)
            LibRbd.Release(completion);
        End(new Ended(index, result, 0, Fault.None));
    }

    unsafe int Start(RbdSlot slot, nint completion)
    {
        ref BlockRequest request = ref slot.Request;
        ulong offset = request.OffsetBytes + slot.DoneBytes;
        ulong left = request.LengthBytes - slot.DoneBytes;
        bool isLong = request.Operation is BlockOperation.WriteZeroes or BlockOperation.Discard;
        slot.PartBytes = isLong ? Math.Min(left, LongPartBytes) : left;
        // SAFETY: the requester owns LengthBytes at Buffer until the completion.
        void* buffer = (void*)request.Buffer;
        int keepsSpace = (request.Flags & BlockFlags.MayUnmap) == 0 ? 1 : 0;
        return slot.IsFlushing
            ? LibRbd.Flush(_image.Handle, completion)
            : request.Operation switch
            {
                BlockOperation.Read => LibRbd.Read(_image.Handle, offset, (nuint)slot.PartBytes, buffer, completion),
                BlockOperation.Write => LibRbd.Write(_image.Handle, offset, (nuint)slot.PartBytes, buffer, completion),
                BlockOperation.Discard => LibRbd.Discard(_image.Handle, offset, slot.PartBytes, completion),
                BlockOperation.WriteZeroes => LibRbd.WriteZeroes(
                    _image.Handle,
                    offset,
                    (nuint)slot.PartBytes,
                    completion,
                    keepsSpace,
                    0
                ),
                _ => LibRbd.Flush(_image.Handle, completion),
            };
    }

    /// <summary>An answer, on a thread of the library.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    static void OnAnswer(nint completion, nint argument)
    {
        nint result = LibRbd.Result(completion);
        LibRbd.Release(completion);
        RbdDevice? device;
        lock (s_one)
            device = s_open[(int)((ulong)argument >> NumberShift)];
        device?.End(new Ended((uint)argument, result, 0, Fault.None));
    }

    /// <summary>To be seen by the loop. Threads: any.</summary>
    void End(in Ended ended)
    {
        Check.That(_ended.TryPut(ended)); // each slot has one
        _loop.Post(_post);
    }

    void ILoopTask.Run(ulong argument)
    {
        // Those that end inside Submit are followed by others at once: what comes on end waits for the next turn.
        for (uint count = AtOnceMax; count > 0 && _ended.TryTake(out Ended ended); count--)
            Take(ended);
        if (!_ended.IsEmpty)
            _loop.Post(_post);
    }

    void ILoopTask.Abandon(ulong argument)
    {
        // The loop has failed: nobody waits for these requests any more.
    }

    void Take(in Ended ended)
    {
        Check.That(_slots.TryGetAt(ended.Slot, out ulong key, out RbdSlot slot));
        Fault fault = ended.Fault;
        if (fault.IsNone && ended.Result < 0)
            fault = Errnos.ToFault((int)-ended.Result, slot.Request.OffsetBytes + slot.DoneBytes);
        if (fault.IsNone && slot.Request.Operation == BlockOperation.Read && (ulong)ended.Result < slot.PartBytes)
            fault = new Fault(FaultKind.Truncated, 0, slot.Request.OffsetBytes + (ulong)ended.Result);
        if (fault.IsNone && !slot.IsFlushing && GoesOn(slot))
        {
            Start(ended.Slot, slot);
            return;
        }
        (IBlockOwner owner, ulong userData, IoLane lane) = (
            slot.Request.Owner,
            slot.Request.UserData,
            slot.Request.Lane
        );
        slot.Request = default;
        _slots.Free(key);
        _lanes.End(lane);
        while (!_isLeaving && _slots.TakenCount < AtOnceMax && _lanes.TryNext(out BlockRequest next))
            Begin(next);
        owner.OnBlockCompleted(userData, new BlockResult(fault, ended.Count));
        if (_isLeaving && InFlightCount == 0)
            Dispose();
    }

    /// <summary>A part of it is done, and something is left.</summary>
    static bool GoesOn(RbdSlot slot)
    {
        ref BlockRequest request = ref slot.Request;
        if (!request.Operation.IsWrite())
            return false;
        slot.DoneBytes += slot.PartBytes;
        if (slot.DoneBytes < request.LengthBytes)
            return true;
        slot.IsFlushing = (request.Flags & BlockFlags.Fua) != 0;
        return slot.IsFlushing && request.LengthBytes > 0;
    }
}
