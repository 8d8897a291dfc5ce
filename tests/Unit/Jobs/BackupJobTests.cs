// The backup job on simulated disks: what the target holds at the end, and what is left after a failure.
using System;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class BackupJobTests
{
    static readonly SimulatedFaults Harmless = new()
    {
        ShortCount = 100,
        Again = 30,
        Interrupted = 30,
        MisalignedAllocate = 50,
    };

    [Fact]
    public void Full_MakesTheTargetEqual_OnAnyGeometry()
    {
        TestSeed.ForEach(150, Run);
        static void Run(ulong seed)
        {
            using JobBench bench = new(seed, Harmless);
            BackupJob job = bench.Start();
            bench.RunToEnd();
            JobProgress progress = job.Query();
            Assert.Equal(Fault.None, progress.Fault);
            Assert.True(progress.IsSuccess);
            Assert.Equal(progress.TotalBytes, progress.DoneBytes);
            Assert.Equal(bench.CapacityBytes, progress.TotalBytes);
            Assert.Equal(
                progress.DoneBytes,
                progress.WrittenBytes + progress.SkippedZeroBytes + progress.WrittenZeroBytes
            );
            Assert.Equal(0ul, job.Todo.CountBits());
            Assert.True(bench.Source.Content.AsSpan().SequenceEqual(bench.TargetContent));
            Assert.True(bench.Loop.FileIo.Counts[FileOperation.Flush] >= 1);
        }
    }

    [Fact]
    public void Top_CopiesData_AndLeavesTheRestOfTheTargetAlone()
    {
        TestSeed.ForEach(100, Run);
        static void Run(ulong seed)
        {
            using JobBench bench = new(seed, Harmless);
            byte[] before = bench.Target.Content.AsSpan().ToArray();
            BackupJob job = bench.Start(BackupSync.Top);
            bench.RunToEnd();
            Assert.Equal(Fault.None, job.Query().Fault);
            Assert.Equal(job.Query().TotalBytes, job.Query().DoneBytes);
            for (ulong offset = 0; offset < bench.CapacityBytes; offset += bench.ClusterBytes)
            {
                int length = (int)Math.Min(bench.ClusterBytes, bench.CapacityBytes - offset);
                bool isData = bench.HasData(offset, (ulong)length);
                ReadOnlySpan<byte> expected = isData ? bench.Source.Content : before;
                Assert.True(
                    expected.Slice((int)offset, length).SequenceEqual(bench.TargetContent.Slice((int)offset, length)),
                    $"cluster at {offset}, data {isData}"
                );
            }
        }
    }

    /// <summary>What is not the top layer's must not be written: then rather nothing.</summary>
    [Fact]
    public void Top_OfASourceThatCannotTellWhatItHas_Fails()
    {
        TestSeed.ForEach(40, Run);
        static void Run(ulong seed)
        {
            using JobBench bench = new(seed, Harmless with { MapError = 1000 });
            byte[] before = bench.Target.Content.AsSpan().ToArray();
            BackupJob job = bench.Start(BackupSync.Top);
            bench.RunToEnd();
            Assert.Equal((FaultKind.Io, true), (job.Query().Fault.Kind, job.Query().IsSourceFault));
            Assert.True(before.AsSpan().SequenceEqual(bench.Target.Content), "something was copied");
            using JobBench full = new(seed, Harmless with { MapError = 1000 });
            job = full.Start();
            full.RunToEnd();
            Assert.True(job.Query().IsSuccess);
        }
    }

    [Fact]
    public void AnyFailure_LeavesExactlyTheUncopiedMarked()
    {
        int failed = 0;
        TestSeed.ForEach(150, Run);
        Assert.InRange(failed, 60, 150); // else the faults never fired
        void Run(ulong seed)
        {
            SimulatedFaults faults = Harmless with
            {
                ReadError = seed % 3 == 0 ? 100u : 0,
                WriteError = seed % 3 == 1 ? 100u : 0,
                NoSpace = seed % 3 == 2 ? 100u : 0,
            };
            using JobBench bench = new(seed, faults);
            BackupJob job = bench.Start();
            bench.RunToEnd();
            JobProgress progress = job.Query();
            bench.AssertCleanMeansCopied();
            if (progress.Fault.IsNone)
                return;
            failed++;
            Assert.Equal(seed % 3 == 0, progress.IsSourceFault);
            Assert.Equal(seed % 3 == 2 ? FaultKind.NoSpace : FaultKind.Io, progress.Fault.Kind);
            Assert.True(progress.Fault.OffsetBytes < bench.CapacityBytes);
            Assert.True(job.Todo.CountBits() > 0);
            Assert.True(progress.DoneBytes <= progress.TotalBytes);
        }
    }

    [Fact]
    public void Cancel_AtAnyMoment_Concludes_AndKeepsTheRestMarked()
    {
        TestSeed.ForEach(100, Run);
        static void Run(ulong seed)
        {
            using JobBench bench = new(seed, Harmless);
            BackupJob job = bench.Start();
            ulong turns = new Prng(seed).Below(40);
            for (ulong i = 0; i < turns && !job.Query().IsEnded; i++)
                bench.Loop.Reactor.Turn(ulong.MaxValue);
            bool wasEnded = job.Query().IsEnded;
            Assert.Equal(wasEnded ? FaultKind.State : FaultKind.None, job.Cancel().Kind);
            bench.RunToEnd();
            Assert.Equal(wasEnded ? FaultKind.None : FaultKind.Canceled, job.Query().Fault.Kind);
            bench.AssertCleanMeansCopied();
            Assert.Equal(FaultKind.State, job.Cancel().Kind);
        }
    }

    [Fact]
    public void AFlushThatFails_FailsTheJob()
    {
        using JobBench bench = new(1, new SimulatedFaults { FlushError = 1000 });
        BackupJob job = bench.Start();
        bench.RunToEnd();
        Assert.Equal(Errnos.EIO, job.Query().Fault.Errno);
        Assert.False(job.Query().IsSuccess);
    }

    [Fact]
    public void ASourceThatShrinks_FailsTheJob_WithItsEnd()
    {
        using JobBench bench = new(2, new SimulatedFaults(), isDense: true);
        bench.Source.SizeBytes = 512;
        BackupJob job = bench.Start();
        bench.RunToEnd();
        Assert.Equal(FaultKind.Truncated, job.Query().Fault.Kind);
        Assert.True(job.Query().IsSourceFault);
    }

    [Fact]
    public void Pause_StartsNothingMore_UntilBothKindsAreResumed()
    {
        using JobBench bench = new(3, new SimulatedFaults(), isDense: true);
        BackupJob job = bench.Start();
        bench.Loop.Reactor.Turn(ulong.MaxValue);
        Assert.True(job.Pause().IsNone);
        Assert.Equal(FaultKind.State, job.Pause().Kind);
        job.PauseInternally();
        bench.Loop.RunUntil(() => bench.Loop.FileIo.InFlightCount == 0);
        JobProgress paused = job.Query();
        Assert.Equal(JobStatus.Paused, paused.Status);
        Assert.Equal(0ul, paused.InFlightBytes);
        Assert.True(paused.DoneBytes < paused.TotalBytes);
        Assert.True(job.Resume().IsNone);
        Assert.Equal(FaultKind.State, job.Resume().Kind);
        Assert.False(bench.Loop.Reactor.Turn(0));
        Assert.Equal(JobStatus.Paused, job.Query().Status); // the internal pause counts apart
        job.ResumeInternally();
        bench.RunToEnd();
        Assert.True(job.Query().IsSuccess);
    }

    [Fact]
    public void Cancel_OfAPausedJob_EndsIt()
    {
        using JobBench bench = new(3, new SimulatedFaults(), isDense: true);
        BackupJob job = bench.Start();
        bench.Loop.Reactor.Turn(ulong.MaxValue);
        Assert.True(job.Pause().IsNone);
        Assert.True(job.Cancel().IsNone);
        bench.RunToEnd();
        Assert.Equal(FaultKind.Canceled, job.Query().Fault.Kind);
    }

    [Fact]
    public void Speed_IsKept_AndCanBeRaisedWhileRunning()
    {
        using JobBench bench = new(4, new SimulatedFaults(), isDense: true, capacityBytes: 16 << 20);
        ulong startNs = bench.Loop.Clock.NowNs;
        BackupJob job = bench.Start(speedBytesPerSecond: 1 << 20);
        bench.Loop.RunUntil(() => job.Query().DoneBytes >= 4 << 20);
        double seconds = (bench.Loop.Clock.NowNs - startNs) / 1e9;
        Assert.InRange(seconds, 2.5, 4.5); // 4 MiB at 1 MiB/s less one burst and one chunk
        Assert.True(job.SetSpeed(0).IsNone);
        ulong raisedNs = bench.Loop.Clock.NowNs;
        bench.RunToEnd();
        Assert.True(job.Query().IsSuccess);
        Assert.InRange((bench.Loop.Clock.NowNs - raisedNs) / 1e9, 0, 1);
    }

    [Fact]
    public void AnEmptyDevice_IsDoneAtOnce()
    {
        using JobBench bench = new(5, new SimulatedFaults(), capacityBytes: 0);
        BackupJob job = bench.Start();
        bench.RunToEnd();
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(0ul, job.Query().TotalBytes);
    }

    [Fact]
    public void Progress_NeverGoesBackwards()
    {
        using JobBench bench = new(6, Harmless);
        BackupJob job = bench.Start();
        ulong last = 0;
        while (!job.Query().IsEnded)
        {
            bench.Loop.Reactor.Turn(ulong.MaxValue);
            JobProgress progress = job.Query();
            Assert.InRange(progress.DoneBytes, last, progress.TotalBytes);
            last = progress.DoneBytes;
        }
        Assert.Equal(job.Query().TotalBytes, last);
    }

    [Theory]
    [InlineData(65_537u, "power of two")]
    [InlineData(2048u, "below the smallest")]
    [InlineData(1u << 30, "above the I/O buffer size")]
    public void BadClusters_AreRefused_WithTheValueAndTheRule(uint clusterBytes, string rule)
    {
        using JobBench bench = new(7, new SimulatedFaults());
        OpenRefusal refusal = bench.TryCreate(
            new BackupOptions { Filter = new FilterOptions { ClusterBytes = clusterBytes } },
            out BackupJob? job
        );
        Assert.Null(job);
        Assert.Contains(rule, refusal.Sentence, StringComparison.Ordinal);
        Assert.Contains(
            clusterBytes.ToString(System.Globalization.CultureInfo.InvariantCulture),
            refusal.Sentence,
            StringComparison.Ordinal
        );
    }
}
