// What a DeadlineHeap holds: a time, and where in the heap it is.
namespace FastBackup.Memory;

/// <summary>Threads: its heap's.</summary>
public abstract class DeadlineEntry
{
    /// <summary>In no heap.</summary>
    internal const int NoIndex = -1;

    /// <summary>As given to <see cref="DeadlineHeap{T}.Add"/>.</summary>
    public ulong DeadlineNs { get; internal set; }

    /// <summary>Of its addition: equal deadlines are due in this order.</summary>
    internal ulong Sequence { get; set; }

    internal int HeapIndex { get; set; } = NoIndex;

    /// <summary>It is in a heap.</summary>
    public bool IsScheduled => HeapIndex != NoIndex;
}
