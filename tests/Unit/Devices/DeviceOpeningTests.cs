// An open that hangs holds nobody who asked for it, and what it brings when nobody wants it any more is closed.
using System;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

public sealed class DeviceOpeningTests : IDisposable
{
    const int WaitMs = 10_000;

    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-").FullName;
    readonly ThreadedFileIo _port = new(2, 64, "fb-test");
    readonly Reactor _reactor;
    readonly PatientThreads _threads = new(2);
    readonly ManualResetEventSlim _mayOpen = new();
    readonly ManualResetEventSlim _ended = new();

    public DeviceOpeningTests()
    {
        _reactor = new Reactor(_port, MonotonicClock.Instance, ReactorLimits.Default);
        File.WriteAllBytes(FilePath, new byte[4096]);
    }

    string FilePath => Path.Combine(_folder, "disk");

    public void Dispose()
    {
        _mayOpen.Set();
        Assert.True(SpinWait.SpinUntil(() => _threads.Count == 0, WaitMs));
        _reactor.Dispose();
        _port.Dispose();
        Directory.Delete(_folder, recursive: true);
        _mayOpen.Dispose();
        _ended.Dispose();
    }

    [Fact]
    public void Take_AfterTheEnd_GivesTheDeviceOnce()
    {
        DeviceOpening opening = Start();
        Assert.Null(opening.Take());
        _mayOpen.Set();
        Assert.True(_ended.Wait(WaitMs, TestContext.Current.CancellationToken));
        IBlockDevice? device = opening.Take();
        Assert.NotNull(device);
        opening.GiveUp(); // too late: it is somebody's
        Assert.Equal(4096ul, device.Limits.CapacityBytes);
        device.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void GiveUp_BeforeOrAfterTheEnd_ClosesWhatComes(bool isThere)
    {
        DeviceOpening opening = Start();
        if (isThere)
        {
            _mayOpen.Set();
            Assert.True(_ended.Wait(WaitMs, TestContext.Current.CancellationToken));
        }
        opening.GiveUp();
        _mayOpen.Set();
        Assert.True(SpinWait.SpinUntil(() => _threads.Count == 0, WaitMs));
        Assert.Equal(isThere, _ended.IsSet); // nobody is told any more
        Assert.Null(opening.Take());
        using FileDevice again = Open()!; // and the lock is free
    }

    [Fact]
    public void Openings_ThatHang_AreBounded()
    {
        DeviceOpening first = Start();
        DeviceOpening second = Start();
        Assert.False(DeviceOpening.TryStart(_threads, _reactor, Open, _ => { }, out DeviceOpening? third));
        Assert.Null(third);
        first.GiveUp();
        second.GiveUp();
        _mayOpen.Set();
        Assert.True(SpinWait.SpinUntil(() => _threads.Count == 0, WaitMs));
        Assert.True(DeviceOpening.TryStart(_threads, _reactor, () => null, _ => { }, out _));
    }

    DeviceOpening Start()
    {
        bool isStarted = DeviceOpening.TryStart(
            _threads,
            _reactor,
            () =>
            {
                _mayOpen.Wait(WaitMs);
                return Open();
            },
            _ => _ended.Set(),
            out DeviceOpening? opening
        );
        Assert.True(isStarted);
        return opening!;
    }

    FileDevice? Open()
    {
        _ = DeviceOpener.TryOpen(_reactor, new FileOpenOptions { Path = FilePath }, out FileDevice? device);
        return device;
    }
}
