// What a guest pays for writing to a hole of a disk that is being backed up: nothing, from the moment on when the
// source has told of it; and the point in time keeps its zeroes, on the target and for its readers.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed unsafe class HoleWriteTests : IBlockOwner
{
    const ulong Cluster = FilterBench.Cluster;
    const ulong ClusterCount = 1000;

    readonly FilterBench _bench = new(ClusterCount);
    int _answerCount;

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        Assert.True(result.Fault.IsNone);
        _answerCount++;
    }

    [Theory]
    [InlineData(CbwErrorPolicy.BreakSnapshot)]
    [InlineData(CbwErrorPolicy.BreakGuestWrite)]
    public void ARandomWriter_OnADiskOfHoles_WaitsForReadsOfItsDataOnly(CbwErrorPolicy policy)
    {
        BackupJob job = StartSparse(policy, speedBytesPerSecond: 1);
        _bench.Loop.RunFor(Units.NsPerMs);
        Prng prng = new(7);
        int waited = 0;
        bool[] isWritten = new bool[ClusterCount];
        ulong before = ReadCount;
        int toData = 0;
        for (int i = 0; i < 400; i++)
        {
            ulong cluster = prng.Below(ClusterCount);
            toData += cluster % 10 == 0 && !isWritten[cluster] ? 1 : 0;
            isWritten[cluster] = true;
            waited += Write(cluster) ? 1 : 0;
        }
        Assert.InRange(toData, 20, 60);
        Assert.Equal(((ulong)toData, toData), (ReadCount - before, waited));
        Finish(job);
    }

    [Fact]
    public void AHoleThatIsOverwritten_IsZeroOnTheTarget_AndForReaders_AndProgressOnce()
    {
        BackupJob job = StartSparse(CbwErrorPolicy.BreakSnapshot, speedBytesPerSecond: 1);
        _bench.Loop.RunFor(Units.NsPerMs);
        for (ulong cluster = 1; cluster < 9; cluster++)
            Assert.False(Write(cluster));
        using AlignedRegion memory = AlignedRegion.Map(10 * Cluster, RegionResidency.Resident);
        Span<byte> bytes = new((void*)memory.Start, (int)(10 * Cluster));
        bytes.Fill(5);
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        (request.LengthBytes, request.Buffer, request.Owner) = (10 * Cluster, memory.Start, this);
        job.View!.Submit(request);
        _bench.Loop.RunUntil(() => _answerCount == 1);
        Assert.Equal(Cluster, (ulong)bytes.Count((byte)1));
        Assert.Equal(9 * Cluster, (ulong)bytes.Count((byte)0));
        Finish(job);
    }

    [Fact]
    public void ZeroesThatTheTargetRefuses_AreMadeAgain_AndNotReadFromWhatAGuestWroteThere()
    {
        BackupJob job = StartSparse(CbwErrorPolicy.BreakSnapshot, 0, ErrorPolicy.Ignore);
        int failures = 5;
        _bench.Loop.FileIo.Override = command =>
            command.File.Fd == _bench.LastTarget.Handle.Fd
            && command.Operation is not (FileOperation.Write or FileOperation.Read or FileOperation.Map)
            && failures-- > 0
                ? -Errnos.EIO
                : null;
        _bench.Loop.RunUntil(() => job.Filter.Map.Zeroes.CountBits() > 0);
        for (ulong cluster = 1; cluster < 9; cluster++)
            Assert.False(Write(cluster));
        Finish(job);
        Assert.True(failures < 0);
    }

    [Fact]
    public void ASourceThatDoesNotTellItsMap_HoldsNeitherGuestsNorTheJob()
    {
        _bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Map;
        BackupJob job = StartSparse(CbwErrorPolicy.BreakSnapshot, 0);
        Assert.True(Write(1)); // as data
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        _bench.Loop.FileIo.Holds = _ => false;
        job.Dispose();
        _bench.Loop.FileIo.ReleaseHeld(); // the late answer has its memory still
        _bench.Loop.RunFor(Units.NsPerMs);
        AssertTarget();
    }

    ulong ReadCount => _bench.Loop.FileIo.Counts.GetValueOrDefault(FileOperation.Read);

    /// <summary>Every tenth cluster has data; the target has something else everywhere.</summary>
    BackupJob StartSparse(CbwErrorPolicy policy, ulong speedBytesPerSecond, ErrorPolicy onError = ErrorPolicy.Report)
    {
        for (ulong cluster = 0; cluster < ClusterCount; cluster++)
            if (cluster % 10 != 0)
                _bench.Source.Punch(cluster * Cluster, Cluster);
        BackupOptions options = new()
        {
            SpeedBytesPerSecond = speedBytesPerSecond,
            OnTargetError = onError,
            Filter = new FilterOptions { OnCbwError = policy },
        };
        BackupJob job = _bench.Create(options, hasView: true);
        Array.Fill(_bench.LastTarget.Content, (byte)9);
        job.Start(_bench.Loop.Reactor);
        return job;
    }

    /// <returns>Whether it had to wait.</returns>
    bool Write(ulong cluster)
    {
        GuestProbe guest = new(_bench.Disk, cluster * Cluster, 512);
        bool hasWaited = !guest.IsGranted;
        _bench.Loop.RunUntil(() => guest.IsGranted);
        _bench.Source.Write(cluster * Cluster, new byte[] { 3 });
        _bench.Disk.EndWrite();
        return hasWaited;
    }

    void Finish(BackupJob job)
    {
        job.SetSpeed(0);
        _bench.Loop.RunFor(10 * Units.NsPerSecond);
        JobProgress progress = job.Query();
        Assert.Equal((true, _bench.CapacityBytes), (progress.IsSuccess, progress.DoneBytes));
        AssertTarget();
    }

    void AssertTarget()
    {
        ReadOnlySpan<byte> content = _bench.LastTarget.Content;
        for (ulong cluster = 0; cluster < ClusterCount; cluster++)
            Assert.Equal(
                -1,
                content
                    .Slice((int)(cluster * Cluster), (int)Cluster)
                    .IndexOfAnyExcept((byte)(cluster % 10 == 0 ? 1 : 0))
            );
    }
}
