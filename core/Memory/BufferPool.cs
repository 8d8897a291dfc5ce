// All I/O memory of an engine: one resident region cut into equal buffers, with a free list. Rent and
// return are O(1) and allocate nothing. The whole region can be registered with a ring once.
// A lease is a slot and a generation; a stale one is an invariant failure, not a wild write.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>A buffer that was rented. The default value is no buffer.</summary>
public readonly record struct BufferLease(uint Slot, uint Generation)
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
    readonly uint[] _generations; // odd while rented
    readonly uint[] _freeSlots; // a stack: the buffer returned last is the warmest
    readonly List<IBufferWaiter> _waiters = new(WaitersHint);
    readonly List<IBufferWaiter> _woken = new(WaitersHint);
    uint _freeCount;

    BufferPool(uint bufferBytes, uint bufferCount, AlignedRegion region)
    {
        BufferBytes = bufferBytes;
        BufferCount = bufferCount;
        _region = region;
        _generations = new uint[bufferCount];
        _freeSlots = new uint[bufferCount];
        for (uint i = 0; i < bufferCount; i++)
            _freeSlots[i] = bufferCount - 1 - i;
        _freeCount = bufferCount;
    }

    /// <param name="bufferBytes">Size of each buffer: a multiple of the page size.</param>
    /// <param name="bufferCount">1..2^20.</param>
    /// <param name="pool">The pool, or null after a fault.</param>
    /// <returns>None, or NoMemory.</returns>
    public static Fault TryCreate(uint bufferBytes, uint bufferCount, out BufferPool? pool)
    {
        Check.That(bufferBytes > 0);
        Check.That(bufferBytes % AlignedRegion.PageBytes == 0);
        Check.That(bufferCount is > 0 and <= 1 << 20);
        ulong lengthBytes = (ulong)bufferBytes * bufferCount;
        Fault fault = AlignedRegion.TryMap(lengthBytes, RegionResidency.Resident, out AlignedRegion? region);
        pool = fault.IsNone ? new BufferPool(bufferBytes, bufferCount, region!) : null;
        return fault;
    }

    public uint BufferBytes { get; }

    public uint BufferCount { get; }

    public uint FreeCount => _freeCount;

    public AlignedRegion Region => _region;

    public bool TryRent(out BufferLease lease)
    {
        lease = default;
        if (_freeCount == 0)
            return false;
        uint slot = _freeSlots[--_freeCount];
        uint generation = ++_generations[slot];
        Check.That((generation & 1) == 1);
        lease = new BufferLease(slot, generation);
        return true;
    }

    public void Return(BufferLease lease)
    {
        CheckLease(lease);
        _generations[lease.Slot]++;
        _freeSlots[_freeCount++] = lease.Slot;
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
        return _region.Pointer + (ulong)lease.Slot * BufferBytes;
    }

    /// <summary>
    /// Gives the pool up with buffers still out: the kernel may write to them, so the memory stays mapped.
    /// </summary>
    public void Leak() => _region.Leak();

    public void Dispose()
    {
        Check.That(_freeCount == BufferCount);
        _region.Dispose();
    }

    void CheckLease(BufferLease lease)
    {
        Check.That(lease.Slot < BufferCount);
        Check.That((lease.Generation & 1) == 1);
        Check.That(_generations[lease.Slot] == lease.Generation);
    }
}
