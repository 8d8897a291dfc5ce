// The chunks that are in memory and wait for their turn at the target, in order of age. Links are in the chunks.
using FastBackup.Base;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's. Cost: O(1) per call.</summary>
sealed class CapturedList
{
    public CopyTask? First { get; private set; }

    /// <summary>The youngest.</summary>
    public CopyTask? Last { get; private set; }

    public uint Count { get; private set; }

    public ulong LengthBytes { get; private set; }

    public void Append(CopyTask task)
    {
        (task.Previous, task.Next) = (Last, null);
        if (Last == null)
            First = task;
        else
            Last.Next = task;
        Last = task;
        Count++;
        LengthBytes += task.Extent.LengthBytes;
    }

    public void Remove(CopyTask task)
    {
        Check.That(Count > 0);
        if (task.Previous == null)
            First = task.Next;
        else
            task.Previous.Next = task.Next;
        if (task.Next == null)
            Last = task.Previous;
        else
            task.Next.Previous = task.Previous;
        (task.Previous, task.Next) = (null, null);
        Count--;
        LengthBytes -= task.Extent.LengthBytes;
    }
}
