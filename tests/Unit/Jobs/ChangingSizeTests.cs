// A source or a target that has another size at the end than at the beginning: never a success, and never a target that
// looks whole. One that was larger than its disk from the beginning has only to stay so.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class ChangingSizeTests
{
    const ulong Capacity = 1 << 20;

    [Theory]
    [InlineData(BackupSync.Full, -4096, FaultKind.Truncated)]
    [InlineData(BackupSync.Full, 1, FaultKind.Grown)]
    [InlineData(BackupSync.Top, -4096, FaultKind.Truncated)]
    [InlineData(BackupSync.Top, 1, FaultKind.Grown)]
    public void SourceThatChangesInsideAHole_IsItsFault(BackupSync sync, int change, FaultKind expected)
    {
        using JobBench bench = new(5, new SimulatedFaults(), capacityBytes: Capacity);
        bench.Source.Punch(Capacity / 2, Capacity / 2);
        BackupJob job = bench.Start(sync);
        RunPastTheBeginning(bench);
        bench.Source.SizeBytes = (ulong)((long)Capacity + change);
        bench.RunToEnd();
        AssertFailed(bench, job, expected, isSource: true);
    }

    [Theory]
    [InlineData(-1, FaultKind.Truncated)]
    [InlineData(1, FaultKind.Grown)]
    public void TargetThatChanges_IsItsFault(int change, FaultKind expected)
    {
        using JobBench bench = new(5, new SimulatedFaults(), capacityBytes: Capacity);
        BackupJob job = bench.Start();
        RunPastTheBeginning(bench);
        bench.Target.SizeBytes = (ulong)(bench.Target.Content.Length + change);
        bench.RunToEnd();
        AssertFailed(bench, job, expected, isSource: false);
    }

    [Fact]
    public void SourceThatIsShortBeforeItBegins_FailsBeforeAnythingIsCopied()
    {
        using JobBench bench = new(5, new SimulatedFaults(), capacityBytes: Capacity);
        bench.Source.SizeBytes = Capacity - 1;
        BackupJob job = bench.Start();
        bench.RunToEnd();
        AssertFailed(bench, job, FaultKind.Truncated, isSource: true);
        Assert.Equal(0ul, job.Query().WrittenBytes);
    }

    [Theory]
    [InlineData(0, FaultKind.None)]
    [InlineData(-4096, FaultKind.None)]
    [InlineData(1, FaultKind.Grown)]
    public void DeviceThatIsLargerThanItsDisk_MayStaySo(int change, FaultKind expected)
    {
        using JobBench bench = new(5, new SimulatedFaults(), capacityBytes: Capacity);
        bench.Source.SizeBytes = Capacity + 4096;
        BackupJob job = bench.Start();
        RunPastTheBeginning(bench);
        bench.Source.SizeBytes = (ulong)((long)Capacity + 4096 + change);
        bench.RunToEnd();
        Assert.Equal(expected, job.Query().Fault.Kind);
    }

    [Theory]
    [InlineData(ErrorPolicy.Report)]
    [InlineData(ErrorPolicy.Stop)]
    [InlineData(ErrorPolicy.Ignore)]
    public void QuestionThatFailsAtTheEnd_IsAnErrorForThePolicy(ErrorPolicy policy)
    {
        using JobBench bench = new(5, new SimulatedFaults(), capacityBytes: Capacity);
        BackupJob job = bench.Start(onSourceError: policy);
        RunPastTheBeginning(bench);
        bench.Loop.FileIo.Faults = new SimulatedFaults { SizeError = 1000 };
        bench.Loop.RunFor(Units.NsPerSecond);
        JobProgress progress = job.Query();
        Assert.Equal(policy == ErrorPolicy.Report, progress.IsEnded);
        Assert.Equal(policy == ErrorPolicy.Stop ? JobStatus.Paused : progress.Status, progress.Status);
        Assert.Equal(0ul, CountOf(bench, FileOperation.Flush));
        Assert.InRange(CountOf(bench, FileOperation.Size), 3ul, 100ul); // not one try after the other
        bench.Loop.FileIo.Faults = new SimulatedFaults();
        if (policy == ErrorPolicy.Stop)
            Assert.True(job.Resume().IsNone);
        bench.RunToEnd();
        Assert.Equal(policy != ErrorPolicy.Report, job.Query().IsSuccess);
    }

    /// <summary>The first sizes are known, or nothing would be read: from here on only the last sizes tell.</summary>
    static void RunPastTheBeginning(JobBench bench) =>
        bench.Loop.RunUntil(() => CountOf(bench, FileOperation.Read) > 0);

    static void AssertFailed(JobBench bench, BackupJob job, FaultKind expected, bool isSource)
    {
        JobProgress progress = job.Query();
        Assert.Equal(expected, progress.Fault.Kind);
        Assert.Equal(isSource, progress.IsSourceFault);
        Assert.Equal(0ul, CountOf(bench, FileOperation.Flush)); // it is the flush that seals the target
    }

    static ulong CountOf(JobBench bench, FileOperation operation) =>
        bench.Loop.FileIo.Counts.GetValueOrDefault(operation);
}
