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
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Memory;

namespace FastBackup.Filter;

/// <summary>Threads: BeginWrite, EndWrite and Submit any; the rest the reactor's.</summary>
public sealed partial class Disk : ILoopMember, IDisposable
{
    const int FiltersMax = 64;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly Tracer _trace;
    readonly GuestSlot[] _slots;
    readonly ConcurrentRing<uint> _freeSlots;
    readonly InFlightCounter _inFlight = new();

    // --- any thread: written by the reactor
    int _closedCount; // the gate: open at 0
    int _readTakerCount;

    // --- any thread that has found the gate open; changed in place while quiesced, when no thread can be there
    readonly CopyBeforeWriteFilter[] _filters = new CopyBeforeWriteFilter[FiltersMax];
    HierarchicalBitmap[] _recording = [];
    int _filterCount;
    int _recordingCount;

    // --- touched only by the reactor's thread
    readonly List<DirtyBitmap> _bitmaps = [];
    GuestSlot? _firstWaiting;
    GuestSlot? _lastWaiting;
    bool _isPumpDeferred;
    ulong _epoch; // points in time so far

    /// <param name="loop">The reactor that the device belongs to.</param>
    /// <param name="device">The guest's data.</param>
    /// <param name="name">For people and for lookup.</param>
    /// <param name="slotCount">Guest requests that may wait at once, a power of two.</param>
    public Disk(IIoLoop loop, IBlockDevice device, string name, uint slotCount = 1024)
    {
        (_loop, Device, Name) = (loop, device, name);
        CapacityBytes = device.Limits.CapacityBytes;
        _trace = new Tracer(loop, name);
        _atDeviceMax = Math.Max(1, device.Limits.InFlightMax / 2);
        _slots = new GuestSlot[slotCount];
        _freeSlots = new ConcurrentRing<uint>(slotCount);
        for (uint i = 0; i < slotCount; i++)
        {
            _slots[i] = new GuestSlot(this, i);
            _freeSlots.Put(i);
        }
        Pulse = new GuestPulse(_inFlight);
        _pump = new Pump(this);
        _deviceSide = new DeviceSide(this);
        loop.Join(this);
    }

    public string Name { get; }

    /// <summary>The reactor that this disk belongs to.</summary>
    public IIoLoop Loop => _loop;

    public IBlockDevice Device { get; }

    /// <summary>The device's, which is fixed: kept here because every guest write asks for it.</summary>
    public ulong CapacityBytes { get; }

    public IReadOnlyList<DirtyBitmap> Bitmaps => _bitmaps;

    /// <summary>How its guests fare, for whoever loads this disk beside them.</summary>
    public GuestPulse Pulse { get; }

    /// <summary>Guest writes between grant and end, exact while quiesced.</summary>
    public long WritesInFlight => _inFlight.Sum();

    /// <summary>A quiesced moment is being waited for, or is now: writes wait.</summary>
    public bool IsGateClosed => Volatile.Read(ref _closedCount) > 0;

    /// <summary>Guest requests that wait for a copy, a quiesced moment or each other.</summary>
    public uint WaitingCount { get; private set; }

    public DirtyBitmap? FindBitmap(string name)
    {
        foreach (DirtyBitmap bitmap in _bitmaps)
            if (bitmap.Name == name)
                return bitmap;
        return null;
    }

    ReadOnlySpan<CopyBeforeWriteFilter> Filters => _filters.AsSpan(0, _filterCount);

    /// <summary>Adds a filter to what guest threads see. The disk must be quiesced.</summary>
    /// <returns>Its number: reads that were submitted before have a lower one.</returns>
    internal ulong Attach(CopyBeforeWriteFilter filter)
    {
        Check.That(IsQuiesced);
        Check.That(_filterCount < FiltersMax);
        _filters[_filterCount++] = filter;
        Volatile.Write(ref _readTakerCount, _readTakerCount + (filter.TakesGuestReads ? 1 : 0));
        Volatile.Write(ref _epoch, _epoch + 1);
        return _epoch;
    }

    /// <summary>Takes a filter out. The disk must be quiesced.</summary>
    internal void Detach(CopyBeforeWriteFilter filter)
    {
        Check.That(IsQuiesced);
        int index = 0;
        while (!ReferenceEquals(_filters[index], filter))
            Check.That(++index < _filterCount);
        _filters[index] = _filters[--_filterCount];
        Volatile.Write(ref _readTakerCount, _readTakerCount - (filter.TakesGuestReads ? 1 : 0));
        _filters[_filterCount] = null!;
        SchedulePump();
    }

    /// <summary>A point in time takes what guests read: offering a read is worth the way. Threads: any.</summary>
    public bool WantsReads => Volatile.Read(ref _readTakerCount) > 0;

    /// <summary>Guests' requests that the device has not answered.</summary>
    public uint AtDeviceCount => _atDeviceCount;

    /// <summary>How many more points in time can watch this disk.</summary>
    public uint FilterRoom => (uint)(FiltersMax - _filterCount);

    /// <summary>Adds a bitmap; it records from this quiesced moment on.</summary>
    public void Add(DirtyBitmap bitmap)
    {
        Check.That(IsQuiesced);
        Check.That(FindBitmap(bitmap.Name) == null);
        Check.That(bitmap.SizeBytes == CapacityBytes);
        _bitmaps.Add(bitmap);
        if (_recording.Length < _bitmaps.Count)
            _recording = new HierarchicalBitmap[_bitmaps.Count * 2];
        RefreshRecording();
    }

    /// <summary>Takes a bitmap off; the caller owns it again.</summary>
    public void Remove(DirtyBitmap bitmap)
    {
        Check.That(IsQuiesced);
        Check.That(!bitmap.IsBusy);
        Check.That(_bitmaps.Remove(bitmap));
        RefreshRecording();
    }

    /// <summary>
    /// After any change of what a bitmap records: freeze, thaw, enable, disable. The disk must be quiesced.
    /// </summary>
    public void RefreshRecording()
    {
        Check.That(IsQuiesced);
        _recordingCount = 0;
        foreach (DirtyBitmap bitmap in _bitmaps)
            if (bitmap.Recording is { } bits)
                _recording[_recordingCount++] = bits;
    }

    public void Dispose()
    {
        Check.That(WaitingCount == 0);
        Check.That(_filterCount == 0);
        _loop.Leave(this);
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
        for (int i = _filterCount - 1; i >= 0; i--)
            _filters[i].Break(bug);
        Volatile.Write(ref _closedCount, 0);
        foreach (GuestSlot slot in _slots)
            if (slot.Step != GuestSlot.Phase.Free)
                Abandon(slot);
    }

    /// <summary>Answers a request that no reactor will serve.</summary>
    internal void Abandon(GuestSlot slot)
    {
        if (slot.Step == GuestSlot.Phase.Free)
            return;
        if (slot.Step == GuestSlot.Phase.Waiting)
            Unlink(slot);
        if (slot.IsHook && slot.IsWrite)
        {
            Record(slot.Extent);
            CountIn();
        }
        (IGuestOwner owner, ulong userData, bool isHook) = (slot.Request.Owner, slot.Request.UserData, slot.IsHook);
        Free(slot);
        owner.OnGuestCompleted(userData, isHook ? Fault.None : new Fault(FaultKind.Bug));
    }
}
