// What a copy counts: the memory of guests' copies, at its most too, and the bytes that went through.
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Jobs;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class CopyMemoryTests
{
    const uint Cluster = CaptureBench.Cluster;

    [Fact]
    public void ThePeak_StaysWhenMemoryIsGivenBack()
    {
        using CaptureBench bench = new();
        CopyTask first = bench.Capture(0, 2);
        CopyTask second = bench.Capture(10);
        Assert.Equal(
            (3 * Cluster, 3 * Cluster),
            ((uint)bench.Memory.CaptureBytes, (uint)bench.Memory.CapturePeakBytes)
        );
        bench.Captures.Waiting.Remove(first);
        bench.Free(first);
        Assert.Equal(
            (1 * Cluster, 3 * Cluster),
            ((uint)bench.Memory.CaptureBytes, (uint)bench.Memory.CapturePeakBytes)
        );
        bench.Captures.Waiting.Remove(second);
        bench.Free(second);
        Assert.Equal((0ul, 3ul * Cluster), (bench.Memory.CaptureBytes, bench.Memory.CapturePeakBytes));
    }

    [Fact]
    public void WhatIsWritten_AndWhatGuestsAskedFor_IsCountedOnce()
    {
        FilterBench bench = new();
        BackupJob job = bench.Create(new BackupOptions());
        bench.Loop.FileIo.Holds = command => bench.IsSourceRead(command) && command.OffsetBytes < 8 * Cluster;
        job.Start(bench.Loop.Reactor);
        GuestProbe guest = new(bench.Disk, bench.CapacityBytes - 1, 1);
        bench.Loop.RunUntil(() => guest.IsGranted);
        bench.Disk.EndWrite();
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunUntil(() => job.Query().IsEnded);
        CopyCounters counters = job.Filter.Engine.Counters;
        Assert.Equal(bench.CapacityBytes, counters.WrittenBytes);
        Assert.Equal(0ul, counters.SkippedZeroBytes + counters.WrittenZeroBytes + counters.SpilledBytes);
        Assert.InRange(counters.CopyBeforeWriteBytes, 0ul, bench.CapacityBytes / 2);
    }
}
