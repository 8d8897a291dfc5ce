// The guest's side of a disk: the fast path on any thread, and the reactor's handling of what must wait.
using System;
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;

namespace FastBackup.Filter;

public sealed partial class Disk
{
    const ulong ArriveArgument = 0;
    const ulong ExpireArgument = 1;

    readonly Pump _pump;
    readonly DeviceSide _deviceSide;
    readonly uint _atDeviceMax; // the rest of what the device accepts is for jobs and snapshot readers
    uint _atDeviceCount;

    /// <summary>Hook mode: asks leave to overwrite a range; the host does the I/O.</summary>
    /// <param name="offsetBytes">From the device start, any alignment.</param>
    /// <param name="lengthBytes">May be 0; the sum must not pass the capacity.</param>
    /// <param name="owner">Completed when the answer is Pending.</param>
    /// <param name="userData">Given back with the completion.</param>
    /// <param name="fault">Set when refused: Range, or QueueFull (end some writes, then try again).</param>
    /// <remarks>Threads: any. Granted is wait-free; cost: two plain adds with EndWrite, one read per filter and
    /// bitmap.</remarks>
    [SkipLocalsInit]
    public unsafe Grant BeginWrite(
        ulong offsetBytes,
        ulong lengthBytes,
        IGuestOwner owner,
        ulong userData,
        out Fault fault
    )
    {
        byte here;
        ulong frame = (ulong)&here; // SAFETY: an address to compare with, never used as one
        fault = default;
        Extent extent = new(offsetBytes, lengthBytes);
        if (!extent.IsWithin(CapacityBytes))
        {
            fault = new Fault(FaultKind.Range, 0, offsetBytes);
            return Grant.Refused;
        }
        ref InFlightCounter.Cell cell = ref _inFlight.Begin(frame); // "I am here" before "is the gate open"
        bool isOpen = Volatile.Read(ref _closedCount) == 0;
        if (isOpen && (_filterCount | _recordingCount) == 0)
            return Grant.Granted;
        if (isOpen && TryPass(extent))
            return Grant.Granted;
        InFlightCounter.Undo(ref cell, frame);
        return BeginLater(extent, owner, userData, out fault);
    }

    /// <summary>Apart, because the fast path shall not pay for its locals.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    Grant BeginLater(in Extent extent, IGuestOwner owner, ulong userData, out Fault fault)
    {
        AfterCountOut();
        GuestRequest request = default;
        request.Operation = BlockOperation.Write;
        (request.OffsetBytes, request.LengthBytes) = (extent.OffsetBytes, extent.LengthBytes);
        (request.Owner, request.UserData) = (owner, userData);
        fault = Post(request, isHook: true);
        return fault.IsNone ? Grant.Pending : Grant.Refused;
    }

    /// <summary>Hook mode: the write that was granted has landed, or failed. Threads: any, wait-free.</summary>
    public void EndWrite() => CountOut();

    /// <summary>Hook mode: to be asked before the host reads what it may offer. Threads: any, wait-free.</summary>
    public ulong ReadEpoch => Volatile.Read(ref _epoch);

    /// <summary>
    /// Hook mode: what the host has read from its disk may be backed up from its memory. A hint.
    /// </summary>
    /// <param name="epoch">What <see cref="ReadEpoch"/> was before the read was submitted.</param>
    /// <param name="read">Range and memory; the memory is ours until the completion.</param>
    /// <returns>None: one completion will come. Range or QueueFull: none comes.</returns>
    /// <remarks>Threads: any.</remarks>
    public Fault OfferRead(ulong epoch, in GuestRequest read)
    {
        if (!new Extent(read.OffsetBytes, read.LengthBytes).IsWithin(CapacityBytes))
            return new Fault(FaultKind.Range, 0, read.OffsetBytes);
        GuestRequest request = read;
        request.Operation = BlockOperation.Read;
        return Post(request, isHook: true, epoch);
    }

    /// <summary>Device mode: the engine does the I/O.</summary>
    /// <returns>None: one completion will come. Range or QueueFull: none comes.</returns>
    /// <remarks>Threads: any.</remarks>
    public Fault Submit(in GuestRequest request)
    {
        bool isInRange =
            request.Operation == BlockOperation.Flush
            || new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(CapacityBytes);
        return isInRange ? Post(request, isHook: false) : new Fault(FaultKind.Range, 0, request.OffsetBytes);
    }

    /// <summary>On the guest's thread and counted: nothing protects the range, and the bitmaps know of it.</summary>
    bool TryPass(in Extent extent)
    {
        foreach (CopyBeforeWriteFilter filter in Filters)
            if (filter.Protects(extent))
                return false;
        Record(extent);
        return true;
    }

    void Record(in Extent extent)
    {
        foreach (HierarchicalBitmap bits in _recording.AsSpan(0, _recordingCount))
            Check.That(bits.Set(extent.OffsetBytes, extent.LengthBytes).IsNone);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    unsafe void CountOut()
    {
        byte here;
        _inFlight.End((ulong)&here); // SAFETY: as above. Either the reactor's sum has it, or this sees the closed gate
        if (Volatile.Read(ref _closedCount) != 0)
            AfterCountOut();
    }

    /// <summary>A granted write of the reactor's own: no guest thread is at it.</summary>
    [SkipLocalsInit]
    unsafe void CountIn()
    {
        byte here;
        _ = _inFlight.Begin((ulong)&here); // SAFETY: as above
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    void AfterCountOut()
    {
        if (Volatile.Read(ref _closedCount) != 0)
            _loop.TryPost(_quiesceCheck, 0); // a full inbox is no loss: the quiesce looks again by its timer
    }

    Fault Post(in GuestRequest request, bool isHook, ulong epoch = 0)
    {
        if (!_freeSlots.TryTake(out uint index))
            return new Fault(FaultKind.QueueFull);
        GuestSlot slot = _slots[index];
        slot.Request = request;
        slot.IsHook = isHook;
        slot.Epoch = epoch;
        slot.Step = GuestSlot.Phase.Arrived;
        if (_loop.TryPost(slot, ArriveArgument))
            return Fault.None;
        Free(slot);
        return new Fault(FaultKind.QueueFull);
    }

    internal void OnArrived(GuestSlot slot)
    {
        slot.ArrivedNs = _loop.Clock.NowNs;
        slot.HeldBy = null;
        if (slot.IsHook && slot.Request.Operation == BlockOperation.Read)
        {
            OfferRead(slot);
            Answer(slot, Fault.None);
            return;
        }
        slot.WasQuiet = !Pulse.IsLoaded;
        Pulse.Arrive(slot.ArrivedNs);
        if (!slot.IsWrite)
        {
            if (HasRoom(slot))
                SubmitToDevice(slot, slot.ArrivedNs);
            else
                Wait(slot);
            return;
        }
        if (_closedCount == 0 && MayLand(slot))
            Land(slot, slot.ArrivedNs);
        else
            Wait(slot);
    }

    /// <summary>Whether the write may land now; starts the copies that it needs before.</summary>
    bool MayLand(GuestSlot slot)
    {
        Extent extent = slot.Extent;
        bool isFree = true;
        bool isSmallDiscard = slot.Request is { Operation: BlockOperation.Discard, LengthBytes: < 4096 };
        if (isSmallDiscard && Planted.Is(PlantedBug.R38SmallDiscardBreaks))
            foreach (CopyBeforeWriteFilter filter in Filters)
                filter.Break(new Fault(FaultKind.Io, Errnos.EIO));
        foreach (CopyBeforeWriteFilter filter in Filters)
        {
            if (filter.TryClear(extent)) // all of them: the copies run side by side
                continue;
            isFree = false;
            slot.HeldBy = filter;
        }
        return isFree && HasRoom(slot);
    }

    bool HasRoom(GuestSlot slot) => slot.IsHook || _atDeviceCount < _atDeviceMax;

    void Land(GuestSlot slot, ulong nowNs)
    {
        _trace.Emit(TracePoint.Grant, slot.Extent);
        slot.HeldBy?.GuestWaits.Add(nowNs - slot.ArrivedNs);
        if (!Planted.Is(PlantedBug.R59SlowWriteNotRecorded))
            Record(slot.Extent);
        if (!IsUncounted(slot))
            CountIn();
        CancelTimer(slot);
        if (!slot.IsHook)
        {
            SubmitToDevice(slot, nowNs);
            return;
        }
        if (slot.HeldBy != null)
            Pulse.SampleWait(slot.ArrivedNs, nowNs, slot.WasQuiet);
        Complete(slot, Fault.None, nowNs);
    }

    static bool IsUncounted(GuestSlot slot) =>
        slot.Request.Operation == BlockOperation.Discard && Planted.Is(PlantedBug.R37DiscardNotCounted);

    void SubmitToDevice(GuestSlot slot, ulong nowNs)
    {
        slot.Step = GuestSlot.Phase.AtDevice;
        slot.Epoch = _epoch;
        slot.SubmittedNs = nowNs;
        _atDeviceCount++;
        BlockRequest request = default;
        request.Operation = slot.Request.Operation;
        request.Flags = slot.Request.Flags;
        request.OffsetBytes = slot.Request.OffsetBytes;
        request.LengthBytes = slot.Request.LengthBytes;
        request.Buffer = slot.Request.Buffer;
        request.Owner = _deviceSide;
        request.UserData = slot.Index;
        Device.Submit(request);
    }

    void OnDeviceDone(GuestSlot slot, Fault fault)
    {
        Check.That(slot.Step == GuestSlot.Phase.AtDevice);
        _atDeviceCount--;
        SchedulePump(); // others may wait for room at the device, or for this one's pages
        if (slot.IsWrite)
        {
            if (!IsUncounted(slot))
                CountOut();
        }
        ulong nowNs = _loop.Clock.NowNs;
        bool isTransfer = slot.Request.Operation is BlockOperation.Read or BlockOperation.Write;
        if (isTransfer && fault.IsNone)
            Pulse.Sample(
                slot.Request.Operation == BlockOperation.Write,
                slot.Request.LengthBytes,
                slot.ArrivedNs,
                slot.SubmittedNs,
                nowNs,
                slot.WasQuiet
            );
        if (slot.Request.Operation == BlockOperation.Read && fault.IsNone && slot.Request.LengthBytes > 0)
            OfferRead(slot);
        Complete(slot, fault, nowNs);
    }

    /// <summary>
    /// "Must read, may back up". A read that was under way at a point in time may have older data than that: writes
    /// which ended before it may have passed it. One submitted later has what it was at T0, wherever its clusters are
    /// still to be copied: until then no write lands there.
    /// </summary>
    unsafe void OfferRead(GuestSlot slot)
    {
        // From the back, by index: a copy may be a job's last, and take its filter off here and now.
        for (int i = _filterCount - 1; i >= 0; i--)
        {
            if (i >= _filterCount)
                continue;
            CopyBeforeWriteFilter filter = _filters[i];
            bool isOlder = slot.Epoch < filter.Epoch && !Planted.Is(PlantedBug.OfferedReadOlderThanPointInTime);
            if (isOlder || slot.Request.LengthBytes > int.MaxValue)
                continue;
            // SAFETY: the guest's memory, ours until the completion.
            ReadOnlySpan<byte> bytes = new((void*)slot.Request.Buffer, (int)slot.Request.LengthBytes);
            filter.Offer(slot.Extent, bytes);
        }
    }

    void Wait(GuestSlot slot)
    {
        _trace.Emit(TracePoint.CbwWait, slot.Extent, _closedCount > 0 ? 1 : 0);
        slot.Step = GuestSlot.Phase.Waiting;
        slot.Previous = _lastWaiting;
        slot.Next = null;
        if (_lastWaiting == null)
            _firstWaiting = slot;
        else
            _lastWaiting.Next = slot;
        _lastWaiting = slot;
        WaitingCount++;
        StartWaitTimer(slot);
    }

    void Unlink(GuestSlot slot)
    {
        Check.That(slot.Step == GuestSlot.Phase.Waiting);
        if (slot.Previous == null)
            _firstWaiting = slot.Next;
        else
            slot.Previous.Next = slot.Next;
        if (slot.Next == null)
            _lastWaiting = slot.Previous;
        else
            slot.Next.Previous = slot.Previous;
        (slot.Previous, slot.Next) = (null, null);
        WaitingCount--;
    }

    /// <summary>
    /// Sets the timer to the first deadline of the filters that this write waits for. Asked again whenever the
    /// write is looked at: a filter may have come since, or one with a shorter limit.
    /// </summary>
    void StartWaitTimer(GuestSlot slot)
    {
        if (!slot.IsWrite)
            return;
        ulong deadlineNs = ulong.MaxValue;
        foreach (CopyBeforeWriteFilter filter in Filters)
            if (filter.Protects(slot.Extent))
                deadlineNs = Math.Min(deadlineNs, filter.WaitDeadlineNs(slot.ArrivedNs));
        if (slot.TimerKey != 0 && slot.TimerDeadlineNs <= deadlineNs)
            return; // at worst it fires early, and is set anew then
        CancelTimer(slot);
        if (deadlineNs == ulong.MaxValue)
            return;
        slot.TimerDeadlineNs = deadlineNs;
        slot.TimerKey = _loop.StartTimer(deadlineNs, slot, ExpireArgument);
    }

    internal void OnWaitExpired(GuestSlot slot)
    {
        slot.TimerKey = 0;
        if (slot.Step != GuestSlot.Phase.Waiting)
            return;
        ulong nowNs = _loop.Clock.NowNs;
        Fault fault = new(FaultKind.TimedOut, Errnos.ETIMEDOUT, slot.Request.OffsetBytes);
        // From the back, by index: giving a snapshot up may end its job here and now, and take its filter off.
        for (int i = _filterCount - 1; i >= 0; i--)
        {
            if (i >= _filterCount)
                continue;
            CopyBeforeWriteFilter filter = _filters[i];
            if (!filter.Protects(slot.Extent) || filter.WaitDeadlineNs(slot.ArrivedNs) > nowNs)
                continue;
            _trace.Emit(TracePoint.CbwTimeout, slot.Extent);
            if (!filter.FailGuest(fault))
                continue;
            Deny(slot, fault);
            return;
        }
        StartWaitTimer(slot); // another filter, with a longer limit
        SchedulePump();
    }

    /// <summary>Tells the writes that wait for these clusters that their old data cannot be saved.</summary>
    internal void FailWaiting(in Extent extent, Fault fault)
    {
        for (GuestSlot? slot = _firstWaiting; slot != null; )
        {
            GuestSlot? next = slot.Next;
            bool hasBytes = slot.IsWrite && !slot.Extent.IsEmpty; // else it waits for a gate or for room only
            if (hasBytes && slot.Extent.Overlaps(extent))
                Deny(slot, fault);
            slot = next;
        }
    }

    void Deny(GuestSlot slot, Fault fault)
    {
        _trace.Emit(TracePoint.Deny, slot.Extent, fault.Errno);
        ulong nowNs = _loop.Clock.NowNs;
        slot.HeldBy?.GuestWaits.Add(nowNs - slot.ArrivedNs);
        Unlink(slot);
        Complete(slot, fault, nowNs);
    }

    /// <summary>Looks at the waiting writes again in the next turn: something was released, freed or opened.</summary>
    internal void SchedulePump()
    {
        if (_isPumpDeferred || _firstWaiting == null)
            return;
        _isPumpDeferred = true;
        _loop.Defer(_pump, 0);
    }

    void PumpWaiting()
    {
        _isPumpDeferred = false;
        for (GuestSlot? slot = _firstWaiting; slot != null; )
        {
            GuestSlot? next = slot.Next;
            if (!slot.IsWrite)
                PumpRead(slot);
            else if (_closedCount == 0)
                PumpWrite(slot);
            slot = next;
        }
    }

    /// <summary>Reads and flushes wait for room at the device, never for a gate.</summary>
    void PumpRead(GuestSlot slot)
    {
        if (!HasRoom(slot))
            return;
        Unlink(slot);
        SubmitToDevice(slot, _loop.Clock.NowNs);
    }

    void PumpWrite(GuestSlot slot)
    {
        if (MayLand(slot))
        {
            Unlink(slot);
            Land(slot, _loop.Clock.NowNs);
        }
        else if (!Planted.Is(PlantedBug.WaitTimerMissing))
        {
            StartWaitTimer(slot);
        }
    }

    void Complete(GuestSlot slot, Fault fault, ulong nowNs)
    {
        CancelTimer(slot);
        Pulse.Depart(slot.ArrivedNs, nowNs);
        Answer(slot, fault);
    }

    void Answer(GuestSlot slot, Fault fault)
    {
        (IGuestOwner owner, ulong userData) = (slot.Request.Owner, slot.Request.UserData);
        Free(slot);
        owner.OnGuestCompleted(userData, fault);
    }

    void CancelTimer(GuestSlot slot)
    {
        if (slot.TimerKey != 0)
            _loop.CancelTimer(slot.TimerKey);
        slot.TimerKey = 0;
    }

    void Free(GuestSlot slot)
    {
        slot.Request = default;
        slot.Step = GuestSlot.Phase.Free;
        _freeSlots.Put(slot.Index);
    }

    sealed class Pump(Disk disk) : ILoopTask
    {
        public void Run(ulong argument) => disk.PumpWaiting();
    }

    sealed class DeviceSide(Disk disk) : IBlockOwner
    {
        public void OnBlockCompleted(ulong userData, in BlockResult result) =>
            disk.OnDeviceDone(disk._slots[userData], result.Fault);
    }
}
