// A first-in first-out queue of fixed capacity in one array; allocates only at construction, and when it is told to
// grow.
using System;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: one at a time.</summary>
public sealed class BoundedQueue<T>(uint capacity)
{
    T[] _items = new T[capacity];
    uint _head;

    public uint Count { get; private set; }

    public bool IsFull => Count == (uint)_items.Length;

    /// <summary>A full queue is an invariant failure: the owner bounds what it puts in.</summary>
    public void Enqueue(in T item)
    {
        Check.That(!IsFull);
        uint tail = _head + Count;
        if (tail >= (uint)_items.Length)
            tail -= (uint)_items.Length;
        _items[tail] = item;
        Count++;
    }

    /// <summary>Doubles the capacity; what is in it stays in order. Allocates.</summary>
    public void Grow()
    {
        T[] larger = new T[_items.Length * 2];
        uint toEnd = Math.Min(Count, (uint)_items.Length - _head);
        Array.Copy(_items, _head, larger, 0, toEnd);
        Array.Copy(_items, 0, larger, toEnd, Count - toEnd);
        (_items, _head) = (larger, 0);
    }

    /// <summary>The first, which stays.</summary>
    public bool TryPeek(out T item)
    {
        item = Count == 0 ? default! : _items[_head];
        return Count > 0;
    }

    public bool TryDequeue(out T item)
    {
        if (Count == 0)
        {
            item = default!;
            return false;
        }
        item = _items[_head];
        _items[_head] = default!;
        _head = _head + 1 == (uint)_items.Length ? 0 : _head + 1;
        Count--;
        return true;
    }
}
