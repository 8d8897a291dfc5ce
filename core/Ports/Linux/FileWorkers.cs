// The blocking calls of one open file, on threads of its own: what hangs or is slow there holds nobody else, and the
// other files of an engine never wait for it. A file whose calls may block inside a submission to the ring has them
// for everything; one that the ring serves has one thread, for what the ring cannot do: walks by lseek, and the close.
//
// A semaphore counts commands, and the threads sleep on it. No monitors: the framework's allocate when they first meet
// contention, and nothing may allocate in the middle of a job. So the threads are started at open as well.
// The device gives no more commands at a time than there are threads (FileDevice), so nothing waits in here, and which
// request comes next is decided by lanes, never by a queue behind them.
//
// The end: a command of the kernel cannot be called back. Close tells the threads to go; each does after its present
// call, and the last one closes the file. A call that hangs for ever keeps its threads and its descriptors for ever:
// a leak that is meant, because nobody waits for it.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: Push the loop's; Close and WaitClosed any.</summary>
public sealed class FileWorkers : IFileWorkers
{
    const uint CommandsMax = 64;
    const int StackBytes = 256 * 1024;

    // --- fixed at construction
    readonly IFileWorkerSink _sink;
    readonly FileCall _call;
    readonly WorkCounter _commandCount;

    // --- any thread
    readonly ConcurrentRing<FileCommand> _commands = new(CommandsMax);
    readonly object _closing = new();
    bool _isClosed; // under _closing
    int _liveCount;
    int _isStopping;
    int _isStopSignalled;
    Action? _onClosed;

    /// <param name="sink">Gets what has ended.</param>
    /// <param name="call">What carries commands out.</param>
    /// <param name="count">Threads, 1..64. Fewer are started where the system refuses more.</param>
    /// <param name="takesAll">All commands, or only what the ring cannot do.</param>
    /// <param name="name">Of each thread, at most 15 bytes.</param>
    /// <exception cref="InsufficientMemoryException">Not one thread, or no descriptor.</exception>
    internal FileWorkers(IFileWorkerSink sink, FileCall call, int count, bool takesAll, string name)
    {
        Check.That(count is > 0 and <= (int)CommandsMax);
        (_sink, _call, TakesAll) = (sink, call, takesAll);
        _commandCount =
            SystemPort.Current.TryMakeCounter()
            ?? throw new InsufficientMemoryException("no descriptor for the threads of a file");
        _liveCount = 1; // this constructor: a thread that ends at once must not take itself for the last
        while (Count < count && TryStart(name))
            Count++;
        if (Count == 0)
        {
            _commandCount.Close();
            throw new InsufficientMemoryException("no thread for a file");
        }
        _liveCount = Count;
    }

    public int Count { get; }

    public bool TakesAll { get; }

    public bool TryPush(in FileCommand command)
    {
        Check.That(Volatile.Read(ref _isStopping) == 0);
        if (!_commands.TryPut(command))
            return false;
        _commandCount.Add(1);
        return true;
    }

    public void Close(Action? onClosed)
    {
        _onClosed = onClosed;
        Check.That(Interlocked.Exchange(ref _isStopping, 1) == 0);
        _commandCount.Add(Count);
        Volatile.Write(ref _isStopSignalled, 1);
    }

    public bool WaitClosed(int timeoutMs)
    {
        lock (_closing)
        {
            if (!_isClosed)
                _ = Monitor.Wait(_closing, timeoutMs);
            return _isClosed;
        }
    }

    bool TryStart(string name)
    {
        try
        {
            new Thread(Work, StackBytes) { Name = name, IsBackground = true }.Start();
            return true;
        }
        catch (OutOfMemoryException) // pthread_create(3): EAGAIN, a limit on threads
        {
            return false;
        }
    }

    void Work()
    {
        SystemPort.Current.BeginThread(Thread.CurrentThread.Name!);
        while (TryTake(out FileCommand command))
            _sink.OnExecuted(command.Owner, command.Tag, _call(command));
        if (Interlocked.Decrement(ref _liveCount) > 0)
            return;
        _onClosed?.Invoke();
        SpinWait spin = default; // what was dropped may have ended them all before Close has written to the counter
        while (Volatile.Read(ref _isStopSignalled) == 0)
            spin.SpinOnce();
        _commandCount.Close();
        _sink.OnEnded(Count);
        lock (_closing)
        {
            _isClosed = true;
            Monitor.PulseAll(_closing);
        }
    }

    /// <summary>Sleeps until there is a command; false when the thread shall end.</summary>
    bool TryTake(out FileCommand command)
    {
        _commandCount.Take();
        command = default;
        if (Volatile.Read(ref _isStopping) != 0)
            return false;
        // The count was signalled after the put; only a put that began earlier and has not ended can be in the way.
        SpinWait spin = default;
        while (!_commands.TryTake(out command))
            spin.SpinOnce();
        return true;
    }
}

/// <summary>Where the threads of files leave what has ended.</summary>
interface IFileWorkerSink
{
    /// <param name="owner">Of the command.</param>
    /// <param name="tag">As pushed.</param>
    /// <param name="result">As the kernel: a count, or a negative error number.</param>
    /// <remarks>Threads: any.</remarks>
    void OnExecuted(IFileIoOwner owner, ulong tag, long result);

    /// <summary>The threads of a file are gone. Threads: the last of them.</summary>
    void OnEnded(int count);
}
