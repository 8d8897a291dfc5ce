// FileDevice over the simulated port: everything a kernel may answer, with virtual time.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

public sealed class SimulatedFileDeviceTests
{
    static readonly SimulatedFaults Harmless = new()
    {
        ShortCount = 150,
        Again = 50,
        Interrupted = 50,
        MisalignedAllocate = 100,
    };

    [Theory]
    [InlineData(1u << 20, 1u)]
    [InlineData((1u << 20) + 1, 512u)]
    [InlineData((1u << 20) - 511, 512u)]
    [InlineData(300_001u, 4096u)]
    [InlineData(511u, 512u)]
    [InlineData(1u, 4096u)]
    public void RandomRequests_UnderShortCountsAndRetries_MatchTheModel(uint capacityBytes, uint alignBytes)
    {
        TestSeed.ForEach(20, Run);
        void Run(ulong seed)
        {
            SimulatedFaults faults = Harmless with { RefusesAllocate = seed % 3 == 0 };
            using SimulatedLoop loop = new(seed, faults, depth: seed % 2 == 0 ? 3 : 1000);
            // Disposed at the end only: on a failure the check of Dispose would hide the cause.
            FileDevice device = loop.OpenFile(capacityBytes, out SimulatedDisk disk, alignBytes);
            using DeviceModel model = new(device, seed);
            for (int i = 0; i < 400; i++)
            {
                model.SubmitRandom();
                if (i % 3 == 0)
                    loop.Reactor.Turn(model.IsIdle ? 0 : ulong.MaxValue);
            }
            loop.RunUntil(() => model.IsIdle);
            Assert.Empty(model.Faults);
            Assert.InRange(model.CompletedCount, 20, 400);
            Assert.True(model.Model.SequenceEqual(disk.Content));
            Assert.Equal(0u, device.InFlightCount);
            device.Dispose();
        }
    }

    [Fact]
    public void ShortCounts_AreCounted()
    {
        using SimulatedLoop loop = new(1, Harmless);
        using FileDevice device = loop.OpenFile(1 << 20, out _, 512);
        using DeviceModel model = new(device, 1);
        for (int i = 0; i < 200; i++)
        {
            model.SubmitRandom();
            loop.Reactor.Turn(model.IsIdle ? 0 : ulong.MaxValue);
        }
        loop.RunUntil(() => model.IsIdle);
        Assert.True(device.ContinuationCount > 10);
    }

    [Fact]
    public void RangesPastTheEnd_AreRangeFaults_AndReachNoDisk()
    {
        using SimulatedLoop loop = new(1);
        using FileDevice device = loop.OpenFile(10_000, out _);
        Assert.Equal(FaultKind.Range, Run(loop, device, BlockOperation.Read, 9_999, 2).Kind);
        Assert.Equal(FaultKind.Range, Run(loop, device, BlockOperation.Read, ulong.MaxValue, 2).Kind);
        Assert.Equal(FaultKind.Range, Run(loop, device, BlockOperation.Write, 10_001, 0).Kind);
        Assert.Empty(loop.FileIo.Counts);
    }

    [Fact]
    public void WriteToAReadOnlyDevice_IsRefused()
    {
        using SimulatedLoop loop = new(1);
        using FileDevice device = loop.OpenFile(10_000, out _, isReadOnly: true);
        Assert.Equal(Errnos.EROFS, Run(loop, device, BlockOperation.Write, 0, 512).Errno);
        Assert.Equal(Errnos.EROFS, Run(loop, device, BlockOperation.WriteZeroes, 0, 512).Errno);
        Assert.Equal(Errnos.EROFS, Run(loop, device, BlockOperation.Discard, 0, 512).Errno);
        Assert.Empty(loop.FileIo.Counts);
    }

    [Fact]
    public void AFileThatShrank_IsTruncated_AtTheOffsetWhereItEnds()
    {
        using SimulatedLoop loop = new(1);
        using FileDevice device = loop.OpenFile(64 * 1024, out SimulatedDisk disk, 512);
        disk.SizeBytes = 20 * 512;
        Fault fault = Run(loop, device, BlockOperation.Read, 0, 64 * 1024);
        Assert.Equal(FaultKind.Truncated, fault.Kind);
        Assert.Equal(20 * 512ul, fault.OffsetBytes);
        Assert.True(Run(loop, device, BlockOperation.Read, 0, 20 * 512).IsNone);
    }

    [Theory]
    [InlineData(Errnos.EIO, FaultKind.Io)]
    [InlineData(Errnos.ENOSPC, FaultKind.NoSpace)]
    [InlineData(Errnos.EDQUOT, FaultKind.NoSpace)]
    [InlineData(Errnos.ENOMEM, FaultKind.NoMemory)]
    [InlineData(9999, FaultKind.Io)]
    public void KernelErrors_KeepTheirNumberAndOffset(int errno, FaultKind kind)
    {
        using SimulatedLoop loop = new(1);
        using FileDevice device = loop.OpenFile(64 * 1024, out _, 512);
        loop.FileIo.Override = _ => -errno;
        Assert.Equal(new Fault(kind, errno, 4096), Run(loop, device, BlockOperation.Write, 4096, 8192));
    }

    [Fact]
    public void EndlessAgain_EndsAsAFault()
    {
        using SimulatedLoop loop = new(1);
        using FileDevice device = loop.OpenFile(64 * 1024, out _, 512);
        loop.FileIo.Override = _ => -Errnos.EAGAIN;
        Assert.Equal(Errnos.EAGAIN, Run(loop, device, BlockOperation.Read, 0, 512).Errno);
    }

    [Fact]
    public void RefusedPunch_IsNotTriedAgain_AndZeroesAreWritten()
    {
        using SimulatedLoop loop = new(1, new SimulatedFaults { RefusesAllocate = true });
        using FileDevice device = loop.OpenFile(1 << 20, out SimulatedDisk disk, 512);
        disk.Content.AsSpan().Fill(7);
        Assert.True(Run(loop, device, BlockOperation.WriteZeroes, 512, 600_000, BlockFlags.MayUnmap).IsNone);
        Assert.Equal(1ul, loop.FileIo.Counts[FileOperation.Punch]);
        Assert.Equal(1ul, loop.FileIo.Counts[FileOperation.ZeroRange]);
        Assert.True(Run(loop, device, BlockOperation.WriteZeroes, 700_000, 1_000).IsNone);
        Assert.Equal(1ul, loop.FileIo.Counts[FileOperation.Punch]);
        Assert.Equal(1ul, loop.FileIo.Counts[FileOperation.ZeroRange]);
        byte[] expected = new byte[1 << 20];
        expected.AsSpan().Fill(7);
        expected.AsSpan(512, 600_000).Clear();
        expected.AsSpan(700_000, 1_000).Clear();
        Assert.True(expected.AsSpan().SequenceEqual(disk.Content));
    }

    [Fact]
    public void MisalignedPunch_FallsBackForOnce_AndStaysInUse()
    {
        using SimulatedLoop loop = new(1);
        using FileDevice device = loop.OpenFile(1 << 20, out _, 512);
        loop.FileIo.Override = command =>
            command.Operation is FileOperation.Punch or FileOperation.ZeroRange ? -Errnos.EINVAL : null;
        Assert.True(Run(loop, device, BlockOperation.WriteZeroes, 0, 4096, BlockFlags.MayUnmap).IsNone);
        loop.FileIo.Override = null;
        loop.FileIo.Counts.Clear();
        Assert.True(Run(loop, device, BlockOperation.WriteZeroes, 0, 4096, BlockFlags.MayUnmap).IsNone);
        Assert.Equal(1ul, loop.FileIo.Counts[FileOperation.Punch]);
        Assert.False(loop.FileIo.Counts.ContainsKey(FileOperation.Write));
    }

    [Fact]
    public void ZeroesThatMustBeFast_AreNeverWritten()
    {
        const BlockFlags fast = BlockFlags.FastOnly;
        Fault refused = new(FaultKind.Unsupported, Errnos.EOPNOTSUPP, 4096);
        using SimulatedLoop loop = new(1, new SimulatedFaults { RefusesAllocate = true });
        using FileDevice device = loop.OpenFile(1 << 20, out SimulatedDisk disk, 512);
        disk.Content.AsSpan().Fill(7);
        Assert.Equal(refused, Run(loop, device, BlockOperation.WriteZeroes, 4096, 8192, fast | BlockFlags.MayUnmap));
        Assert.Equal(refused, Run(loop, device, BlockOperation.WriteZeroes, 4096, 8192, fast));
        Assert.Equal(1ul, loop.FileIo.Counts[FileOperation.Punch]);
        Assert.False(loop.FileIo.Counts.ContainsKey(FileOperation.Write));
        Assert.True(disk.Content.AsSpan().IndexOfAnyExcept((byte)7) < 0);
        Assert.True(Run(loop, device, BlockOperation.WriteZeroes, 4096, 8192).IsNone);
        Assert.True(loop.FileIo.Counts.ContainsKey(FileOperation.Write));
    }

    /// <summary>The kernel writes them itself where a block device has no command for that, and says nothing.</summary>
    [Fact]
    public void ZeroesOfABlockDevice_AreFastOnly_WhereTheyMayDeallocate()
    {
        RangeClearing file = new(isRangeWritten: false);
        RangeClearing disk = new(isRangeWritten: true);
        BlockRequest request = new() { Operation = BlockOperation.WriteZeroes, Flags = BlockFlags.FastOnly };
        Fault none = default;
        Fault refusal = default;
        Assert.Equal(FileStep.Clear, file.FirstStep(request, ref none));
        _ = disk.FirstStep(request, ref refusal);
        Assert.Equal((0, Errnos.EOPNOTSUPP), (none.Errno, refusal.Errno));
        request.Flags |= BlockFlags.MayUnmap;
        Assert.Equal(FileStep.Clear, disk.FirstStep(request, ref none));
        FileSlot slot = new();
        slot.Begin(request);
        slot.ClearOperation = disk.OperationOf(request);
        Assert.Equal(FileStep.Finished, disk.AfterRefusal(slot, isOnce: false));
        Assert.True(none.IsNone);
    }

    [Fact]
    public void RefusedDiscard_IsSuccess()
    {
        using SimulatedLoop loop = new(1, new SimulatedFaults { RefusesAllocate = true });
        using FileDevice device = loop.OpenFile(1 << 20, out _, 512);
        Assert.True(Run(loop, device, BlockOperation.Discard, 0, 4096).IsNone);
        Assert.True(Run(loop, device, BlockOperation.Discard, 0, 4096).IsNone);
        Assert.Equal(1ul, loop.FileIo.Counts[FileOperation.Discard]);
    }

    [Fact]
    public void DurableZeroes_AreFlushed()
    {
        using SimulatedLoop loop = new(1);
        using FileDevice device = loop.OpenFile(1 << 20, out _, 512);
        Assert.True(Run(loop, device, BlockOperation.WriteZeroes, 0, 4096, BlockFlags.Fua).IsNone);
        Assert.Equal(1ul, loop.FileIo.Counts[FileOperation.Flush]);
    }

    [Fact]
    public void UnalignedTailWrite_NeverGrowsTheFile()
    {
        // The simulated disk fails an invariant when a write passes the file's size.
        using SimulatedLoop loop = new(1);
        using FileDevice device = loop.OpenFile(100_003, out SimulatedDisk disk, 4096);
        disk.Content.AsSpan().Fill(7);
        Assert.True(Run(loop, device, BlockOperation.Write, 98_304, 100_003 - 98_304).IsNone);
        Assert.Equal(7, disk.Content[98_303]);
        Assert.Equal(0, disk.Content[98_304]);
        Assert.Equal(0, disk.Content[100_002]);
    }

    static Fault Run(
        SimulatedLoop loop,
        FileDevice device,
        BlockOperation operation,
        ulong offsetBytes,
        ulong lengthBytes,
        BlockFlags flags = BlockFlags.None
    )
    {
        using AlignedRegion buffer = AlignedRegion.Map(Math.Max(lengthBytes, 1), RegionResidency.Resident);
        OneResult result = new();
        BlockRequest request = new()
        {
            Operation = operation,
            Flags = flags,
            OffsetBytes = offsetBytes,
            LengthBytes = lengthBytes,
            Buffer = buffer.Start,
            Owner = result,
        };
        device.Submit(request);
        Assert.Null(result.Fault);
        loop.RunUntil(() => result.Fault != null);
        return result.Fault!.Value;
    }

    sealed class OneResult : IBlockOwner
    {
        public Fault? Fault { get; private set; }

        public void OnBlockCompleted(ulong userData, in BlockResult result)
        {
            Assert.Null(Fault);
            Fault = result.Fault;
        }
    }
}
