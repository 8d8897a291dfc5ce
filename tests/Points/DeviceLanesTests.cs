// The lanes of a device: those that a wait for all of them had taken when it was given up are free again. Else whoever
// waits for the last request, after a store has failed while the end of the disk was read, waits for ever.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Repositories;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class DeviceLanesTests
{
    [Fact]
    public void DrainThatIsCanceled_LosesNoLane()
    {
        EngineOptions options = new() { BufferBytes = 1 << 20, ChunkBytes = 64 << 10 };
        Assert.Equal(Fault.None, Engine.TryOpen(options, out Engine? engine));
        MemoryDevice? device = null;
        engine!.Reactor.Invoke(() => device = new MemoryDevice(engine.Reactor, "disk", 4096));
        using (DeviceLanes lanes = new(engine, device!, 4))
        {
            DeviceLane busy = lanes.Take(CancellationToken.None);
            using CancellationTokenSource cancel = new(TimeSpan.FromMilliseconds(30));
            _ = Assert.ThrowsAny<OperationCanceledException>(() => lanes.Drain(cancel.Token));
            Assert.False(lanes.IsIdle);
            lanes.Return(busy);
            Assert.True(lanes.IsIdle);
            lanes.Drain(CancellationToken.None);
        }
        engine.Reactor.Invoke(device!.Dispose);
        engine.Dispose();
    }
}
