// The port without io_uring: a few named threads that make one blocking call at a time. Slower, same
// results: what a kernel or container that refuses io_uring gets, and the ring's helper for lseek walks.
//
// Two rings and two event counters: one counts commands (a semaphore on which the workers sleep), the other
// tells that something has finished. No monitors: the framework's allocate when they first meet contention,
// and nothing may allocate in the middle of a job.
using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;

namespace FastBackup.BlockIo;

/// <summary>Threads: one owner thread; Wake any. The workers are started and joined here.</summary>
public sealed class ThreadedFileIo : IFileIo
{
    readonly record struct Finished(IFileIoOwner Owner, ulong Tag, long Result);

    // --- fixed at construction
    readonly Thread[] _workers;
    readonly Action? _onFinished; // tells an outer port that Poll has something
    readonly uint _depth;
    readonly int _commandCountFd;

    // --- any thread
    readonly ConcurrentRing<FileCommand> _commands;
    readonly ConcurrentRing<Finished> _finished;
    int _isStopping;
    int _finishedFd; // -1 once closed: a late Wake must not write into whatever has the number then

    // --- owner thread only
    uint _inFlightCount;

    /// <param name="workerCount">1..64 blocking calls at once.</param>
    /// <param name="depth">Commands in flight at most, 1..2^20.</param>
    /// <param name="threadName">Workers are called name-0, name-1 ...</param>
    /// <param name="onFinished">Called by a worker after each command, or null.</param>
    public ThreadedFileIo(int workerCount, uint depth, string threadName, Action? onFinished = null)
    {
        Check.That(workerCount is > 0 and <= 64);
        Check.That(depth is > 0 and <= 1 << 20);
        _depth = depth;
        _onFinished = onFinished;
        _commandCountFd = Files.EventFd(0, Files.EFD_CLOEXEC | Files.EFD_SEMAPHORE);
        _finishedFd = Files.EventFd(0, Files.EFD_CLOEXEC | Files.EFD_NONBLOCK);
        Check.That(_commandCountFd >= 0);
        Check.That(_finishedFd >= 0);
        uint ringCapacity = Math.Max(2, BitOperations.RoundUpToPowerOf2(depth));
        _commands = new ConcurrentRing<FileCommand>(ringCapacity);
        _finished = new ConcurrentRing<Finished>(ringCapacity);
        _workers = new Thread[workerCount];
        for (int i = 0; i < workerCount; i++)
            _workers[i] = new Thread(Work, 256 * 1024) { Name = threadName + "-" + i, IsBackground = true };
        foreach (Thread worker in _workers)
            worker.Start(); // here, not at the first command: that may be in the middle of a job
    }

    public string Name => "threads";

    public uint InFlightCount => _inFlightCount;

    public bool TryPush(in FileCommand command)
    {
        if (_inFlightCount == _depth)
            return false;
        _inFlightCount++;
        _commands.Put(command);
        Signal(_commandCountFd, 1);
        return true;
    }

    public uint Poll(ulong waitNs)
    {
        if (waitNs == 0 && _inFlightCount == 0)
            return 0;
        if (waitNs > 0 && _finished.IsEmpty)
            Wait(waitNs);
        uint delivered = 0;
        while (_finished.TryTake(out Finished finished))
        {
            _inFlightCount--;
            delivered++;
            finished.Owner.OnFileCompleted(finished.Tag, finished.Result);
        }
        return delivered;
    }

    public void Wake()
    {
        int fd = Volatile.Read(ref _finishedFd);
        if (fd >= 0)
            Signal(fd, 1);
    }

    public Fault RegisterMemory(AlignedRegion region) => Fault.None;

    public void UnregisterMemory(AlignedRegion region) { }

    public void UnregisterFile(FileHandle file) { }

    public void Dispose()
    {
        Check.That(_inFlightCount == 0);
        if (Volatile.Read(ref _isStopping) != 0)
            return;
        Abandon();
        foreach (Thread worker in _workers)
            worker.Join();
        _ = Files.Close(_commandCountFd);
        _ = Files.Close(Interlocked.Exchange(ref _finishedFd, -1));
    }

    /// <summary>The workers end by themselves after their present call; nothing is waited for, nor closed.</summary>
    public void Abandon()
    {
        if (Interlocked.Exchange(ref _isStopping, 1) == 0)
            Signal(_commandCountFd, (ulong)_workers.Length);
    }

    /// <summary>Until something has finished, a Wake, or the time; may return early.</summary>
    unsafe void Wait(ulong waitNs)
    {
        ulong waitMs = Units.DivCeil(waitNs, Units.NsPerMs);
        PollFd poll = new() { Fd = _finishedFd, Events = Files.POLLIN };
        // SAFETY: the kernel uses the structure, and below the eight bytes, during the call only.
        _ = Files.Poll(&poll, 1, waitMs > int.MaxValue ? -1 : (int)waitMs);
        ulong count;
        _ = Files.Read(_finishedFd, &count, sizeof(ulong));
    }

    void Work()
    {
        ThreadName.Set(Thread.CurrentThread.Name!);
        while (TakeCommand(out FileCommand command))
        {
            long result = FileCalls.Execute(command);
            _finished.Put(new Finished(command.Owner, command.Tag, result));
            if (_onFinished != null)
                _onFinished();
            else
                Signal(_finishedFd, 1);
        }
    }

    /// <summary>Sleeps until there is a command; false when the workers shall end.</summary>
    unsafe bool TakeCommand(out FileCommand command)
    {
        ulong count;
        // SAFETY: eight bytes of this frame, written during the call only.
        while (Files.Read(_commandCountFd, &count, sizeof(ulong)) < 0)
            Check.That(Marshal.GetLastPInvokeError() == Errnos.EINTR);
        if (Volatile.Read(ref _isStopping) != 0)
        {
            command = default;
            return false;
        }
        // The count was signalled after the put; only a put that began earlier and has not ended can be in the way.
        SpinWait spin = default;
        while (!_commands.TryTake(out command))
            spin.SpinOnce();
        return true;
    }

    static unsafe void Signal(int fd, ulong count)
    {
        // SAFETY: eight bytes of this frame, read during the call only. A full counter is a signal already.
        _ = Files.Write(fd, &count, sizeof(ulong));
    }
}
