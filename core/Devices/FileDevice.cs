// A file or block device as an IBlockDevice, over any port. It turns requests into kernel calls and kernel
// results into whole requests, once, for the ring, the worker threads and the simulator alike:
//
//   short count      the rest is asked for at the right offset (from the aligned start of the missing part)
//   ask again        the same call again (EAGAIN, EINTR)
//   zero on a read   the device ended early: Truncated, never stale buffer content
//   unaligned        the request goes through a second, buffered descriptor. One after the other the kernel keeps
//                    the two coherent (a direct read writes dirty pages back first, a direct write drops them), but
//                    not side by side in one page: such writes exclude each other here (PageConflicts)
//   file tail        a size that is no multiple of the alignment: reads take the padding of the buffer,
//                    writes end with a buffered write of the last bytes, so the size never changes
//   write-zeroes     punch or zero-range where the file system can, else zeroes from one shared buffer;
//                    a method that is refused is not tried again (for an alignment refusal: for this once)
//
// Cost: O(1) per kernel call, nothing allocated after construction (but beyond Limits.InFlightMax). Keeps no cache and
// orders nothing: requests in flight at once may land in any order.
// Source: open(2) NOTES on O_DIRECT, fallocate(2), statx(2).
using System;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices;

/// <summary>Threads: the loop's.</summary>
public sealed class FileDevice : IBlockDevice, IFileIoOwner, ILoopTask, IMarkedWrites
{
    const uint RetriesMax = 10_000;
    const int CloseWaitMs = 1000;
    const ulong FinishedArgument = 0;
    const ulong StalledArgument = 1;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly FileHandle _file;
    readonly FileHandle _buffered; // the same handle when the device is not direct
    readonly SlotTable<FileSlot> _slots;
    readonly BoundedQueue<ulong> _stalled; // the port was full: pushed again when it has delivered something
    readonly PageConflicts _pages;
    readonly FileTransfer _transfer;
    readonly RangeClearing _clearing;
    readonly RequestLanes _lanes; // what waits for a slot or for the share of its lane
    readonly BoundedQueue<ulong> _finished; // completions that may not run inside Submit
    readonly AlignedRegion _zeroes;
    readonly bool _isBlockDevice;
    readonly Action? _onDispose;
    readonly IFileWorkers? _workers; // of both handles

    // --- touched only by the loop's thread
    ImageMark? _mark; // null for what needs none: block devices, nameless files, files whose name tells
    ulong _againCount;
    bool _isDeferred;
    bool _isWaitingForRoom;
    bool _isClosing;
    bool _isDisposed;

    /// <param name="loop">Drives this device.</param>
    /// <param name="name">For people.</param>
    /// <param name="limits">What the file is known to take.</param>
    /// <param name="file">The descriptor for aligned requests.</param>
    /// <param name="buffered">One for the rest; may be the same handle. Both have the same workers, or none.</param>
    /// <param name="isBlockDevice">Its last bytes that are no whole sector are not part of its capacity.</param>
    /// <param name="onDispose">Closes what the caller opened; runs on a thread of the file's, if it has some.</param>
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
        Check.That(ReferenceEquals(file.Workers, buffered.Workers));
        (_isBlockDevice, _onDispose, _workers) = (isBlockDevice, onDispose, file.Workers);
        // Where a thread carries each request out, no more are begun than there are threads: what waits, waits in its
        // lane, and a guest's request comes next.
        uint atOnceMax = limits.InFlightMax;
        if (_workers is { TakesAll: true })
            atOnceMax = Math.Min(atOnceMax, (uint)_workers.Count);
        _slots = new SlotTable<FileSlot>(atOnceMax);
        _lanes = new RequestLanes(atOnceMax, waitingHint: limits.InFlightMax);
        _stalled = new BoundedQueue<ulong>(atOnceMax);
        _finished = new BoundedQueue<ulong>(atOnceMax);
        _pages = new PageConflicts(_slots, limits, isAllBuffered: file == buffered);
        _zeroes = AlignedRegion.Map(256 * Units.KiB, RegionResidency.Resident);
        _transfer = new FileTransfer(file, buffered, limits, _zeroes);
        _clearing = new RangeClearing(isRangeWritten: isBlockDevice);
        ReadsAsZero = limits.IsZeroInitialised;
    }

    public string Name { get; }

    public BlockLimits Limits { get; private set; }

    /// <inheritdoc/>
    public Fault Grow(ulong capacityBytes)
    {
        Check.That(capacityBytes >= Limits.CapacityBytes);
        Limits = Limits with { CapacityBytes = capacityBytes };
        return Fault.None;
    }

    public bool ReadsAsZero { get; private set; }

    public uint InFlightCount => _slots.TakenCount + _lanes.WaitingCount + (_mark is { IsPutting: true } ? 1u : 0u);

    /// <summary>True when O_DIRECT is in use.</summary>
    public bool IsDirect { get; internal set; }

    public bool IsBlockDevice => _isBlockDevice;

    /// <summary>Which storage it is; null for one that is not the kernel's.</summary>
    public StorageKin? Kin { get; internal set; }

    public StorageIdentity? Storage => Kin;

    public FileIdentity Identity => Kin?.Identity ?? default;

    /// <summary>What it looks like, when that is not raw and was asked for; else null.</summary>
    public string? ForeignFormat { get; internal set; }

    /// <summary>
    /// For a warning, when somebody else uses what was opened for reading: how, so that it follows on "is"; else null.
    /// </summary>
    public string? UsedBy { get; internal set; }

    /// <summary>The descriptor in use, for calls that have no place in the I/O path. Owned by this device.</summary>
    public int Fd => _file.Fd;

    /// <summary>Who is under way and who waits. Threads: the loop's.</summary>
    public RequestLanes Lanes => _lanes;

    /// <summary>Calls that the kernel cut short or asked to repeat: each was continued.</summary>
    public ulong ContinuationCount => _againCount + _transfer.ShortCount;

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

    void Begin(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out FileSlot slot));
        Begin(key, slot, request);
    }

    void Begin(ulong key, FileSlot slot, in BlockRequest request)
    {
        slot.Begin(request);
        FileStep first = FirstStep(request, out Fault refusal);
        if (refusal.IsFault || (request.LengthBytes == 0 && request.Operation.HasRange()))
        {
            FinishLater(key, slot, refusal);
            return;
        }
        slot.NextStep = first;
        _pages.Begin(slot);
        if (!slot.IsWrite || _mark?.MustWait(key) != true)
            LaunchWhenFree(key, slot);
    }

    void LaunchWhenFree(ulong key, FileSlot slot)
    {
        if (!_pages.MustWait(key, slot))
            Launch(key, slot);
    }

    void Launch(ulong key, FileSlot slot)
    {
        slot.Step = slot.NextStep;
        Push(key, slot);
    }

    public void OnFileCompleted(ulong tag, in FileResult result)
    {
        FileSlot slot = _slots.Get(tag);
        if (result.Outcome == FileOutcome.Again && slot.RetryCount < RetriesMax)
        {
            slot.RetryCount++;
            _againCount++;
            Push(tag, slot);
            return;
        }
        switch (slot.Step)
        {
            case FileStep.Transfer:
            case FileStep.ZeroByWriting:
                OnTransferred(tag, slot, result);
                break;
            case FileStep.Clear:
                OnCleared(tag, slot, result);
                break;
            case FileStep.Size:
                Finish(tag, slot, SizeFault(slot, result));
                break;
            case FileStep.Map:
                Finish(tag, slot, FaultOf(slot, result), (uint)result.Count);
                break;
            case FileStep.Flush when result.IsDone && IsSealed(slot):
                slot.Step = FileStep.Unmark;
                Push(tag, slot);
                break;
            case FileStep.Flush:
                Finish(tag, slot, FaultOf(slot, result));
                break;
            case FileStep.Unmark:
                if (result.IsDone)
                    _mark!.OnUnmarked();
                Finish(tag, slot, FaultOf(slot, result));
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
            FileSlot slot = _slots.Get(key);
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

    FileStep FirstStep(in BlockRequest request, out Fault refusal)
    {
        refusal = default;
        if (request.Operation == BlockOperation.Flush)
            return FileStep.Flush;
        if (request.Operation == BlockOperation.Size)
            return FileStep.Size;
        refusal = RequestRules.Check(request, Limits);
        return request.Operation switch
        {
            BlockOperation.Map => FileStep.Map,
            BlockOperation.WriteZeroes or BlockOperation.Discard => _clearing.FirstStep(request, ref refusal),
            _ => FileStep.Transfer,
        };
    }

    void Push(ulong key, FileSlot slot)
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
    bool TryBuild(FileSlot slot, ref FileCommand command)
    {
        ref readonly BlockRequest request = ref slot.Request;
        command.OffsetBytes = request.OffsetBytes;
        command.LengthBytes = request.LengthBytes;
        switch (slot.Step)
        {
            case FileStep.Transfer:
            case FileStep.ZeroByWriting:
                _transfer.Build(slot, ref command);
                return true;
            case FileStep.Clear:
                command.File = _buffered; // on a block device the descriptor that holds the exclusive claim
                command.Operation = slot.ClearOperation = _clearing.OperationOf(request);
                return true;
            case FileStep.Flush:
                command.Operation = FileOperation.Flush;
                return true;
            case FileStep.Unmark:
                _mark!.BuildUnmark(ref command);
                return true;
            case FileStep.Size:
                command.Operation = FileOperation.Size;
                return true;
            case FileStep.Map:
                Check.That(request.MapCapacity > 0);
                command.Operation = FileOperation.Map;
                command.Buffer = request.Buffer;
                command.MapCapacity = (int)request.MapCapacity;
                return true;
            default:
                return false;
        }
    }

    void OnTransferred(ulong key, FileSlot slot, in FileResult result)
    {
        if (!result.IsDone)
            Finish(key, slot, FaultOf(slot, result));
        else if (!_transfer.Take(slot, result.Count, out Fault fault))
            Push(key, slot);
        else if (fault.IsFault)
            Finish(key, slot, fault);
        else
            FinishOrFlush(key, slot);
    }

    void OnCleared(ulong key, FileSlot slot, in FileResult result)
    {
        bool isOnce = result.Outcome == FileOutcome.RefusedHere;
        bool isRefused = isOnce || result.Outcome == FileOutcome.Refused;
        if (result.IsDone)
            FinishOrFlush(key, slot);
        else if (isRefused && (slot.Step = _clearing.AfterRefusal(slot, isOnce)) != FileStep.Finished)
            Push(key, slot);
        else
            Finish(key, slot, isRefused ? RangeClearing.RefusalOf(slot.Request) : FaultOf(slot, result));
    }

    /// <summary>Durable zeroes need a flush of their own; a durable write was one already.</summary>
    void FinishOrFlush(ulong key, FileSlot slot)
    {
        bool needsFlush = slot.Step == FileStep.Clear && (slot.Request.Flags & BlockFlags.Fua) != 0;
        if (!needsFlush)
        {
            Finish(key, slot, Fault.None);
            return;
        }
        slot.Step = FileStep.Flush;
        Push(key, slot);
    }

    /// <summary>None when done.</summary>
    static Fault FaultOf(FileSlot slot, in FileResult result) =>
        result.IsDone ? Fault.None : result.Fault.At(slot.Request.OffsetBytes + slot.DoneBytes);

    void FinishLater(ulong key, FileSlot slot, Fault fault)
    {
        slot.Step = FileStep.Finished;
        slot.Result = new BlockResult(fault);
        _finished.Enqueue(key);
        DeferOnce();
    }

    void Finish(ulong key, FileSlot slot, Fault fault, uint count = 0)
    {
        (IBlockOwner owner, ulong userData) = (slot.Request.Owner, slot.Request.UserData);
        IoLane lane = slot.Request.Lane;
        bool wasWrite = slot.IsWrite;
        _pages.End(slot);
        slot.Step = FileStep.Idle;
        slot.Request = default;
        _slots.Free(key);
        for (uint i = wasWrite ? _pages.WaitingCount : 0; i > 0; i--)
            if (_pages.TryNext(out ulong next, out FileSlot waiting))
                Launch(next, waiting);
        _lanes.End(lane);
        while (
            _lanes.WaitingCount > 0 && _slots.TakenCount < _slots.Capacity && _lanes.TryNext(out BlockRequest request)
        )
            Begin(request);
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

    /// <summary>A block device's last bytes that are no whole sector were left out of its capacity.</summary>
    Fault SizeFault(FileSlot slot, in FileResult result)
    {
        if (!result.IsDone)
            return FaultOf(slot, result);
        ulong sizeBytes = result.Count;
        ulong slackBytes = _isBlockDevice ? Limits.RequestAlignBytes - 1 : 0;
        bool hasKept = sizeBytes >= Limits.CapacityBytes && sizeBytes - Limits.CapacityBytes <= slackBytes;
        return hasKept ? Fault.None : Fault.OfSize(Limits.CapacityBytes, sizeBytes);
    }

    /// <summary>At the open: the file is marked while an image is made in it. Takes the memory.</summary>
    internal void AllowMark() => _mark = new ImageMark(_loop, _buffered, _slots.Capacity, this);

    public void BeginImage(ulong bitmapSerial) => _mark?.Begin(bitmapSerial);

    public void EndImage() => _mark?.End();

    void IMarkedWrites.OnMarked(ulong key, in FileResult result)
    {
        FileSlot slot = _slots.Get(key);
        if (result.IsDone)
            LaunchWhenFree(key, slot);
        else
            Finish(key, slot, FaultOf(slot, result));
    }

    void IMarkedWrites.OnMarkSettled()
    {
        if (_isClosing && InFlightCount == 0)
            Close();
    }

    /// <summary>After a flush: it says that the image is whole.</summary>
    bool IsSealed(FileSlot slot) => _mark != null && (slot.Request.Flags & BlockFlags.Seal) != 0;

    /// <remarks>
    /// Closing a file may block (a server is told of it, the blocks of a nameless file are freed), so a thread of the
    /// file's own does it. Nobody waits on the loop's own thread; others wait a second, which is for files that answer.
    /// </remarks>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        Check.That(InFlightCount == 0 || _loop.HasFailed);
        Close();
    }

    /// <inheritdoc/>
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
        if (_workers == null)
        {
            _onDispose?.Invoke();
            return;
        }
        _workers.Close(_onDispose);
        if (!_loop.MustNotWait)
            _ = _workers.WaitClosed(CloseWaitMs);
    }

    /// <summary>
    /// After a Dispose on the loop's thread: waits until the file is closed as well, with its locks; a second at most,
    /// which only a file takes that does not answer, and then it is left to itself. Threads: any but the loop's.
    /// </summary>
    public void WaitClosed() => _ = _workers?.WaitClosed(CloseWaitMs);
}
