// Times in a binary heap whose entries know where they are: add, remove and take cost O(log n), and what is removed
// leaves at once. The entries are the caller's. Allocates only when there are more of them than ever before: the array
// doubles, so that no count of anything can be too large for it.
using System;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: one at a time.</summary>
/// <param name="capacity">Entries that are held without another allocation; at least 1.</param>
public sealed class DeadlineHeap<T>(uint capacity)
    where T : DeadlineEntry
{
    T[] _heap = new T[capacity];
    int _count;
    ulong _sequence;

    public uint Count => (uint)_count;

    /// <summary>The earliest, or null.</summary>
    public T? First => _count == 0 ? null : _heap[0];

    /// <param name="entry">In no heap.</param>
    /// <param name="deadlineNs">Of the loop's clock.</param>
    public void Add(T entry, ulong deadlineNs)
    {
        Check.That(!entry.IsScheduled);
        if (_count == _heap.Length)
            Array.Resize(ref _heap, _heap.Length * 2);
        (entry.DeadlineNs, entry.Sequence) = (deadlineNs, _sequence++);
        SiftUp(entry, _count++);
    }

    /// <param name="entry">In this heap.</param>
    public void Remove(T entry)
    {
        Check.That(ReferenceEquals(_heap[entry.HeapIndex], entry));
        T last = _heap[--_count];
        if (!ReferenceEquals(last, entry))
        {
            int index = entry.HeapIndex;
            if (index > 0 && IsBefore(last, _heap[(index - 1) / 2]))
                SiftUp(last, index);
            else
                SiftDown(last, index);
        }
        _heap[_count] = null!;
        entry.HeapIndex = DeadlineEntry.NoIndex;
    }

    void SiftUp(T entry, int index)
    {
        while (index > 0 && IsBefore(entry, _heap[(index - 1) / 2]))
        {
            Place(_heap[(index - 1) / 2], index);
            index = (index - 1) / 2;
        }
        Place(entry, index);
    }

    void SiftDown(T entry, int index)
    {
        while (true)
        {
            int child = index * 2 + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], entry))
                break;
            Place(_heap[child], index);
            index = child;
        }
        Place(entry, index);
    }

    void Place(T entry, int index)
    {
        _heap[index] = entry;
        entry.HeapIndex = index;
    }

    static bool IsBefore(T left, T right) =>
        left.DeadlineNs != right.DeadlineNs ? left.DeadlineNs < right.DeadlineNs : left.Sequence < right.Sequence;
}
