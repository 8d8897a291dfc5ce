// The engine as a whole on the real port: what happens at its end, at a bug, and at two ends.
using System;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Ports;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Unit.Runtime;

public sealed class EngineTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-").FullName;

    [Theory]
    [InlineData(64UL << 20, 1U << 20, 64U << 10)]
    [InlineData(64UL << 30, 1U << 20, 64U << 10)]
    [InlineData((64UL << 30) + 65536, 1U << 20, 128U << 10)]
    [InlineData(1UL << 40, 1U << 20, 1U << 20)]
    [InlineData(1UL << 40, 1U << 30, 1U << 20)]
    [InlineData(8UL << 20, 4096U, 4096U)]
    public void UnitOfTheMemory_IsSmallUnlessThereWouldBeTooMany(ulong bufferBytes, uint chunkBytes, uint unitBytes) =>
        Assert.Equal(unitBytes, Engine.UnitBytes(bufferBytes, chunkBytes));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ASecondDispose_TouchesNobodyElsesDescriptor(bool mayUseRing)
    {
        Engine engine = Open(mayUseRing);
        FileOpenOptions options = new() { Path = Path.Combine(_folder, "disk"), CreateBytes = 4096 };
        Assert.True(DeviceOpener.TryOpen(engine.Reactor, options, out FileDevice? device).IsNone);
        engine.Reactor.Invoke(device!.Dispose);
        engine.Dispose();
        FileStream[] others = new FileStream[16]; // take the numbers that were just freed
        for (int i = 0; i < others.Length; i++)
            others[i] = File.Create(Path.Combine(_folder, "other" + i));
        device.Dispose();
        engine.Dispose();
        engine.Reactor.RequestStop();
        foreach (FileStream other in others)
        {
            Assert.Equal(0, other.Length);
            other.WriteByte(1);
            other.Dispose();
        }
    }

    [Fact]
    public void ABug_EndsTheJob_LetsGuestsPass_AndEverythingCanBeClosed()
    {
        using ManualResetEventSlim stopped = new();
        EngineOptions engineOptions = new()
        {
            BufferBytes = 1 << 20,
            ChunkBytes = 65_536,
            OnStopped = _ => stopped.Set(),
        };
        Assert.True(Engine.TryOpen(engineOptions, out Engine? engine).IsNone);
        Reactor reactor = engine!.Reactor;
        string sourcePath = Path.Combine(_folder, "source");
        string targetPath = Path.Combine(_folder, "target");
        File.WriteAllBytes(sourcePath, new byte[8 << 20]);
        Assert.True(DeviceOpener.TryOpen(reactor, new() { Path = sourcePath }, out FileDevice? source).IsNone);
        FileOpenOptions create = new() { Path = targetPath, CreateBytes = 8 << 20 };
        Assert.True(DeviceOpener.TryOpen(reactor, create, out FileDevice? target).IsNone);
        Disk? disk = null;
        BackupJob? job = null;
        reactor.Invoke(() =>
        {
            disk = new Disk(reactor, source!, "disk");
            BackupOptions options = new() { SpeedBytesPerSecond = 65_536 };
            BackupJob.TryCreate(reactor, disk, target!, engine.Pool, options, hasView: false, out job);
            job!.Start(reactor);
        });
        Assert.True(reactor.TryPost(new Failing(), 0));
        Assert.True(stopped.Wait(10_000, TestContext.Current.CancellationToken));
        Assert.Equal(FaultKind.Bug, job!.Query().Fault.Kind);
        Assert.True(job.Query().IsEnded);
        GuestWaiter guest = new();
        Grant grant = disk!.BeginWrite((8 << 20) - 100, 100, guest, 0, out _);
        Assert.NotEqual(Grant.Refused, grant);
        if (grant == Grant.Pending)
            Assert.True(guest.WaitFor(Fault.None));
        disk.EndWrite();
        reactor.Invoke(() =>
        {
            job.Dispose();
            source!.Dispose();
            target!.Dispose();
        });
        engine.Dispose();
        // The lock is gone with the descriptor.
        using Engine second = Open(mayUseRing: true);
        Assert.True(DeviceOpener.TryOpen(second.Reactor, new() { Path = targetPath }, out FileDevice? again).IsNone);
        second.Reactor.Invoke(again!.Dispose);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static Engine Open(bool mayUseRing)
    {
        EngineOptions options = new()
        {
            BufferBytes = 1 << 20,
            ChunkBytes = 65_536,
            MayUseRing = mayUseRing,
        };
        Assert.True(Engine.TryOpen(options, out Engine? engine).IsNone);
        return engine!;
    }

    sealed class Failing : ILoopTask
    {
        public void Run(ulong argument) => Check.Fail("on purpose");
    }

    sealed class GuestWaiter : IGuestOwner
    {
        readonly object _gate = new();
        Fault? _fault;

        public void OnGuestCompleted(ulong userData, Fault fault)
        {
            lock (_gate)
            {
                _fault = fault;
                Monitor.PulseAll(_gate);
            }
        }

        public bool WaitFor(Fault expected)
        {
            lock (_gate)
            {
                while (_fault == null)
                    if (!Monitor.Wait(_gate, 10_000))
                        return false;
                return _fault == expected;
            }
        }
    }
}
