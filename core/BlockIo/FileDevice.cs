// A file or block device as an IBlockDevice, over any port. It turns requests into kernel calls and kernel
// results into whole requests, once, for the ring, the worker threads and the simulator alike:
//
//   short count      the rest is asked for at the right offset (from the aligned start of the missing part)
//   EAGAIN, EINTR    the same call again
//   zero on a read   the device ended early: Truncated, never stale buffer content
//   unaligned        the request goes through a second, buffered descriptor. One after the other the kernel keeps
//                    the two coherent (a direct read writes dirty pages back first, a direct write drops them), but
//                    not side by side in one page: such writes exclude each other here (see FileDevice.Pages.cs)
//   file tail        a size that is no multiple of the alignment: reads take the padding of the buffer,
//                    writes end with a buffered write of the last bytes, so the size never changes
//   write-zeroes     punch or zero-range where the file system can, else zeroes from one shared buffer;
//                    a method that is refused is not tried again (for an alignment refusal: for this once)
//
// Cost: O(1) per kernel call, nothing allocated after construction (but beyond Limits.InFlightMax). Keeps no cache and
// orders nothing:
// requests in flight at once may land in any order.
// Source: open(2) NOTES on O_DIRECT, fallocate(2), statx(2).
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;

namespace FastBackup.BlockIo;

/// <summary>Threads: the loop's.</summary>
public sealed partial class FileDevice : IBlockDevice, IFileIoOwner, ILoopTask
{
    const uint RetriesMax = 10_000;
    const uint StuckMax = 16;
    const int PunchMode = Files.FALLOC_FL_PUNCH_HOLE | Files.FALLOC_FL_KEEP_SIZE;
    const int ZeroRangeMode = Files.FALLOC_FL_ZERO_RANGE | Files.FALLOC_FL_KEEP_SIZE;

    /// <summary>The kernel's own limit for one transfer is just under 2 GiB.</summary>
    const ulong TransferBytesMax = Units.GiB;

    const ulong FinishedArgument = 0;
    const ulong StalledArgument = 1;

    enum Step
    {
        /// <summary>Free, or waits for its turn at its pages: nothing of it is in flight.</summary>
        Idle,
        Transfer,
        Allocate,
        ZeroByWriting,
        Flush,
        Map,

        /// <summary>Nothing more to do: the result waits for the next turn.</summary>
        Finished,
    }

    sealed class Slot
    {
        public BlockRequest Request;
        public Step Step;
        public ulong DoneBytes;
        public uint RetryCount;

        /// <summary>
        /// Times in a row that less than a sector came. A read then goes on through the page cache, where any count is
        /// progress: at the end of a file that was cut inside a sector it gets nothing, and says so.
        /// </summary>
        public uint StuckCount;

        /// <summary>What the command in flight asked for, to tell short from complete.</summary>
        public ulong AskedBytes;
        public int AllocateMode;
        public bool IsBuffered;

        /// <summary>A write that passes through the page cache, in part or whole.</summary>
        public bool IsPaged;

        /// <summary>The step to begin with when its pages are free.</summary>
        public Step NextStep;
        public BlockResult Result;
    }

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly FileHandle _file;
    readonly FileHandle _buffered; // the same handle when the device is not direct
    readonly SlotTable<Slot> _slots;
    readonly BoundedQueue<ulong> _stalled; // the port was full: pushed again when it has delivered something
    readonly BoundedQueue<ulong> _conflicted; // writes that wait for their pages
    readonly RequestLanes _lanes; // what waits for a slot or for the share of its lane
    readonly BoundedQueue<ulong> _finished; // completions that may not run inside Submit
    readonly AlignedRegion _zeroes;
    readonly bool _isBlockDevice;
    readonly Action? _onDispose;

    // --- touched only by the loop's thread
    bool _canPunch = true;
    bool _canZeroRange = true;
    bool _canDiscard = true;
    bool _isDeferred;
    bool _isWaitingForRoom;
    bool _isClosing;
    bool _isDisposed;

    /// <param name="loop">Drives this device.</param>
    /// <param name="name">For people.</param>
    /// <param name="limits">What the file is known to take.</param>
    /// <param name="file">The descriptor for aligned requests.</param>
    /// <param name="buffered">One for the rest; may be the same handle.</param>
    /// <param name="isBlockDevice">A discard is spelled differently there.</param>
    /// <param name="onDispose">Closes what the caller opened.</param>
    public FileDevice(
        IIoLoop loop,
        string name,
        BlockLimits limits,
        FileHandle file,
        FileHandle buffered,
        bool isBlockDevice,
        Action? onDispose
    )
    {
        Check.That(Units.IsPowerOfTwo(limits.RequestAlignBytes));
        Check.That(Units.IsPowerOfTwo(limits.BufferAlignBytes));
        (_loop, Name, Limits, _file, _buffered) = (loop, name, limits, file, buffered);
        (_isBlockDevice, _onDispose) = (isBlockDevice, onDispose);
        _slots = new SlotTable<Slot>(limits.InFlightMax);
        _lanes = new RequestLanes(limits.InFlightMax);
        _stalled = new BoundedQueue<ulong>(limits.InFlightMax);
        _finished = new BoundedQueue<ulong>(limits.InFlightMax);
        _conflicted = new BoundedQueue<ulong>(limits.InFlightMax);
        _zeroes = AlignedRegion.Map(256 * Units.KiB, RegionResidency.Resident);
        ReadsAsZero = limits.IsZeroInitialised;
    }

    public string Name { get; }

    public BlockLimits Limits { get; }

    public bool ReadsAsZero { get; private set; }

    public uint InFlightCount => _slots.TakenCount + _lanes.WaitingCount;

    /// <summary>Who is under way and who waits. Threads: the loop's.</summary>
    public RequestLanes Lanes => _lanes;

    /// <summary>Calls that the kernel cut short or asked to repeat: each was continued.</summary>
    public ulong ContinuationCount { get; private set; }

    public void Submit(in BlockRequest request)
    {
        if (IsWrite(request.Operation))
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

    void Begin(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out Slot slot));
        Begin(key, slot, request);
    }

    void Begin(ulong key, Slot slot, in BlockRequest request)
    {
        slot.Request = request;
        slot.DoneBytes = 0;
        slot.RetryCount = 0;
        slot.StuckCount = 0;
        slot.Result = default;
        slot.IsPaged = false;
        slot.Step = Step.Idle;
        Step first = FirstStep(request, out Fault refusal);
        if (refusal.IsFault || (request.LengthBytes == 0 && request.Operation != BlockOperation.Flush))
        {
            FinishLater(key, slot, refusal);
            return;
        }
        slot.NextStep = first;
        slot.IsPaged = PassesPageCache(request, first);
        if (slot.IsPaged)
            _pagedCount++;
        if (HasPageConflict(slot))
            _conflicted.Enqueue(key);
        else
            Launch(key, slot);
    }

    void Launch(ulong key, Slot slot)
    {
        slot.Step = slot.NextStep;
        Push(key, slot);
    }

    public void OnFileCompleted(ulong tag, long result)
    {
        Slot slot = _slots.Get(tag);
        if (result is -Errnos.EINTR or -Errnos.EAGAIN && slot.RetryCount < RetriesMax)
        {
            slot.RetryCount++;
            ContinuationCount++;
            if (!Planted.Is(PlantedBug.R33AgainForgotten))
                Push(tag, slot);
            return;
        }
        switch (slot.Step)
        {
            case Step.Transfer:
            case Step.ZeroByWriting:
                OnTransferred(tag, slot, result);
                break;
            case Step.Allocate:
                OnAllocated(tag, slot, result);
                break;
            case Step.Map:
                Finish(tag, slot, result < 0 ? ToFault(slot, result) : Fault.None, (uint)Math.Max(result, 0));
                break;
            case Step.Flush:
                Finish(tag, slot, result < 0 ? ToFault(slot, result) : Fault.None);
                break;
            default:
                Check.Fail("completion in step " + slot.Step);
                break;
        }
    }

    void ILoopTask.Run(ulong argument)
    {
        if (argument == FinishedArgument)
            RunFinished();
        else
            RunStalled();
    }

    /// <summary>Completions that could not run inside Submit.</summary>
    void RunFinished()
    {
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out ulong key); count--)
        {
            Slot slot = _slots.Get(key);
            Finish(key, slot, slot.Result.Fault, slot.Result.Count);
        }
    }

    /// <summary>Pushes that found the port full.</summary>
    void RunStalled()
    {
        _isWaitingForRoom = false;
        for (uint count = _stalled.Count; count > 0 && _stalled.TryDequeue(out ulong key); count--)
            Push(key, _slots.Get(key));
    }

    public void Dispose()
    {
        if (_isDisposed)
            return;
        Check.That(InFlightCount == 0 || _loop.HasFailed);
        Close();
    }

    /// <summary>
    /// As Dispose, but after the last request that the kernel still holds: for a device that does not answer. Nothing
    /// may be submitted any more. Threads: the loop's.
    /// </summary>
    public void DisposeWhenIdle()
    {
        _isClosing = true;
        if (InFlightCount == 0 || _loop.HasFailed)
            Dispose();
    }

    void Close()
    {
        _isDisposed = true;
        _loop.FileIo.UnregisterFile(_file);
        if (_buffered != _file)
            _loop.FileIo.UnregisterFile(_buffered);
        if (InFlightCount == 0)
            _zeroes.Dispose();
        else
            _zeroes.Leak();
        _onDispose?.Invoke();
    }

    Step FirstStep(in BlockRequest request, out Fault refusal)
    {
        refusal = default;
        if (request.Operation == BlockOperation.Flush)
            return Step.Flush;
        Extent extent = new(request.OffsetBytes, request.LengthBytes);
        if (!extent.IsWithin(Limits.CapacityBytes))
            refusal = new Fault(FaultKind.Range, 0, request.OffsetBytes);
        if (IsWrite(request.Operation) && Limits.IsReadOnly)
            refusal = new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes);
        return request.Operation switch
        {
            BlockOperation.Map => Step.Map,
            BlockOperation.WriteZeroes => FirstZeroStep(request),
            BlockOperation.Discard => _canDiscard ? Step.Allocate : Step.Finished,
            _ => Step.Transfer,
        };
    }

    Step FirstZeroStep(in BlockRequest request)
    {
        bool mayPunch = _canPunch && (request.Flags & BlockFlags.MayUnmap) != 0;
        return mayPunch || _canZeroRange ? Step.Allocate : Step.ZeroByWriting;
    }

    void Push(ulong key, Slot slot)
    {
        FileCommand command = default;
        command.Owner = this;
        command.Tag = key;
        command.File = _file;
        if (!TryBuild(slot, ref command))
            FinishLater(key, slot, Fault.None);
        else if (!_loop.FileIo.TryPush(command))
        {
            _stalled.Enqueue(key);
            DeferStalledOnce();
        }
    }

    /// <summary>The kernel call that takes the slot one step further; false when there is none.</summary>
    bool TryBuild(Slot slot, ref FileCommand command)
    {
        ref readonly BlockRequest request = ref slot.Request;
        command.OffsetBytes = request.OffsetBytes;
        command.LengthBytes = request.LengthBytes;
        switch (slot.Step)
        {
            case Step.Transfer:
                BuildTransfer(slot, ref command, request.Buffer);
                return true;
            case Step.ZeroByWriting:
                BuildTransfer(slot, ref command, _zeroes.Start);
                return true;
            case Step.Allocate:
                command.Operation = FileOperation.Allocate;
                command.File = _buffered; // on a block device the descriptor that holds the exclusive claim
                command.Mode = slot.AllocateMode = AllocateMode(request);
                if (Planted.Is(PlantedBug.R42ZeroRoundedOutwards))
                    command.OffsetBytes = Units.AlignDown(command.OffsetBytes, 4096);
                return true;
            case Step.Flush:
                command.Operation = FileOperation.Flush;
                return true;
            case Step.Map:
                Check.That(request.MapCapacity > 0);
                command.Operation = FileOperation.Map;
                command.Buffer = request.Buffer;
                command.Mode = (int)request.MapCapacity;
                return true;
            default:
                return false;
        }
    }

    int AllocateMode(in BlockRequest request)
    {
        // A block device has no plain discard here (fallocate refuses NO_HIDE_STALE): a punch deallocates and zeroes.
        if (request.Operation == BlockOperation.Discard)
            return PunchMode;
        return _canPunch && (request.Flags & BlockFlags.MayUnmap) != 0 ? PunchMode : ZeroRangeMode;
    }

    /// <summary>The next read or write: direct when aligned, else through the buffered descriptor.</summary>
    void BuildTransfer(Slot slot, ref FileCommand command, nint buffer)
    {
        ref readonly BlockRequest request = ref slot.Request;
        bool isRead = request.Operation == BlockOperation.Read;
        ulong align = Limits.RequestAlignBytes;
        ulong offset = request.OffsetBytes + slot.DoneBytes;
        ulong rest = request.LengthBytes - slot.DoneBytes;
        nint address = slot.Step == Step.ZeroByWriting ? buffer : buffer + (nint)slot.DoneBytes;
        ulong lengthBytes = Math.Min(rest, slot.Step == Step.ZeroByWriting ? _zeroes.LengthBytes : TransferBytesMax);
        bool isStuck = isRead && slot.StuckCount > StuckMax;
        bool isAligned =
            !isStuck && Units.IsAligned(offset, align) && Units.IsAligned((ulong)address, Limits.BufferAlignBytes);
        if (isAligned && !Units.IsAligned(lengthBytes, align))
        {
            bool mayPad = isRead && (request.Flags & BlockFlags.Padded) != 0;
            ulong whole = Units.AlignDown(lengthBytes, align);
            if (mayPad)
                lengthBytes = Units.AlignUp(lengthBytes, align);
            else if (whole > 0)
                lengthBytes = whole; // the last bytes follow in a step of their own
            else
                isAligned = false;
        }
        slot.IsBuffered = !isAligned;
        slot.AskedBytes = lengthBytes;
        command.File = isAligned ? _file : _buffered;
        command.Operation = isRead ? FileOperation.Read : FileOperation.Write;
        command.IsDurable = (request.Flags & BlockFlags.Fua) != 0;
        if (isRead && Planted.Is(PlantedBug.R32ShortReadMisplaced))
            offset = request.OffsetBytes;
        command.OffsetBytes = offset;
        command.LengthBytes = lengthBytes;
        command.Buffer = address;
    }

    void OnTransferred(ulong key, Slot slot, long result)
    {
        ref readonly BlockRequest request = ref slot.Request;
        ulong offset = request.OffsetBytes + slot.DoneBytes;
        if (result < 0)
        {
            Finish(key, slot, ToFault(slot, result));
            return;
        }
        if (result == 0)
        {
            bool isRead = request.Operation == BlockOperation.Read;
            Finish(key, slot, new Fault(isRead ? FaultKind.Truncated : FaultKind.Io, 0, offset));
            return;
        }
        ulong moved = Math.Min((ulong)result, slot.AskedBytes);
        ulong done = Math.Min(slot.DoneBytes + moved, request.LengthBytes);
        if (done < request.LengthBytes && moved < slot.AskedBytes)
        {
            // Cut short. A direct transfer goes on from an aligned offset, repeating a part of a sector.
            ContinuationCount++;
            ulong resume = slot.IsBuffered ? done : Units.AlignDown(done, Limits.RequestAlignBytes);
            if (resume != slot.DoneBytes)
                slot.StuckCount = 0;
            else if (++slot.StuckCount > StuckMax && request.Operation != BlockOperation.Read)
            {
                Finish(key, slot, new Fault(FaultKind.Io, Errnos.EIO, offset));
                return;
            }
            done = resume;
        }
        slot.DoneBytes = done;
        if (done < request.LengthBytes)
            Push(key, slot);
        else
            FinishOrFlush(key, slot);
    }

    void OnAllocated(ulong key, Slot slot, long result)
    {
        ref readonly BlockRequest request = ref slot.Request;
        // EBUSY: a block device with dirty pages in the range, for a reader that has it open as well.
        bool isOnce = result is -Errnos.EINVAL or -Errnos.EBUSY;
        bool isRefused = isOnce || result is -Errnos.EOPNOTSUPP or -Errnos.ENOSYS or -Errnos.ENOTTY;
        isRefused &= !Planted.Is(PlantedBug.R31RefusedZeroFails);
        if (result < 0 && !isRefused)
        {
            Finish(key, slot, ToFault(slot, result));
            return;
        }
        if (!isRefused)
        {
            FinishOrFlush(key, slot);
            return;
        }
        if (request.Operation == BlockOperation.Discard)
        {
            _canDiscard &= isOnce;
            Finish(key, slot, Fault.None); // a hint that this device does not take
            return;
        }
        // EINVAL may be this range's alignment; other refusals are the file system's last word.
        if (!isOnce && slot.AllocateMode == ZeroRangeMode)
            _canZeroRange = false;
        else if (!isOnce)
            _canPunch = false;
        bool mayTryRange = slot.AllocateMode != ZeroRangeMode && _canZeroRange && !isOnce;
        slot.Step = mayTryRange ? Step.Allocate : Step.ZeroByWriting;
        Push(key, slot);
    }

    /// <summary>Durable zeroes need a flush of their own; a durable write was one already.</summary>
    void FinishOrFlush(ulong key, Slot slot)
    {
        bool needsFlush = slot.Step == Step.Allocate && (slot.Request.Flags & BlockFlags.Fua) != 0;
        if (!needsFlush)
        {
            Finish(key, slot, Fault.None);
            return;
        }
        slot.Step = Step.Flush;
        Push(key, slot);
    }

    static Fault ToFault(Slot slot, long result) =>
        Errnos.ToFault((int)-result, slot.Request.OffsetBytes + slot.DoneBytes);

    void FinishLater(ulong key, Slot slot, Fault fault)
    {
        slot.Step = Step.Finished;
        slot.Result = new BlockResult(fault);
        _finished.Enqueue(key);
        DeferOnce();
    }

    void Finish(ulong key, Slot slot, Fault fault, uint count = 0)
    {
        (IBlockOwner owner, ulong userData) = (slot.Request.Owner, slot.Request.UserData);
        IoLane lane = slot.Request.Lane;
        bool wasWrite = IsWrite(slot.Request.Operation);
        if (slot.IsPaged)
            _pagedCount--;
        slot.Step = Step.Idle;
        slot.Request = default;
        _slots.Free(key);
        if (wasWrite && _conflicted.Count > 0)
            LaunchConflicted();
        _lanes.End(lane);
        while (_lanes.WaitingCount > 0 && _slots.TakenCount < _slots.Capacity && _lanes.TryNext(out BlockRequest next))
            Begin(next);
        if (_isClosing && InFlightCount == 0)
            Close();
        owner.OnBlockCompleted(userData, new BlockResult(fault, count));
    }

    void DeferOnce()
    {
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, FinishedArgument);
    }

    void DeferStalledOnce()
    {
        if (_isWaitingForRoom)
            return;
        _isWaitingForRoom = true;
        _loop.DeferUntilRoom(this, StalledArgument);
    }
}
