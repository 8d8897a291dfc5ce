// A fixed table of preallocated entries with a free list: the home of everything in flight. An entry is
// named by a 64-bit key {generation, slot}, which a completion carries and which is never used twice,
// so that a late or forged completion is caught. Take and free are O(1) and allocate nothing.
using System;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: one at a time. Entries are reference objects made once, reused for ever.</summary>
public sealed class SlotTable<T>
    where T : class, new()
{
    const uint CapacityMax = 1 << 24;

    T[] _items;
    uint[] _generations; // odd while taken
    uint[] _freeSlots;
    uint _freeCount;

    /// <param name="capacity">1..2^24 entries.</param>
    public SlotTable(uint capacity)
    {
        Check.That(capacity is > 0 and <= CapacityMax);
        _items = new T[capacity];
        _generations = new uint[capacity];
        _freeSlots = new uint[capacity];
        for (uint i = 0; i < capacity; i++)
        {
            _items[i] = new T();
            _freeSlots[i] = capacity - 1 - i;
        }
        _freeCount = capacity;
    }

    public uint Capacity => (uint)_items.Length;

    public uint TakenCount => Capacity - _freeCount;

    public bool TryTake(out ulong key, out T item)
    {
        key = 0;
        item = null!;
        if (_freeCount == 0)
            return false;
        uint slot = _freeSlots[--_freeCount];
        uint generation = ++_generations[slot];
        Check.That((generation & 1) == 1);
        key = (ulong)generation << 32 | slot;
        item = _items[slot];
        return true;
    }

    /// <summary>Doubles a table of which every entry is taken; those stay what and where they are. Allocates.</summary>
    public void Grow()
    {
        Check.That(_freeCount == 0);
        Check.That(Capacity <= CapacityMax / 2);
        int before = _items.Length;
        Array.Resize(ref _items, before * 2);
        Array.Resize(ref _generations, before * 2);
        Array.Resize(ref _freeSlots, before * 2);
        for (int i = _items.Length - 1; i >= before; i--)
        {
            _items[i] = new T();
            _freeSlots[_freeCount++] = (uint)i;
        }
    }

    /// <summary>The entry of a key that is taken now; a stale key is an invariant failure.</summary>
    public T Get(ulong key)
    {
        Check.That(IsTaken(key));
        return _items[(uint)key];
    }

    public bool IsTaken(ulong key) =>
        (uint)key < Capacity && (key >> 32 & 1) == 1 && _generations[(uint)key] == (uint)(key >> 32);

    public void Free(ulong key)
    {
        Check.That(IsTaken(key));
        uint slot = (uint)key;
        _generations[slot]++;
        _freeSlots[_freeCount++] = slot;
    }

    /// <summary>Entry by position, taken or not: for walks over all entries.</summary>
    public bool TryGetAt(uint slot, out ulong key, out T item)
    {
        Check.That(slot < Capacity);
        key = (ulong)_generations[slot] << 32 | slot;
        item = _items[slot];
        return (_generations[slot] & 1) == 1;
    }
}
