// A guest's disk under our watch: the one gate that every write passes, the filters (points in time) and dirty
// bitmaps that watch it, and the quiesced moments in which they change.
//
// A guest write, from any thread:
//   begin   count it in flight (a full fence), then look: gate open, and no filter protects its clusters?
//           yes: set its bits in the recording bitmaps; it may land. No lock, no allocation, no system call.
//           no:  take the count back and hand it to the reactor in a preallocated slot.
//   wait    the reactor starts the copies it needs, and grants it when no filter protects its clusters any more
//   end     count it out
//
// The race that matters: a point in time is taken while a write is between "look" and "land". The reactor closes
// the gate (store, full fence), then sums the writes in flight; a guest counts itself (full fence), then reads
// the gate. Whoever's fence is second sees the other: either the guest finds the gate closed, or the sum contains
// it and the reactor waits for its end. So when the sum is zero, every write has wholly happened or not begun:
// that instant is T0, for all disks of a group at once, and filters, copy maps and bitmaps change only there.
//
// Grants by the reactor count as in flight from the grant on. Reads never wait. Overlapping writes are ordered by
// nobody, as on real disks, except that an unaligned device-mode write excludes others from its pages (the kernel
// completes it by reading and writing the whole page).
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;
using FastBackup.Memory;

namespace FastBackup.Filter;

/// <summary>Threads: BeginWrite, EndWrite and Submit any; the rest the reactor's.</summary>
public sealed partial class Disk : IDisposable
{
    /// <summary>What guest threads see, swapped as a whole while the disk is quiesced.</summary>
    sealed record Watch(CopyBeforeWriteFilter[] Filters, HierarchicalBitmap[] Recording);

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly Tracer _trace;
    readonly GuestSlot[] _slots;
    readonly ConcurrentRing<uint> _freeSlots;
    readonly InFlightCounter _inFlight = new();

    // --- any thread: written by the reactor
    Watch _watch = new([], []);
    int _closedCount; // the gate: open at 0

    // --- touched only by the reactor's thread
    readonly List<DirtyBitmap> _bitmaps = [];
    GuestSlot? _firstWaiting;
    GuestSlot? _lastWaiting;
    bool _isPumpDeferred;

    /// <param name="loop">The reactor that the device belongs to.</param>
    /// <param name="device">The guest's data.</param>
    /// <param name="name">For people and for lookup.</param>
    /// <param name="slotCount">Guest requests that may wait at once, a power of two.</param>
    public Disk(IIoLoop loop, IBlockDevice device, string name, uint slotCount = 1024)
    {
        (_loop, Device, Name) = (loop, device, name);
        _trace = new Tracer(loop, name);
        _atDeviceMax = Math.Max(1, device.Limits.InFlightMax / 2);
        _slots = new GuestSlot[slotCount];
        _freeSlots = new ConcurrentRing<uint>(slotCount);
        for (uint i = 0; i < slotCount; i++)
        {
            _slots[i] = new GuestSlot(this, i);
            Check.That(_freeSlots.TryPut(i));
        }
        _pump = new Pump(this);
        _deviceSide = new DeviceSide(this);
    }

    public string Name { get; }

    /// <summary>The reactor that this disk belongs to.</summary>
    public IIoLoop Loop => _loop;

    public IBlockDevice Device { get; }

    public ulong CapacityBytes => Device.Limits.CapacityBytes;

    public IReadOnlyList<DirtyBitmap> Bitmaps => _bitmaps;

    /// <summary>Guest writes between grant and end, exact while quiesced.</summary>
    public long WritesInFlight => _inFlight.Sum();

    /// <summary>Guest requests that wait for a copy, a quiesced moment or each other.</summary>
    public uint WaitingCount { get; private set; }

    public DirtyBitmap? FindBitmap(string name)
    {
        foreach (DirtyBitmap bitmap in _bitmaps)
            if (bitmap.Name == name)
                return bitmap;
        return null;
    }

    /// <summary>Adds a filter to what guest threads see. The disk must be quiesced.</summary>
    internal void Attach(CopyBeforeWriteFilter filter)
    {
        Check.That(IsQuiesced);
        _watch = _watch with { Filters = [.. _watch.Filters, filter] };
    }

    /// <summary>Takes a filter out. The disk must be quiesced.</summary>
    internal void Detach(CopyBeforeWriteFilter filter)
    {
        Check.That(IsQuiesced);
        int index = Array.IndexOf(_watch.Filters, filter);
        Check.That(index >= 0);
        List<CopyBeforeWriteFilter> filters = [.. _watch.Filters];
        filters.RemoveAt(index);
        _watch = _watch with { Filters = [.. filters] };
        SchedulePump();
    }

    /// <summary>Adds a bitmap; it records from this quiesced moment on.</summary>
    public void Add(DirtyBitmap bitmap)
    {
        Check.That(IsQuiesced);
        Check.That(FindBitmap(bitmap.Name) == null);
        Check.That(bitmap.SizeBytes == CapacityBytes);
        _bitmaps.Add(bitmap);
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

    /// <summary>After any change of what a bitmap records: freeze, thaw, enable, disable. The disk must be quiesced.</summary>
    public void RefreshRecording()
    {
        Check.That(IsQuiesced);
        List<HierarchicalBitmap> recording = [];
        foreach (DirtyBitmap bitmap in _bitmaps)
            if (bitmap.Recording is { } bits)
                recording.Add(bits);
        _watch = _watch with { Recording = [.. recording] };
    }

    public void Dispose()
    {
        Check.That(WaitingCount == 0);
        Check.That(_watch.Filters.Length == 0);
        foreach (DirtyBitmap bitmap in _bitmaps)
            bitmap.Dispose();
    }
}
