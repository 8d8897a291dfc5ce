// What a job leaves when it ends early, at every step and in every mode: the bitmap names all that the target lacks.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class ChainTests
{
    const int StepsMax = 400;

    public static TheoryData<BackupSync, BitmapMode?> Modes =>
        new()
        {
            { BackupSync.Full, BitmapMode.OnSuccess },
            { BackupSync.Full, BitmapMode.Always },
            { BackupSync.Top, BitmapMode.OnSuccess },
            { BackupSync.Top, BitmapMode.Always },
            { BackupSync.Incremental, null },
            { BackupSync.Bitmap, BitmapMode.OnSuccess },
            { BackupSync.Bitmap, BitmapMode.Never },
            { BackupSync.Bitmap, BitmapMode.Always },
        };

    [Theory]
    [MemberData(nameof(Modes))]
    public void CancelAtEveryStep_TheNextJobMendsAll(BackupSync sync, BitmapMode? mode)
    {
        bool hasEnded = false;
        for (int step = 0; !hasEnded; step++)
        {
            using ChainBench bench = new(isChain: true);
            BackupJob job = bench.Create(sync, mode);
            job.Start(bench.Loop.Reactor);
            for (int turn = 0; turn < step && !job.Query().IsEnded; turn++)
            {
                if (turn == 2 && bench.Begin(40) == Grant.Granted)
                    bench.End(40);
                bench.Loop.Reactor.Turn(Units.NsPerSecond);
            }
            hasEnded = job.Query().IsEnded;
            Assert.True(step < StepsMax);
            if (!hasEnded)
                Assert.True(job.Cancel().IsNone);
            bench.RunToEnd(job);
            job.Dispose();
            bench.AssertNextJobMendsAll(Text($"cancelled after {step} turns"));
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void TargetFailsAtEveryWriteAndLeavesGarbage_TheNextJobMendsAll(BackupSync sync, BitmapMode? mode)
    {
        FileOperation[] changes =
        [
            FileOperation.Write,
            FileOperation.Punch,
            FileOperation.ZeroRange,
            FileOperation.Flush,
        ];
        foreach (FileOperation operation in changes)
        {
            bool isSuccess = false;
            for (ulong number = 0; !isSuccess; number++)
            {
                Assert.True(number < StepsMax);
                using ChainBench bench = new(isChain: true);
                BackupJob job = bench.Create(sync, mode);
                bench.FailAt(operation, number);
                job.Start(bench.Loop.Reactor);
                bench.RunToEnd(job);
                isSuccess = job.Query().IsSuccess;
                job.Dispose();
                bench.AssertNextJobMendsAll(Text($"{operation} {number} failed"));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void TargetNeverAnswers_TheNextJobMendsAll(BackupSync sync, BitmapMode? mode)
    {
        using ChainBench bench = new(isChain: true);
        BackupJob job = bench.Create(sync, mode);
        bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Write;
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(100 * Units.NsPerMs);
        Assert.True(job.Cancel().IsNone);
        bench.RunToEnd(job);
        bench.FailAt(FileOperation.Write, 0); // what was held fails late
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(100 * Units.NsPerMs);
        job.Dispose();
        bench.AssertNextJobMendsAll("held writes");
    }

    [Theory]
    [InlineData(BackupSync.Full)]
    [InlineData(BackupSync.Top)]
    public void AlwaysAndCancelledBeforeItsPointInTime_TheBitmapNamesEverything(BackupSync sync)
    {
        using ChainBench bench = new(isChain: false);
        Assert.Equal(Grant.Granted, bench.Begin(0));
        BackupJob job = bench.Create(sync, BitmapMode.Always);
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(job.Cancel().IsNone);
        bench.End(0);
        bench.RunToEnd(job);
        Assert.Equal(FaultKind.Canceled, job.Query().Fault.Kind);
        job.Dispose();
        Assert.Equal(bench.Bitmap.Bits.BitCount, bench.DirtyCount);
        bench.AssertNextJobMendsAll("cancelled before T0");
    }

    [Fact]
    public void AlwaysAndItsPartnerCannotBegin_TheBitmapNamesEverything()
    {
        using ChainBench bench = new(isChain: false);
        BackupJob always = bench.Create(BackupSync.Full, BitmapMode.Always, id: "always");
        BackupJob other = bench.Create(BackupSync.Incremental, null, id: "other");
        // Both want the bitmap: who comes second in the transaction is refused, and with it the first.
        new Transaction(bench.Loop.Reactor, [other, always]).Start();
        bench.Loop.RunUntil(() => always.Query().IsEnded && other.Query().IsEnded);
        Assert.Equal(FaultKind.State, always.Query().Fault.Kind);
        Assert.Equal(FaultKind.Canceled, other.Query().Fault.Kind);
        always.Dispose();
        other.Dispose();
        Assert.Equal(bench.Bitmap.Bits.BitCount, bench.DirtyCount);
        bench.AssertNextJobMendsAll("refused");
    }

    [Fact]
    public void AlwaysAndTheBitmapIsAnotherJobs_TheBitmapNamesEverythingAfterThatOne()
    {
        using ChainBench bench = new(isChain: false);
        BackupJob always = bench.Create(BackupSync.Full, BitmapMode.Always, id: "always");
        BackupJob holder = bench.Create(BackupSync.Bitmap, BitmapMode.OnSuccess, id: "holder");
        holder.Start(bench.Loop.Reactor);
        holder.PauseInternally();
        always.Start(bench.Loop.Reactor);
        bench.RunToEnd(always);
        holder.ResumeInternally();
        bench.RunToEnd(holder);
        Assert.True(holder.Query().IsSuccess);
        always.Dispose();
        holder.Dispose();
        Assert.Equal(bench.Bitmap.Bits.BitCount, bench.DirtyCount);
    }

    [Theory]
    [InlineData(BackupSync.Full, BitmapMode.OnSuccess)]
    [InlineData(BackupSync.Bitmap, BitmapMode.Always)]
    [InlineData(BackupSync.Bitmap, BitmapMode.Never)]
    public void OtherModesCancelledBeforeTheirPointInTime_LeaveTheBitmapAlone(BackupSync sync, BitmapMode mode)
    {
        using ChainBench bench = new(isChain: true);
        ulong before = bench.DirtyCount;
        Assert.Equal(Grant.Granted, bench.Begin(1)); // dirty already
        BackupJob job = bench.Create(sync, mode);
        job.Start(bench.Loop.Reactor);
        Assert.True(job.Cancel().IsNone);
        bench.End(1);
        bench.RunToEnd(job);
        job.Dispose();
        Assert.Equal(before, bench.DirtyCount);
    }

    [Fact]
    public void NeverStarted_TheBitmapIsLeftAlone()
    {
        using ChainBench bench = new(isChain: true);
        ulong before = bench.DirtyCount;
        BackupJob job = bench.Create(BackupSync.Full, BitmapMode.Always);
        Assert.True(job.Cancel().IsNone);
        job.Dispose();
        Assert.Equal(before, bench.DirtyCount);
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
