// The queue against the library's, through many turns of its ring.
using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed class BoundedQueueTests
{
    [Fact]
    public void EnqueueAndDequeue_AgainstModel()
    {
        Prng prng = new(TestSeed.Next());
        for (uint capacity = 1; capacity <= 9; capacity++)
        {
            BoundedQueue<ulong> queue = new(capacity);
            Queue<ulong> model = [];
            for (ulong step = 1; step <= 1000; step++)
            {
                if (prng.Chance(1, 2) && model.Count < capacity)
                {
                    queue.Enqueue(step);
                    model.Enqueue(step);
                }
                else
                {
                    Assert.Equal(model.TryDequeue(out ulong wanted), queue.TryDequeue(out ulong item));
                    Assert.Equal(wanted, item);
                }
                Assert.Equal((uint)model.Count, queue.Count);
                Assert.Equal(model.Count == capacity, queue.IsFull);
            }
        }
    }

    [Fact]
    public void Enqueue_WhenFull_IsInvariantFailure()
    {
        BoundedQueue<int> queue = new(2);
        queue.Enqueue(1);
        queue.Enqueue(2);
        Assert.Throws<InvariantException>(() => queue.Enqueue(3));
        Assert.True(queue.TryDequeue(out int first));
        Assert.Equal((1, 1U), (first, queue.Count));
    }

    [Fact]
    public void Dequeue_LetsGoOfTheItem()
    {
        BoundedQueue<object> queue = new(2);
        WeakReference item = EnqueueAndDequeue(queue);
        GC.Collect();
        Assert.False(item.IsAlive);
        GC.KeepAlive(queue);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static WeakReference EnqueueAndDequeue(BoundedQueue<object> queue)
    {
        object item = new();
        queue.Enqueue(item);
        Assert.True(queue.TryDequeue(out _));
        return new WeakReference(item);
    }
}
