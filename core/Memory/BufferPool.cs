// All I/O memory of an engine: one resident region, cut into units, rented as contiguous runs of them. A small copy
// holds a unit, a large one a whole buffer (the longest run), and what is free is one number for both: that is what
// makes the limit hard and the accounting exact. The whole region can be registered with a ring once.
// A lease is a place and a generation; a stale one is an invariant failure, not a wild write.
//
// What comes back only when somebody else gets memory is rented to be kept: never so much that no whole buffer is free
// beside it, nor that the upper half of the pool has none. So when all that comes back by itself has come back, there
// is a buffer for whoever needs one, and nobody waits in a circle.
//
// Cost: see UnitRuns; a rent in a pool that is mostly free reads one word. Nothing is allocated after construction.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>A run of units that was rented. The default value is no buffer.</summary>
public readonly record struct BufferLease(uint Slot, uint UnitCount, uint Generation)
{
    public bool IsNone => Generation == 0;
}

public interface IBufferWaiter
{
    /// <summary>
    /// A buffer is free again. Called inside Return: must rent nothing, only arrange for a later look.
    /// </summary>
    void OnBufferFree();
}

/// <summary>Threads: one (the reactor's). Dispose when every lease is back and the kernel holds none.</summary>
public sealed unsafe class BufferPool : IDisposable
{
    const int WaitersHint = 64;

    readonly AlignedRegion _region;
    readonly uint[] _generations; // of the first unit of a run: odd while rented
    readonly UnitRuns _units;
    readonly List<IBufferWaiter> _waiters = new(WaitersHint);
    readonly List<IBufferWaiter> _woken = new(WaitersHint);

    BufferPool(uint bufferBytes, uint unitBytes, uint unitCount, AlignedRegion region)
    {
        (BufferBytes, UnitBytes) = (bufferBytes, unitBytes);
        _region = region;
        _generations = new uint[unitCount];
        _units = new UnitRuns(unitCount);
    }

    /// <summary>A pool whose unit is a whole buffer.</summary>
    /// <inheritdoc cref="TryCreate(uint, uint, uint, out BufferPool?)"/>
    public static Fault TryCreate(uint bufferBytes, uint unitCount, out BufferPool? pool) =>
        TryCreate(bufferBytes, bufferBytes, unitCount, out pool);

    /// <param name="bufferBytes">The longest run, in bytes: a multiple of the unit.</param>
    /// <param name="unitBytes">Size of a unit: a multiple of the page size.</param>
    /// <param name="unitCount">1..2^20, at least one buffer.</param>
    /// <param name="pool">The pool, or null after a fault.</param>
    /// <returns>None, or NoMemory.</returns>
    public static Fault TryCreate(uint bufferBytes, uint unitBytes, uint unitCount, out BufferPool? pool)
    {
        Check.That(unitBytes > 0);
        Check.That(unitBytes % AlignedRegion.PageBytes == 0);
        Check.That(unitCount is > 0 and <= 1 << 20);
        Check.That(bufferBytes % unitBytes == 0);
        Check.That(bufferBytes > 0);
        Check.That(bufferBytes / unitBytes <= unitCount);
        ulong lengthBytes = (ulong)unitBytes * unitCount;
        Fault fault = AlignedRegion.TryMap(lengthBytes, RegionResidency.Resident, out AlignedRegion? region);
        pool = fault.IsNone ? new BufferPool(bufferBytes, unitBytes, unitCount, region!) : null;
        return fault;
    }

    /// <summary>The most that one lease holds.</summary>
    public uint BufferBytes { get; }

    public uint UnitBytes { get; }

    public uint UnitCount => _units.Count;

    public uint FreeUnitCount => _units.FreeCount;

    /// <summary>Of all units.</summary>
    public ulong SizeBytes => (ulong)UnitCount * UnitBytes;

    public ulong FreeBytes => (ulong)FreeUnitCount * UnitBytes;

    public AlignedRegion Region => _region;

    /// <summary>The units that hold so many bytes.</summary>
    public uint UnitsFor(ulong lengthBytes) => (uint)Units.DivCeil(lengthBytes, UnitBytes);

    /// <summary>The longest run that one rent can get now, in bytes: 0..lengthBytesMax rounded up to units.</summary>
    /// <remarks>Cost: until a run of that length is found, a read per 64 units.</remarks>
    public ulong LongestFreeBytes(ulong lengthBytesMax) =>
        (ulong)_units.LongestRun(UnitsFor(Math.Min(lengthBytesMax, BufferBytes))) * UnitBytes;

    /// <summary>Rented to be kept, by all users together.</summary>
    public ulong KeptBytes { get; private set; }

    /// <summary>The most of it: less than half, by a buffer at least; 0 in a small pool.</summary>
    public ulong KeptBytesMax => Math.Min(SizeBytes / 8 * 3, SizeBytes / 2 - Math.Min(SizeBytes / 2, BufferBytes));

    /// <summary>As TryRent, for memory that may come back late; see above. Wakes nobody.</summary>
    /// <param name="lengthBytes">1..BufferBytes.</param>
    /// <param name="lease">To be given back by <see cref="ReturnKept"/>.</param>
    /// <returns>False when no more may be kept now.</returns>
    public bool TryRentToKeep(ulong lengthBytes, out BufferLease lease)
    {
        lease = default;
        ulong takenBytes = (ulong)UnitsFor(lengthBytes) * UnitBytes;
        if (KeptBytes + takenBytes > KeptBytesMax || !_units.TryTake(UnitsFor(lengthBytes), out uint slot))
            return false;
        if (LongestFreeBytes(BufferBytes) < BufferBytes)
        {
            _units.Return(slot, UnitsFor(lengthBytes));
            return false;
        }
        KeptBytes += takenBytes;
        lease = new BufferLease(slot, UnitsFor(lengthBytes), ++_generations[slot]);
        return true;
    }

    public void ReturnKept(BufferLease lease)
    {
        KeptBytes -= (ulong)lease.UnitCount * UnitBytes;
        Return(lease);
    }

    /// <summary>A whole buffer.</summary>
    public bool TryRent(out BufferLease lease) => TryRent(BufferBytes, out lease);

    /// <param name="lengthBytes">1..BufferBytes.</param>
    /// <param name="lease">Contiguous memory of at least that size.</param>
    /// <returns>False when no run is long enough.</returns>
    public bool TryRent(ulong lengthBytes, out BufferLease lease)
    {
        Check.That(lengthBytes > 0);
        Check.That(lengthBytes <= BufferBytes);
        lease = default;
        uint length = UnitsFor(lengthBytes);
        if (!_units.TryTake(length, out uint slot))
            return false;
        uint generation = ++_generations[slot];
        Check.That((generation & 1) == 1);
        lease = new BufferLease(slot, length, generation);
        return true;
    }

    public void Return(BufferLease lease)
    {
        CheckLease(lease);
        _generations[lease.Slot]++;
        _units.Return(lease.Slot, lease.UnitCount);
        if (_waiters.Count == 0)
            return;
        _woken.AddRange(_waiters);
        _waiters.Clear();
        foreach (IBufferWaiter waiter in _woken)
            waiter.OnBufferFree();
        _woken.Clear();
    }

    /// <summary>
    /// The waiter is called once, at the next return. Users of one pool may belong to different disks: without this
    /// one that found the pool empty and has nothing in flight itself would never look again.
    /// </summary>
    public void WaitForBuffer(IBufferWaiter waiter)
    {
        if (IndexOf(waiter) < 0)
            _waiters.Add(waiter);
    }

    public void StopWaiting(IBufferWaiter waiter)
    {
        int index = IndexOf(waiter);
        if (index >= 0)
            _waiters.RemoveAt(index);
    }

    /// <summary>By reference: the framework's own search makes a comparer at its first use, inside a job.</summary>
    int IndexOf(IBufferWaiter waiter)
    {
        for (int i = 0; i < _waiters.Count; i++)
            if (ReferenceEquals(_waiters[i], waiter))
                return i;
        return -1;
    }

    public byte* Address(BufferLease lease)
    {
        CheckLease(lease);
        return _region.Pointer + (ulong)lease.Slot * UnitBytes;
    }

    /// <summary>
    /// Gives the pool up with buffers still out: the kernel may write to them, so the memory stays mapped.
    /// </summary>
    public void Leak() => _region.Leak();

    public void Dispose()
    {
        Check.That(FreeUnitCount == UnitCount);
        _region.Dispose();
        _units.Dispose();
    }

    void CheckLease(BufferLease lease)
    {
        Check.That(lease.Slot < UnitCount);
        Check.That((lease.Generation & 1) == 1);
        Check.That(_generations[lease.Slot] == lease.Generation);
    }
}
