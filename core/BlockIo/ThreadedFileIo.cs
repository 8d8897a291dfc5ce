// The port without io_uring: a few named threads that make one blocking call at a time. Slower, same
// results: what a kernel or container that refuses io_uring gets, and the ring's helper for lseek walks.
//
// Two bounded queues under two locks. Locks, because a command here is at least one blocking system call,
// beside which an uncontended lock costs nothing.
using System;
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

    // --- guarded by _todo
    readonly object _todo = new();
    readonly BoundedQueue<FileCommand> _commands;
    bool _isStopping;

    // --- guarded by _done
    readonly object _done = new();
    readonly BoundedQueue<Finished> _finished;
    bool _isWoken;

    // --- owner thread only
    uint _inFlightCount;

    /// <param name="workerCount">1..64 blocking calls at once.</param>
    /// <param name="depth">Commands in flight at most.</param>
    /// <param name="threadName">Workers are called name-0, name-1 ...</param>
    /// <param name="onFinished">Called by a worker after each command, or null.</param>
    public ThreadedFileIo(int workerCount, uint depth, string threadName, Action? onFinished = null)
    {
        Check.That(workerCount is > 0 and <= 64);
        _depth = depth;
        _onFinished = onFinished;
        _commands = new BoundedQueue<FileCommand>(depth);
        _finished = new BoundedQueue<Finished>(depth);
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
        lock (_todo)
        {
            _commands.Enqueue(command);
            Monitor.Pulse(_todo);
        }
        return true;
    }

    public uint Poll(ulong waitNs)
    {
        if (waitNs == 0 && _inFlightCount == 0)
            return 0;
        if (waitNs > 0)
            WaitForFinished(waitNs);
        uint delivered = 0;
        while (TryTakeFinished(out Finished finished))
        {
            _inFlightCount--;
            delivered++;
            finished.Owner.OnFileCompleted(finished.Tag, finished.Result);
        }
        return delivered;
    }

    public void Wake()
    {
        lock (_done)
        {
            _isWoken = true;
            Monitor.Pulse(_done);
        }
    }

    public Fault RegisterMemory(AlignedRegion region) => Fault.None;

    public void UnregisterMemory(AlignedRegion region) { }

    public void UnregisterFile(FileHandle file) { }

    public void Dispose()
    {
        Check.That(_inFlightCount == 0);
        Abandon();
        foreach (Thread worker in _workers)
            worker.Join();
    }

    /// <summary>The workers end by themselves after their present call; nothing is waited for.</summary>
    public void Abandon()
    {
        lock (_todo)
        {
            _isStopping = true;
            Monitor.PulseAll(_todo);
        }
    }

    void WaitForFinished(ulong waitNs)
    {
        lock (_done)
        {
            if (_finished.Count == 0 && !_isWoken)
            {
                ulong waitMs = Units.DivCeil(waitNs, Units.NsPerMs);
                Monitor.Wait(_done, waitNs == ulong.MaxValue || waitMs > int.MaxValue ? -1 : (int)waitMs);
            }
            _isWoken = false;
        }
    }

    bool TryTakeFinished(out Finished finished)
    {
        lock (_done)
            return _finished.TryDequeue(out finished);
    }

    void Work()
    {
        while (true)
        {
            FileCommand command;
            lock (_todo)
            {
                while (!_commands.TryDequeue(out command))
                {
                    if (_isStopping)
                        return;
                    Monitor.Wait(_todo);
                }
            }
            long result = FileCalls.Execute(command);
            lock (_done)
            {
                _finished.Enqueue(new Finished(command.Owner, command.Tag, result));
                Monitor.Pulse(_done);
            }
            _onFinished?.Invoke();
        }
    }
}
