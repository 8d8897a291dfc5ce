// Each file has its own threads where calls may block: a file that hangs holds itself, not the others, not its own
// close and not the port. What hangs here are reads of file 1, until they are released.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Ports.Linux;
using FastBackup.Ports.Linux.Ring;
using FastBackup.Ports.Windows;
using Xunit;

namespace FastBackup.Tests.Unit.Ports;

public sealed class FileWorkersTests : IFileIoOwner, IDisposable
{
    const ulong NopTag = 1000;
    const uint Depth = 256;
    const int HangingFd = 1;
    const int OtherFd = 2;

    readonly List<ulong> _completed = [];
    readonly SemaphoreSlim _begun = new(0);
    readonly SemaphoreSlim _released = new(0);

    void IFileIoOwner.OnFileCompleted(ulong tag, in FileResult result) => _completed.Add(tag);

    public void Dispose()
    {
        _begun.Dispose();
        _released.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFileThatHangs_HoldsNoOther(bool isRing)
    {
        IFileIo port = Port(isRing);
        FileHandle hanging = new(HangingFd) { Workers = port.StartWorkers(mayBlock: true) };
        FileHandle other = new(OtherFd) { Workers = port.StartWorkers(mayBlock: true) };
        for (int i = 0; i < hanging.Workers!.Count; i++) // all that it has
            Read(port, hanging, (ulong)i);
        Nop(port, other);
        Until(port, () => _completed.Contains(NopTag));
        Assert.Equal([NopTag], _completed);
        Release(hanging.Workers.Count);
        Until(port, () => port.InFlightCount == 0);
        hanging.Workers.Close(onClosed: null);
        other.Workers!.Close(onClosed: null);
        port.Dispose();
    }

    [Fact]
    [Trait("System", "Linux")]
    public void ACommandThatMayBlock_NeverRunsInsideTheRing()
    {
        IFileIo port = Port(isRing: true);
        FileHandle hanging = new(HangingFd) { Workers = port.StartWorkers(mayBlock: true) };
        Read(port, hanging, 1);
        ulong before = ((RingFileIo)port).EnterCount;
        port.Poll(0);
        port.Poll(Units.NsPerMs);
        Assert.InRange(((RingFileIo)port).EnterCount - before, 1ul, 2ul); // it looks and waits, and does not hang
        Release(1);
        Until(port, () => _completed.Contains(1));
        hanging.Workers!.Close(onClosed: null);
        port.Dispose();
    }

    [Fact]
    public void Close_OfAFileThatHangs_WaitsForNobody_AndClosesItWhenTheCallEnds()
    {
        IFileIo port = Port(isRing: false);
        IFileWorkers workers = port.StartWorkers(mayBlock: true)!;
        FileHandle hanging = new(HangingFd) { Workers = workers };
        Read(port, hanging, 1);
        // What nobody has begun is dropped by a close, and never told.
        Assert.True(_begun.Wait(10_000, TestContext.Current.CancellationToken));
        int closedCount = 0;
        workers.Close(() => closedCount++); // comes back, with the call still under way
        Assert.False(workers.WaitClosed(50));
        Assert.Equal(0, closedCount);
        Release(1);
        Assert.True(workers.WaitClosed(10_000));
        Assert.Equal(1, closedCount);
        Until(port, () => port.InFlightCount == 0); // the end of the call is still told
        port.Dispose();
    }

    [Fact]
    public void ManyFiles_ShareTheThreads()
    {
        using ThreadedFileIo port = new(64, Depth, "fb-test");
        List<IFileWorkers> all = [];
        for (int i = 0; i < 40; i++)
            all.Add(port.StartWorkers(mayBlock: true));
        Assert.Equal(64, all[0].Count);
        Assert.Equal(4, all[^1].Count);
        foreach (IFileWorkers workers in all)
            workers.Close(onClosed: null);
        foreach (IFileWorkers workers in all)
            Assert.True(workers.WaitClosed(10_000));
        IFileWorkers last = port.StartWorkers(mayBlock: true); // the others' threads are gone
        Assert.Equal(64, last.Count);
        last.Close(onClosed: null);
    }

    [Fact]
    public void AFullFile_TakesNoMore_AndTheOthersDo()
    {
        using ThreadedFileIo port = new(1, Depth, "fb-test", call: Call);
        FileHandle hanging = new(HangingFd) { Workers = port.StartWorkers(mayBlock: true) };
        FileHandle other = new(OtherFd) { Workers = port.StartWorkers(mayBlock: true) };
        int count = 0;
        while (TryRead(port, hanging, (ulong)count))
            count++;
        Assert.InRange(count, 1, (int)Depth - 1);
        Nop(port, other);
        Release(count);
        Until(port, () => port.InFlightCount == 0);
        hanging.Workers!.Close(onClosed: null);
        other.Workers!.Close(onClosed: null);
    }

    long Call(in FileCommand command)
    {
        if (command.File.Fd == HangingFd)
        {
            _begun.Release();
            _released.Wait();
        }
        return 0;
    }

    IFileIo Port(bool isRing)
    {
        if (!isRing)
            return new ThreadedFileIo(4, Depth, "fb-test", call: Call);
        if (OperatingSystem.IsWindows())
        {
            Assert.True(CompletionPortFileIo.TryOpen(Depth, out CompletionPortFileIo? completionPort, Call).IsNone);
            return completionPort!;
        }
        Fault fault = RingFileIo.TryOpen(Depth, out RingFileIo? ring, call: Call);
        Requires.That(fault.IsNone, "needs io_uring: " + fault);
        return ring!;
    }

    void Read(IFileIo port, FileHandle file, ulong tag) => Assert.True(TryRead(port, file, tag));

    bool TryRead(IFileIo port, FileHandle file, ulong tag) =>
        port.TryPush(
            new FileCommand
            {
                Operation = FileOperation.Read,
                File = file,
                Owner = this,
                Tag = tag,
            }
        );

    void Nop(IFileIo port, FileHandle file) =>
        Assert.True(
            port.TryPush(
                new FileCommand
                {
                    Operation = FileOperation.Nop,
                    File = file,
                    Owner = this,
                    Tag = NopTag,
                }
            )
        );

    void Release(int count) => _released.Release(count);

    static void Until(IFileIo port, Func<bool> isDone)
    {
        long start = Stopwatch.GetTimestamp();
        while (!isDone())
        {
            port.Poll(10 * Units.NsPerMs);
            Assert.True(Stopwatch.GetElapsedTime(start).TotalSeconds < 20, "the port does not deliver");
        }
    }
}
