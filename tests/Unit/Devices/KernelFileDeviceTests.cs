// FileDevice on real files, over the fastest port of the system and over threads, direct and buffered, against the same
// model. Runs on every system.
using System;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Ports;
using FastBackup.Ports.Linux;
using FastBackup.Ports.Linux.Ring;
using FastBackup.Runtime;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

public sealed class KernelFileDeviceTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-").FullName;

    public static TheoryData<bool, bool, uint> Cases
    {
        get
        {
            TheoryData<bool, bool, uint> cases = [];
            foreach (bool isRing in new[] { true, false })
            foreach (bool isDirect in new[] { true, false })
            foreach (uint sizeBytes in new[] { 1u << 20, (1u << 20) + 1, 1_000_003u, 511u, 1u })
                cases.Add(isRing, isDirect, sizeBytes);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void RandomRequests_MatchTheModel_AndTheSizeStays(bool isRing, bool isDirect, uint sizeBytes)
    {
        using IFileIo fileIo = OpenPort(isRing);
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        TestSeed.ForEach(3, Run);
        void Run(ulong seed)
        {
            string path = Path.Combine(_folder, "disk" + seed);
            FileOpenOptions options = new()
            {
                Path = path,
                CreateBytes = sizeBytes,
                IsDirect = isDirect,
            };
            Assert.True(DeviceOpener.TryOpen(reactor, options, out FileDevice? device).IsNone);
            using DeviceModel model = new(device!, seed);
            for (int i = 0; i < 500; i++)
            {
                model.SubmitRandom();
                if (i % 2 == 0)
                    reactor.Turn(model.IsIdle ? 0 : Units.NsPerSecond);
            }
            while (!model.IsIdle)
                reactor.Turn(Units.NsPerSecond);
            Assert.Empty(model.Faults);
            device!.Dispose(); // here only: on a failure its check would hide the cause
            Assert.True(model.Model.SequenceEqual(Disks.ReadAll(path)));
        }
    }

    [Fact]
    public void OpeningWhatIsThere_GivesItsSize_AndLeavesItsContent()
    {
        string path = Path.Combine(_folder, "disk");
        File.WriteAllBytes(path, new byte[12_345]);
        using IFileIo fileIo = OpenPort(isRing: true);
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        FileOpenOptions options = new() { Path = path, IsReadOnly = true };
        Assert.True(DeviceOpener.TryOpen(reactor, options, out FileDevice? device).IsNone);
        using (device)
        {
            Assert.Equal(12_345ul, device!.Limits.CapacityBytes);
            Assert.False(device.Limits.IsZeroInitialised);
            Assert.True(device.Limits.IsReadOnly);
        }
    }

    [Fact]
    public void Refusals_SayWhy_AndLeaveNothingBehind()
    {
        using IFileIo fileIo = OpenPort(isRing: false);
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        string missing = Path.Combine(_folder, "missing");
        Assert.Contains("no such file", Refusal(reactor, new() { Path = missing }), StringComparison.Ordinal);
        Assert.Contains("is a directory", Refusal(reactor, new() { Path = _folder }), StringComparison.Ordinal);
        Assert.Contains(
            "neither a regular file nor a block device",
            Refusal(reactor, new() { Path = OperatingSystem.IsWindows() ? @"\\.\NUL" : "/dev/null" }),
            StringComparison.Ordinal
        );
        string huge = Path.Combine(_folder, "huge");
        FileOpenOptions options = new() { Path = huge, CreateBytes = ulong.MaxValue };
        Assert.Contains(huge, Refusal(reactor, options), StringComparison.Ordinal);
        Assert.False(File.Exists(huge));
    }

    [Fact]
    public void ASecondWriter_IsRefused()
    {
        using IFileIo fileIo = OpenPort(isRing: false);
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        string path = Path.Combine(_folder, "disk");
        FileOpenOptions create = new() { Path = path, CreateBytes = 4096 };
        Assert.True(DeviceOpener.TryOpen(reactor, create, out FileDevice? first).IsNone);
        using (first)
            Assert.Contains("another program", Refusal(reactor, new() { Path = path }), StringComparison.Ordinal);
        Assert.True(DeviceOpener.TryOpen(reactor, new() { Path = path }, out FileDevice? second).IsNone);
        second!.Dispose();
    }

    [Fact]
    [Trait("System", "Linux")]
    public void Identity_SeesThroughLinks()
    {
        using IFileIo fileIo = OpenPort(isRing: false);
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        string path = Path.Combine(_folder, "disk");
        string link = Path.Combine(_folder, "link");
        string other = Path.Combine(_folder, "other");
        File.WriteAllBytes(path, new byte[4096]);
        File.WriteAllBytes(other, new byte[4096]);
        File.CreateSymbolicLink(link, path);
        Assert.Equal(IdentityOf(reactor, path), IdentityOf(reactor, link));
        Assert.NotEqual(IdentityOf(reactor, path), IdentityOf(reactor, other));
    }

    [Fact]
    [Trait("System", "Linux")]
    public void TheRing_MakesOneCallForTwo()
    {
        using IFileIo fileIo = OpenPort(isRing: true);
        RingFileIo ring = (RingFileIo)fileIo;
        CountingOwner owner = new();
        fileIo.Poll(0);
        ulong before = ring.EnterCount;
        const uint batch = 100;
        for (uint i = 0; i < batch; i++)
            Assert.True(
                fileIo.TryPush(
                    new FileCommand
                    {
                        Operation = FileOperation.Nop,
                        File = new FileHandle(-1),
                        Owner = owner,
                    }
                )
            );
        while (owner.Count < batch)
            fileIo.Poll(Units.NsPerSecond);
        Assert.InRange(ring.EnterCount - before, batch / 2, batch / 2 + 1); // a device gets them one by one
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Wake_EndsAWait(bool isRing)
    {
        using IFileIo fileIo = OpenPort(isRing);
        fileIo.Poll(0);
        Thread waker = new(() =>
        {
            Thread.Sleep(20);
            fileIo.Wake();
        });
        waker.Start();
        fileIo.Poll(ulong.MaxValue); // returns at all
        waker.Join();
        Assert.Equal(0u, fileIo.InFlightCount);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static IFileIo OpenPort(bool isRing)
    {
        PortOpening opening = SystemPort.Current.OpenFileIo(new PortWish(256, isRing, IsHostDriven: false, 4));
        Requires.That(!isRing || opening.Fault.IsNone, "needs the system's fastest port: " + opening.Fault);
        return opening.FileIo!;
    }

    static string Refusal(Reactor reactor, FileOpenOptions options)
    {
        OpenRefusal refusal = DeviceOpener.TryOpen(reactor, options, out FileDevice? device);
        Assert.Null(device);
        return refusal.Sentence;
    }

    static FileIdentity IdentityOf(Reactor reactor, string path)
    {
        FileOpenOptions options = new() { Path = path, IsReadOnly = true };
        Assert.True(DeviceOpener.TryOpen(reactor, options, out FileDevice? device).IsNone);
        using (device)
            return device!.Identity;
    }

    sealed class CountingOwner : IFileIoOwner
    {
        public uint Count { get; private set; }

        public void OnFileCompleted(ulong tag, in FileResult result)
        {
            Assert.Equal(FileResult.Done(0), result);
            Count++;
        }
    }
}
