// The port without io_uring: each file has a few named threads that make one blocking call at a time (FileWorkers), and
// all leave what has ended in one ring here, and ring the bell that the loop waits for. Slower, same results and the
// same bounds: what a kernel or container that refuses io_uring gets, and the ring's helper for files that may block.
//
// Threads are counted over all files of the port: with many disks each gets fewer.
using System;
using System.Globalization;
using System.Numerics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: one owner thread; Wake and StartWorkers any.</summary>
public sealed class ThreadedFileIo : IFileIo, IFileWorkerSink
{
    /// <summary>From so many threads on a further file gets <see cref="WorkersMin"/>.</summary>
    const int ThreadsBeforeSharing = 256;
    const int CloseWaitMs = 1000;
    const int WorkersMin = 4; // two for guests, whatever the background does

    readonly record struct Finished(IFileIoOwner Owner, ulong Tag, long Result);

    // --- fixed at construction
    readonly FileCall _call;
    readonly Action? _onFinished; // tells an outer port that Poll has something
    readonly LoopBell? _bell; // null inside an outer port
    readonly int _workersMax;
    readonly uint _depth;
    readonly string _threadName;

    // --- any thread
    readonly ConcurrentRing<Finished> _finished;
    readonly object _counting = new();
    int _threadCount; // under _counting
    int _fileCount;
    int _isClosed;
    int _watchedFd = -1;

    // --- owner thread only
    uint _inFlightCount;

    /// <param name="workersMax">Blocking calls at once on one file, 1..64.</param>
    /// <param name="depth">Commands in flight at most, over all files, 1..2^20.</param>
    /// <param name="threadName">The threads of the n-th file are called name-n.</param>
    /// <param name="onFinished">Called by a worker after each command, or null.</param>
    /// <param name="call">What carries commands out; null is the system.</param>
    public ThreadedFileIo(
        int workersMax,
        uint depth,
        string threadName,
        Action? onFinished = null,
        FileCall? call = null
    )
    {
        _call = call ?? SystemPort.Current.Call;
        Check.That(workersMax is > 0 and <= 64);
        Check.That(depth is > 0 and <= 1 << 20);
        (_workersMax, _depth, _threadName, _onFinished) = (workersMax, depth, threadName, onFinished);
        _bell = onFinished == null ? SystemPort.Current.TryMakeBell() : null;
        Check.That(_bell != null || onFinished != null);
        _finished = new ConcurrentRing<Finished>(Math.Max(2, BitOperations.RoundUpToPowerOf2(depth)));
    }

    public string Name => "threads";

    public uint InFlightCount => _inFlightCount;

    public IFileWorkers StartWorkers(bool mayBlock)
    {
        bool isCrowded;
        lock (_counting)
            isCrowded = _threadCount >= ThreadsBeforeSharing;
        return Start(isCrowded ? Math.Min(WorkersMin, _workersMax) : _workersMax, takesAll: true);
    }

    /// <summary>One thread for what a ring cannot do with a file that it serves. Threads: any.</summary>
    public IFileWorkers StartHelper() => Start(1, takesAll: false);

    public bool TryPush(in FileCommand command)
    {
        IFileWorkers? workers = command.File.Workers;
        Check.That(workers != null); // whoever opened the file has asked for them
        if (_inFlightCount == _depth || !workers!.TryPush(command))
            return false;
        _inFlightCount++;
        return true;
    }

    public uint Poll(ulong waitNs)
    {
        if (waitNs == 0 && _inFlightCount == 0)
            return 0;
        if (waitNs > 0 && _finished.IsEmpty)
            _bell!.Wait(waitNs, _watchedFd);
        uint delivered = 0;
        while (_finished.TryTake(out Finished finished))
        {
            _inFlightCount--;
            delivered++;
            finished.Owner.OnFileCompleted(finished.Tag, KernelResult.ToFileResult(finished.Result));
        }
        return delivered;
    }

    public void Wake() => _bell?.Ring();

    public void Watch(int fd)
    {
        Check.That(_watchedFd < 0);
        _watchedFd = fd;
    }

    public Fault RegisterMemory(AlignedRegion region) => Fault.None;

    public void UnregisterMemory(AlignedRegion region) { }

    public void UnregisterFile(FileHandle file) { }

    /// <summary>
    /// Files are closed before. Waits a second at most for their threads, so that what answers is closed.
    /// </summary>
    public void Dispose()
    {
        Check.That(_inFlightCount == 0);
        lock (_counting)
            if (_threadCount > 0 && _isClosed == 0)
                _ = Monitor.Wait(_counting, CloseWaitMs);
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
            _bell?.Close();
    }

    /// <summary>Threads that hang may still tell of an end: the bell stays.</summary>
    public void Abandon() => Volatile.Write(ref _isClosed, 1);

    void IFileWorkerSink.OnExecuted(IFileIoOwner owner, ulong tag, long result)
    {
        _finished.Put(new Finished(owner, tag, result));
        if (_onFinished != null)
            _onFinished();
        else
            Wake();
    }

    void IFileWorkerSink.OnEnded(int count)
    {
        lock (_counting)
        {
            _threadCount -= count;
            if (_threadCount == 0)
                Monitor.PulseAll(_counting);
        }
    }

    FileWorkers Start(int count, bool takesAll)
    {
        int number = Interlocked.Increment(ref _fileCount) - 1;
        string name = string.Create(CultureInfo.InvariantCulture, $"{_threadName}-{number}");
        FileWorkers workers = new(this, _call, count, takesAll, name);
        lock (_counting)
            _threadCount += workers.Count;
        return workers;
    }
}
