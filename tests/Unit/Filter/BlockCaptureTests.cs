// Captures of single blocks, one event after the other: clusters of eight blocks of 512 bytes.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class BlockCaptureTests
{
    const ulong Cluster = FilterBench.Cluster;
    const ulong Block = 512;

    readonly FilterBench _bench = new(bufferCount: 32);
    readonly List<Extent> _reads = [];

    static BackupOptions Options(BackupSync sync = BackupSync.None) =>
        new()
        {
            Sync = sync,
            Filter = new FilterOptions { BlockBytes = (uint)Block },
        };

    BackupJob Start(BackupOptions options, bool hasView = false)
    {
        BackupJob job = _bench.Create(options, hasView: hasView);
        Note(_ => false);
        job.Start(_bench.Loop.Reactor);
        return job;
    }

    /// <summary>Holds some commands, and writes down all reads of the source.</summary>
    void Note(Predicate<FileCommand> holds) =>
        _bench.Loop.FileIo.Holds = command =>
        {
            if (_bench.IsSourceRead(command))
                _reads.Add(new Extent(command.OffsetBytes, command.LengthBytes));
            return holds(command);
        };

    void Settle() => _bench.Loop.RunFor(Units.NsPerMs);

    /// <summary>A guest's whole write: asks leave, and is expected to get it.</summary>
    void Write(ulong offsetBytes, ulong lengthBytes)
    {
        GuestProbe guest = new(_bench.Disk, offsetBytes, lengthBytes);
        Settle();
        Assert.True(guest.IsGranted);
        byte[] bytes = new byte[lengthBytes];
        Array.Fill(bytes, (byte)9);
        _bench.Source.Write(offsetBytes, bytes);
        _bench.Disk.EndWrite();
    }

    [Fact]
    public void AWrite_WaitsForItsBlock_AndTheNextOneThereForNothing()
    {
        Start(Options());
        Write(3 * Cluster + 2 * Block, Block);
        Assert.Equal([new Extent(3 * Cluster + 2 * Block, Block)], _reads);
        Assert.Equal(Grant.Granted, new GuestProbe(_bench.Disk, 3 * Cluster + 2 * Block + 100, 300).Grant);
        Assert.Equal(Grant.Pending, new GuestProbe(_bench.Disk, 3 * Cluster + 2 * Block, Block + 1).Grant);
    }

    [Fact]
    public void AWriteOfPartsOfTwoBlocksOfTwoClusters_CapturesBoth()
    {
        Start(Options());
        Write(4 * Cluster - 100, 200);
        Assert.Equal([new Extent(4 * Cluster, Block), new Extent(4 * Cluster - Block, Block)], ByPlace().Reverse());
        Write(4 * Cluster - Block, 2 * Block);
        Assert.Equal(2, _reads.Count);
    }

    IEnumerable<Extent> ByPlace() => _reads.OrderBy(read => read.OffsetBytes);

    [Fact]
    public void TheJob_WritesAPartlyCapturedClusterOnce_AsItWas()
    {
        int writes = 0;
        BackupJob job = Start(Options(BackupSync.Full) with { SpeedBytesPerSecond = 20 * Cluster });
        Write(14 * Cluster + 2 * Block, Block);
        Write(14 * Cluster + 5 * Block, 100);
        Assert.Equal(2, _reads.Count(read => read.LengthBytes == Block));
        Note(command =>
        {
            writes += _bench.IsTargetWrite(command) && command.OffsetBytes / Cluster == 14 ? 1 : 0;
            return false;
        });
        _bench.Loop.RunFor(2 * Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(_bench.CapacityBytes, job.Query().DoneBytes);
        Assert.Contains(new Extent(14 * Cluster, Cluster), _reads);
        Assert.Equal(1, writes);
        Assert.DoesNotContain(_bench.LastTarget.Content, one => one != 1);
        Assert.Equal(0ul, _bench.Pool.KeptBytes);
    }

    [Fact]
    public void ARangeOfMoreThanHalf_OrBlockAfterBlock_IsCapturedAsAWholeCluster()
    {
        Start(Options());
        Write(2 * Cluster, 5 * Block);
        Assert.Equal(new Extent(2 * Cluster, Cluster), _reads[^1]);
        Write(3 * Cluster, Block);
        Write(3 * Cluster + Block, Block);
        Assert.Equal(new Extent(3 * Cluster, Cluster), _reads[^1]);
        Write(3 * Cluster, Cluster);
        Assert.Equal(3, _reads.Count);
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.DoesNotContain(
            _bench.LastTarget.Content.AsSpan((int)(2 * Cluster), (int)(2 * Cluster)).ToArray(),
            one => one != 1
        );
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(9)]
    [InlineData(14)]
    public void AWriteOfPartsOfTwoClusters_AndAllBetweenThem_PassesWhateverItsLength(ulong clusters)
    {
        BackupJob job = Start(Options());
        Write(Cluster - Block, (clusters - 2) * Cluster + 2 * Block);
        Write(Cluster - Block, (clusters - 2) * Cluster + 2 * Block);
        Assert.Equal(2, _reads.Count(read => read.LengthBytes == Block));
        Assert.Equal((clusters - 2) * Cluster, job.Filter.Engine.Counters.ReadBytes);
    }

    [Fact]
    public void TwoGuestsInOneCluster_WaitForTheirOwnBlocks()
    {
        Start(Options());
        Note(command => _bench.IsSourceRead(command) && command.OffsetBytes == 5 * Block);
        GuestProbe slow = new(_bench.Disk, 5 * Block, Block);
        GuestProbe quick = new(_bench.Disk, 1 * Block, Block);
        Settle();
        Assert.False(slow.IsAnswered);
        Assert.True(quick.IsGranted);
        _bench.Loop.FileIo.ReleaseHeld();
        Settle();
        Assert.True(slow.IsGranted);
    }

    [Fact]
    public void AClusterThatIsReadBeforeItsBlock_LetsGuestsGo_AndTheLateReadIsDropped()
    {
        BackupJob job = Start(Options());
        Note(command => _bench.IsSourceRead(command) && command.LengthBytes == Block);
        GuestProbe small = new(_bench.Disk, 5 * Block, Block);
        GuestProbe large = new(_bench.Disk, 0, Cluster);
        Settle();
        Assert.True(large.IsGranted);
        Assert.True(small.IsGranted);
        _bench.Source.Write(0, new byte[Cluster]);
        _bench.Loop.FileIo.ReleaseHeld();
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal(0ul, _bench.Pool.KeptBytes);
        Assert.Equal(Cluster, job.Query().DoneBytes);
        Assert.DoesNotContain(_bench.LastTarget.Content.AsSpan(0, (int)Cluster).ToArray(), one => one != 1);
    }

    [Fact]
    public void AReader_HasCapturedBlocksFromMemory_AndTheRestFromTheDisk()
    {
        BackupJob job = Start(Options(), hasView: true);
        Write(2 * Cluster + 3 * Block, 2 * Block);
        _reads.Clear();
        ViewRead read = new(job.View!, Cluster + 10, 2 * Cluster);
        Settle();
        Assert.All(read.Bytes.ToArray(), one => Assert.Equal(1, one));
        Assert.DoesNotContain(_reads, one => one.Overlaps(new Extent(2 * Cluster + 3 * Block, 2 * Block)));
    }

    [Fact]
    public void ABlockThatAReaderReadsFromTheDisk_IsNotOverwrittenBeforeItHasEnded()
    {
        BackupJob job = Start(Options(), hasView: true);
        Note(command => _bench.IsSourceRead(command) && command.LengthBytes == Cluster);
        _ = new ViewRead(job.View!, 0, Cluster);
        GuestProbe guest = new(_bench.Disk, 3 * Block, Block);
        Settle();
        Assert.Contains(new Extent(3 * Block, Block), _reads);
        Assert.False(guest.IsAnswered);
        _bench.Loop.FileIo.ReleaseHeld();
        Settle();
        Assert.True(guest.IsGranted);
    }

    [Fact]
    public void ABlockThatCannotBeRead_BreaksTheSnapshot_NotTheGuest()
    {
        BackupJob job = Start(Options());
        _bench.Loop.FileIo.Override = command => _bench.IsSourceRead(command) ? -Errnos.EIO : null;
        GuestProbe guest = new(_bench.Disk, 3 * Block, Block);
        Settle();
        Assert.True(guest.IsGranted);
        _bench.Disk.EndWrite();
        Settle();
        Assert.Equal(Errnos.EIO, job.Query().Fault.Errno);
        Assert.Equal(_bench.Pool.UnitCount, _bench.Pool.FreeUnitCount);
    }

    [Fact]
    public void WithBreakGuestWrite_ClustersAreCapturedWhole()
    {
        FilterOptions filter = new() { BlockBytes = (uint)Block, OnCbwError = CbwErrorPolicy.BreakGuestWrite };
        Start(new BackupOptions { Sync = BackupSync.None, Filter = filter });
        Write(3 * Block, Block);
        Assert.Equal([new Extent(0, Cluster)], _reads);
    }

    [Fact]
    public void WhenMemoryRunsShort_TheOldestClustersGoToTheTarget()
    {
        FilterBench bench = new(clusterCount: 256, bufferCount: 16);
        BackupJob job = bench.Start(Options());
        for (ulong cluster = 0; cluster < 256; cluster++)
        {
            GuestProbe guest = new(bench.Disk, cluster * Cluster + 2 * Block, Block);
            bench.Loop.RunFor(20_000);
            Assert.True(guest.IsGranted, $"cluster {cluster}");
            bench.Source.Write(cluster * Cluster + 2 * Block, new byte[Block]);
            bench.Disk.EndWrite();
        }
        bench.Loop.RunFor(Units.NsPerSecond);
        ulong doneBytes = job.Query().DoneBytes;
        Assert.InRange(doneBytes, 200 * Cluster, 250 * Cluster);
        Assert.DoesNotContain((byte)0, bench.LastTarget.Content.AsSpan(0, (int)(150 * Cluster)).ToArray());
        Assert.InRange(bench.Pool.KeptBytes, 1ul, bench.Pool.KeptBytesMax);
        job.Cancel();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal(bench.Pool.UnitCount, bench.Pool.FreeUnitCount);
    }

    [Fact]
    public void ACancel_WithAReadOfABlockUnderWay_EndsTheJob_AndTheMemoryComesBack()
    {
        BackupJob job = Start(Options());
        Write(4 * Cluster, Block);
        Note(_bench.IsSourceRead);
        GuestProbe guest = new(_bench.Disk, 3 * Block, Block);
        Settle();
        job.Cancel();
        Settle();
        Assert.True(guest.IsGranted); // the snapshot is given up
        _bench.Disk.EndWrite();
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsEnded);
        job.Dispose();
        Assert.Equal(_bench.Pool.UnitCount - 1, _bench.Pool.FreeUnitCount);
        _bench.Loop.FileIo.ReleaseHeld();
        Settle();
        Assert.Equal(_bench.Pool.UnitCount, _bench.Pool.FreeUnitCount);
    }

    [Fact]
    public void AHoleThatWasDataAtThePointInTime_IsCopiedFromWhatWasCaptured()
    {
        _bench.Source.Punch(4 * Cluster, Cluster);
        _bench.Source.Write(4 * Cluster, Ones(Block)); // the rest of the cluster reads as zeroes
        BackupJob job = _bench.Create(Options(BackupSync.Full));
        _bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Map;
        job.Start(_bench.Loop.Reactor);
        GuestProbe guest = new(_bench.Disk, 4 * Cluster, Block);
        Settle();
        Assert.True(guest.IsGranted);
        _bench.Source.Punch(4 * Cluster, Cluster);
        _bench.Disk.EndWrite();
        _bench.Loop.FileIo.ReleaseHeld();
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(Ones(Block), _bench.LastTarget.Content.AsSpan((int)(4 * Cluster), (int)Block).ToArray());
        Assert.Equal(
            new byte[Cluster - Block],
            _bench.LastTarget.Content.AsSpan((int)(4 * Cluster + Block), (int)(Cluster - Block)).ToArray()
        );
    }

    [Fact]
    public void AClusterThatCouldNotBeRead_KeepsItsCapturedBlocks()
    {
        BackupJob job = Start(
            Options(BackupSync.Full) with
            {
                SpeedBytesPerSecond = 20 * Cluster,
                OnSourceError = ErrorPolicy.Ignore,
            }
        );
        Write(14 * Cluster + 2 * Block, Block);
        int failures = 2;
        _bench.Loop.FileIo.Override = command =>
            _bench.IsSourceRead(command) && command.OffsetBytes == 14 * Cluster && failures-- > 0 ? -Errnos.EIO : null;
        _bench.Loop.RunFor(10 * Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.True(failures < 0);
        Assert.DoesNotContain(_bench.LastTarget.Content, one => one != 1);
    }

    static byte[] Ones(ulong lengthBytes)
    {
        byte[] ones = new byte[lengthBytes];
        Array.Fill(ones, (byte)1);
        return ones;
    }

    sealed class ViewRead : IBlockOwner
    {
        readonly AlignedRegion _memory = AlignedRegion.Map(4 * Cluster, RegionResidency.Resident);
        readonly int _lengthBytes;
        bool _isAnswered;

        public ViewRead(SnapshotView view, ulong offsetBytes, ulong lengthBytes)
        {
            _lengthBytes = (int)lengthBytes;
            BlockRequest request = default;
            request.Operation = BlockOperation.Read;
            (request.OffsetBytes, request.LengthBytes) = (offsetBytes, lengthBytes);
            (request.Buffer, request.Owner) = (_memory.Start, this);
            view.Submit(request);
        }

        public ReadOnlySpan<byte> Bytes => _isAnswered ? _memory.Slice(0, _lengthBytes) : default;

        public void OnBlockCompleted(ulong userData, in BlockResult result)
        {
            Assert.True(result.Fault.IsNone);
            _isAnswered = true;
        }
    }
}
