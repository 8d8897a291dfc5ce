// A guest's disk under our watch: the one gate that every write passes, the filters (points in time) and dirty
// bitmaps that watch it, and the quiesced moments in which they change.
//
// A guest write, from any thread:
//   begin   count it in flight, then look: gate open, and no filter protects its clusters?
//           yes: set its bits in the recording bitmaps; it may land. No lock, no allocation, no system call.
//           no:  take the count back and hand it to the reactor in a preallocated slot.
//   wait    the reactor starts the copies it needs, and grants it when no filter protects its clusters any more
//   end     count it out
//
// The race that matters: a point in time is taken while a write is between "look" and "land". The reactor closes
// the gate (store, full fence), then sums the writes in flight; a guest counts itself, then reads the gate. Between
// the two it needs a full fence, too, but does not pay for it: the reactor's fence is one on every thread of the
// process (InFlightCounter has the proof). Wherever it falls in the guest's course, either the guest finds the gate
// closed, or the sum contains it and the reactor waits for its end. So when the sum is zero, every write has wholly
// happened or not begun: that instant is T0, for all disks of a group at once, and filters, copy maps and bitmaps
// change only there.
//
// Grants by the reactor count as in flight from the grant on. Reads never wait. Overlapping writes are ordered by
// nobody, as on real disks.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Pacing;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: BeginWrite, EndWrite and Submit any; the rest the reactor's.</summary>
public sealed partial class Disk : ILoopMember, IDisposable
{
    const int WatchersMax = 64;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly Tracer _trace;
    readonly GuestQueue _guests;
    readonly Absorption? _absorption;
    readonly InFlightCounter _inFlight = new();

    // --- any thread: written by the reactor
    int _closedCount; // the gate: open at 0
    int _readTakerCount;

    // --- any thread that has found the gate open; changed in place while quiesced, when no thread can be there
    readonly IWriteWatcher[] _watchers = new IWriteWatcher[WatchersMax];
    HierarchicalBitmap[] _recording = [];
    MarkedGround? _ground; // of the only watcher
    int _watcherCount;
    int _markerCount;
    int _recordingCount;

    // --- touched only by the reactor's thread
    readonly NamedCollection<DirtyBitmap> _bitmaps = new();
    readonly HashSet<HierarchicalBitmap> _drafts = []; // record beside the bitmaps that they will replace
    bool _isRecordingStale;
    ulong _epoch; // points in time so far

    /// <param name="loop">The reactor that the device belongs to.</param>
    /// <param name="device">The guest's data.</param>
    /// <param name="name">For people and for lookup.</param>
    /// <param name="slotCount">Guest requests that may wait at once, a power of two.</param>
    /// <param name="absorbBytes">Memory for writes that are answered before they land, while a point in time protects
    /// this disk; 0: none. For guests that know a volatile write cache, and hosts that read by this disk only.</param>
    public Disk(IIoLoop loop, IBlockDevice device, string name, uint slotCount = 1024, ulong absorbBytes = 0)
    {
        (_loop, Device, Name) = (loop, device, name);
        CapacityBytes = device.Limits.CapacityBytes;
        _trace = new Tracer(loop, name);
        Pulse = new GuestPulse(_inFlight);
        Changes = new ChangeOrder(loop);
        _absorption = absorbBytes == 0 ? null : new Absorption(absorbBytes, slotCount);
        _guests = new GuestQueue(loop, this, slotCount, _absorption);
        loop.Join(this);
    }

    public string Name { get; }

    /// <summary>The reactor that this disk belongs to.</summary>
    public IIoLoop Loop => _loop;

    public IBlockDevice Device { get; }

    /// <summary>The device's; kept here because every guest write asks for it. Grows in quiesced moments.</summary>
    public ulong CapacityBytes { get; private set; }

    public NamedCollection<DirtyBitmap> Bitmaps => _bitmaps;

    /// <summary>How its guests fare, for whoever loads this disk beside them.</summary>
    public GuestPulse Pulse { get; }

    /// <summary>Guest writes between grant and end, exact while quiesced.</summary>
    public long WritesInFlight => _inFlight.Sum();

    /// <summary>Guest requests that wait for a copy, a quiesced moment or each other.</summary>
    public uint WaitingCount => _guests.WaitingCount;

    /// <summary>Guests' requests that the device has not answered.</summary>
    public uint AtDeviceCount => _guests.Device.Count;

    /// <summary>Guests' writes that have ended so far, exact while quiesced.</summary>
    internal ulong WritesEndedCount => _inFlight.EndedCount;

    /// <summary>The writes of its guests, which may be looked at before a point in time.</summary>
    internal GuestDevice Guests => _guests.Device;

    /// <summary>Hook mode: asks leave to overwrite a range; the host does the I/O.</summary>
    /// <param name="offsetBytes">From the device start, any alignment.</param>
    /// <param name="lengthBytes">May be 0; the sum must not pass the capacity.</param>
    /// <param name="owner">Completed when the answer is Pending.</param>
    /// <param name="userData">Given back with the completion.</param>
    /// <param name="fault">Set when refused: Range, or QueueFull (end some writes, then try again).</param>
    /// <remarks>Threads: any. Granted is wait-free; cost: two plain adds with EndWrite, one read per watcher and
    /// bitmap.</remarks>
    [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveInlining)]
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
        if (isOpen && (_watcherCount | _recordingCount) == 0)
            return Grant.Granted;
        if (isOpen && TryPass(extent))
            return Grant.Granted;
        InFlightCounter.Undo(ref cell, frame);
        return BeginLater(extent, owner, userData, out fault);
    }

    /// <summary>Apart, because the fast path shall not pay for its locals; by value, for the same reason.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    Grant BeginLater(Extent extent, IGuestOwner owner, ulong userData, out Fault fault)
    {
        AfterCountOut();
        GuestRequest request = default;
        request.Operation = BlockOperation.Write;
        (request.OffsetBytes, request.LengthBytes) = (extent.OffsetBytes, extent.LengthBytes);
        (request.Owner, request.UserData) = (owner, userData);
        fault = _guests.Post(request, isHook: true, epoch: 0);
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
        return _guests.Post(request, isHook: true, epoch);
    }

    /// <summary>Device mode: the engine does the I/O.</summary>
    /// <returns>None: one completion will come. Range or QueueFull: none comes.</returns>
    /// <remarks>Threads: any.</remarks>
    public Fault Submit(in GuestRequest request)
    {
        bool isInRange =
            request.Operation == BlockOperation.Flush
            || new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(CapacityBytes);
        return isInRange
            ? _guests.Post(request, isHook: false, epoch: 0)
            : new Fault(FaultKind.Range, 0, request.OffsetBytes);
    }

    /// <summary>On the guest's thread and counted: nothing protects the range, and the bitmaps know of it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    bool TryPass(Extent extent)
    {
        bool isMarked = Volatile.Read(ref _ground) is { } ground && _watcherCount == 1 && ground.Has(extent);
        foreach (IWriteWatcher watcher in isMarked ? default : Watchers)
            if (watcher.Protects(extent))
                return false;
        if (_absorption is { HasSome: true })
            return false; // it may have to land after one of those
        if (!isMarked && _markerCount > 0 && FindWhoCannotMark(extent) != null)
            return false;
        Record(extent);
        return true;
    }

    /// <summary>Where the only watcher lets pass what is marked; null: ask it. Set while all writes are held.</summary>
    internal void SetGround(MarkedGround? ground) => Volatile.Write(ref _ground, ground);

    /// <summary>Has the write marked, last before it passes; else a watcher that it must wait for.</summary>
    internal IWriteWatcher? FindWhoCannotMark(in Extent extent)
    {
        foreach (IWriteWatcher watcher in Watchers)
            if (!watcher.TryMark(extent))
                return watcher;
        return null;
    }

    internal void Record(in Extent extent)
    {
        foreach (HierarchicalBitmap bits in _recording.AsSpan(0, _recordingCount))
            Check.That(bits.Set(extent.OffsetBytes, extent.LengthBytes).IsNone);
    }

    [SkipLocalsInit, MethodImpl(MethodImplOptions.AggressiveInlining)]
    unsafe void CountOut()
    {
        byte here;
        _inFlight.End((ulong)&here); // SAFETY: as above. Either the reactor's sum has it, or this sees the closed gate
        if (Volatile.Read(ref _closedCount) != 0)
            AfterCountOut();
    }

    /// <summary>A granted write of the reactor's own: no guest thread is at it.</summary>
    [SkipLocalsInit]
    internal unsafe void CountIn()
    {
        byte here;
        _ = _inFlight.Begin((ulong)&here); // SAFETY: as above
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    void AfterCountOut()
    {
        if (Volatile.Read(ref _closedCount) != 0)
            _loop.TryPost(Changes, ChangeOrder.PostedArgument); // a full inbox is no loss: the change has a timer
    }

    /// <summary>Who watches this disk now.</summary>
    internal ReadOnlySpan<IWriteWatcher> Watchers => _watchers.AsSpan(0, _watcherCount);

    /// <summary>Adds a watcher to what guest threads see. The disk must be quiesced.</summary>
    /// <returns>Its number: reads that were submitted before have a lower one.</returns>
    internal ulong Attach(IWriteWatcher watcher)
    {
        Check.That(IsQuiesced);
        Check.That(_watcherCount < WatchersMax);
        _watchers[_watcherCount++] = watcher;
        _markerCount += watcher.Marks ? 1 : 0;
        Volatile.Write(ref _readTakerCount, _readTakerCount + (watcher.TakesGuestReads ? 1 : 0));
        Volatile.Write(ref _epoch, _epoch + 1);
        return _epoch;
    }

    /// <summary>Takes a watcher out. The disk must be quiesced.</summary>
    internal void Detach(IWriteWatcher watcher)
    {
        Check.That(IsQuiesced);
        int index = 0;
        while (!ReferenceEquals(_watchers[index], watcher))
            Check.That(++index < _watcherCount);
        _watchers[index] = _watchers[--_watcherCount];
        Volatile.Write(ref _readTakerCount, _readTakerCount - (watcher.TakesGuestReads ? 1 : 0));
        _watchers[_watcherCount] = null!;
        _markerCount -= watcher.Marks ? 1 : 0;
        SchedulePump();
    }

    /// <summary>A watcher takes what guests read: offering a read is worth the way. Threads: any.</summary>
    public bool WantsReads => Volatile.Read(ref _readTakerCount) > 0;

    /// <summary>Those who watch this disk: points in time, a tracker.</summary>
    public uint WatcherCount => (uint)_watcherCount;

    /// <summary>How many more points in time can watch this disk.</summary>
    public uint FilterRoom => (uint)(WatchersMax - _watcherCount);

    /// <summary>
    /// "Must read, may back up". A read that was under way at a point in time may have older data than that: writes
    /// which ended before it may have passed it. One submitted later has what it was at T0, wherever its clusters are
    /// still to be copied: until then no write lands there.
    /// </summary>
    /// <param name="read">Its range and memory.</param>
    /// <param name="epoch">What <see cref="ReadEpoch"/> was before it was submitted.</param>
    internal unsafe void OfferToWatchers(in GuestRequest read, ulong epoch)
    {
        if (read.LengthBytes > int.MaxValue)
            return;
        // From the back, by index: a copy may be a job's last, and take its filter off here and now.
        for (int i = _watcherCount - 1; i >= 0; i--)
        {
            if (i >= _watcherCount)
                continue;
            IWriteWatcher watcher = _watchers[i];
            if (epoch < watcher.Epoch)
                continue;
            // SAFETY: the guest's memory, ours until the completion.
            ReadOnlySpan<byte> bytes = new((void*)read.Buffer, (int)read.LengthBytes);
            watcher.Offer(new Extent(read.OffsetBytes, read.LengthBytes), bytes);
        }
    }

    /// <summary>A guest was told that it has written there, and the device has not got it yet.</summary>
    public bool HasAbsorbed(in Extent extent) => _absorption?.Overlaps(extent) == true;

    /// <summary>Looks at the waiting requests again: something was released, freed or opened.</summary>
    internal void SchedulePump() => _guests.SchedulePump();

    /// <summary>Tells the writes that wait for this range that their old data cannot be saved.</summary>
    internal void FailWaiting(in Extent extent, Fault fault) => _guests.FailWaiting(extent, fault);

    public DirtyBitmap? FindBitmap(string name) => _bitmaps.Find(name);

    /// <summary>Adds a bitmap; it records from this quiesced moment on.</summary>
    public void Add(DirtyBitmap bitmap)
    {
        Check.That(IsQuiesced);
        Check.That(FindBitmap(bitmap.Name) == null);
        Check.That(bitmap.SizeBytes == CapacityBytes);
        _bitmaps.Add(bitmap.Name, bitmap);
        RefreshRecording();
    }

    /// <summary>Takes a bitmap off; the caller owns it again.</summary>
    public void Remove(DirtyBitmap bitmap)
    {
        Check.That(IsQuiesced);
        Check.That(!bitmap.IsBusy);
        Check.That(ReferenceEquals(FindBitmap(bitmap.Name), bitmap));
        _bitmaps.Remove(bitmap.Name);
        RefreshRecording();
    }

    /// <summary>Makes a bitmap clean that is not busy. Cost: O(1) if its spare bits are clean.</summary>
    public void Clear(DirtyBitmap bitmap)
    {
        Check.That(IsQuiesced);
        Check.That(ReferenceEquals(FindBitmap(bitmap.Name), bitmap));
        bitmap.ClearByExchange();
        RefreshRecording();
    }

    /// <summary>It has grown, with its bitmaps; its device has before.</summary>
    internal void SetCapacity(ulong sizeBytes)
    {
        Check.That(IsQuiesced);
        Check.That(sizeBytes >= CapacityBytes);
        Check.That(sizeBytes <= Device.Limits.CapacityBytes);
        CapacityBytes = sizeBytes;
        RefreshRecording();
    }

    /// <summary>Bits that record every write, too. The disk must be quiesced.</summary>
    internal void AddDraft(HierarchicalBitmap bits)
    {
        Check.That(_drafts.Add(bits));
        RefreshRecording();
    }

    internal void RemoveDraft(HierarchicalBitmap bits)
    {
        Check.That(_drafts.Remove(bits));
        RefreshRecording();
    }

    /// <summary>
    /// After any change of what a bitmap records: freeze, thaw, enable, disable. The disk must be quiesced;
    /// however often it is called in one moment, the list is made once, at its end.
    /// </summary>
    public void RefreshRecording()
    {
        Check.That(IsQuiesced);
        _isRecordingStale = true;
    }

    /// <summary>The moment ends: what writes set from here on.</summary>
    void ListRecording()
    {
        _isRecordingStale = false;
        int countMax = _bitmaps.Count + _drafts.Count;
        if (_recording.Length < countMax)
            _recording = new HierarchicalBitmap[countMax * 2];
        int countBefore = _recordingCount;
        _recordingCount = 0;
        foreach (DirtyBitmap bitmap in _bitmaps)
            if (bitmap.Recording is { } bits)
                _recording[_recordingCount++] = bits;
        foreach (HierarchicalBitmap draft in _drafts)
            _recording[_recordingCount++] = draft;
        if (_recordingCount < countBefore)
            Array.Clear(_recording, _recordingCount, countBefore - _recordingCount); // what is gone is kept by nobody
    }

    public void Dispose()
    {
        Check.That(WaitingCount == 0);
        Check.That(_watcherCount == 0);
        _loop.Leave(this);
        _absorption?.Dispose();
        foreach (DirtyBitmap bitmap in _bitmaps)
            bitmap.Dispose();
    }

    /// <summary>
    /// A bug has stopped the reactor. Guests go on: nothing protects any more and the gate stays open; hook-mode writes
    /// that wait may land; device-mode requests fail, because no device answers. The bitmaps go on recording.
    /// </summary>
    void ILoopMember.OnLoopFailed()
    {
        Fault bug = new(FaultKind.Bug);
        for (int i = _watcherCount - 1; i >= 0; i--)
            _watchers[i].GiveUp(bug);
        Volatile.Write(ref _closedCount, 0);
        _guests.AbandonAll();
    }
}
