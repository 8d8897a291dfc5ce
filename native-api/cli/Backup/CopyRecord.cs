// The record of a copy to a file or a block device, from which an interrupted one can be gone on with: what is left of
// it, written when all the rest is durably on the target.
//
//   while it runs    a second after the start, then each time after twice as long, up to 32 s: what is left is asked
//                    for, what is under way being a part of it; the target is flushed, the record is written
//   at its end       once more, or it is taken away when the copy is whole
//
// The target is flushed by a descriptor of its own, opened before the job's first write: a failure that this one is
// told of is told to the job's by the kernel, too; and by us, for file systems that tell it only to who has asked.
// After one no record is written: the last is as right as it was.
//
// Its thread may wait for the file system; nobody waits for that longer than EndMaxMs, and Ctrl-C works meanwhile. An
// old record is as right as a new one. A copy whose source cannot be told later from a changed one has none.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Jobs;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using FastBackup.Tracking.Resume;

namespace FastBackup.Cli;

/// <summary>Threads: the command's.</summary>
sealed class CopyRecord : IDisposable
{
    const int FirstMs = 1000;
    const int RarestMs = 32_000;
    const int EndMaxMs = 10_000;

    readonly Engine _engine;
    readonly RecordPlace _place;
    readonly CopySubject _subject;
    readonly int _targetFd;
    readonly bool _isNew;
    readonly Lock _gate = new(); // between the thread's turns of the engine and the engine's end
    BackupJob? _job;
    HierarchicalBitmap? _left;
    ResumeFile? _file;
    bool _hasFailed; // a flush: nothing of the target can be relied on any more
    readonly PatientThreads _threads = new(atOnceMax: 2); // one, and one that has just ended
    readonly ManualResetEvent _idle = new(true);
    long _since;
    int _intervalMs = FirstMs;
    bool _isOver;
    bool _isKept;

    CopyRecord(Engine engine, RecordPlace place, CopySubject subject, int targetFd, ResumeFile? file, bool isNew)
    {
        (_engine, _place, _subject, _targetFd) = (engine, place, subject, targetFd);
        (_file, _isNew, _isKept) = (file, isNew, file != null && !isNew);
    }

    /// <summary>One has been written, by this run or by the one before.</summary>
    public bool IsKept => Volatile.Read(ref _isKept);

    /// <summary>For people: why there is none, or null.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Of a copy that begins.</summary>
    /// <param name="source">The disk.</param>
    /// <param name="target">The file or block device.</param>
    /// <param name="clusterBytes">Of the copy.</param>
    /// <param name="point">The tracker's checkpoint at which it begins, or empty, and when it was made.</param>
    /// <param name="engine">Runs the job.</param>
    /// <param name="place">Where it is.</param>
    /// <param name="record">Null: this copy cannot be gone on with.</param>
    /// <returns>None, or why there is none that was asked for.</returns>
    public static OpenRefusal TryBegin(
        IBlockDevice source,
        FileDevice target,
        uint clusterBytes,
        (string Name, ulong CreatedNs) point,
        Engine engine,
        RecordPlace place,
        out CopyRecord? record
    )
    {
        record = null;
        CopySubject? subject = null;
        Fault fault = source is FileDevice disk
            ? CopySubject.TryTake(disk.Fd, disk.Limits.CapacityBytes, target.Fd, clusterBytes, point, out subject)
            : new Fault(FaultKind.Unsupported);
        int targetFd = fault.IsNone ? OpenAgain(target) : -1;
        if (targetFd < 0)
            return place.IsAskedFor
                ? OpenRefusal.Rule(
                    $"nobody could tell later whether source '{source.Name}' or target '{target.Name}' has changed: "
                        + "leave --record out"
                )
                : default;
        (ResumeFile? file, bool isNew) = (null, false);
        OpenRefusal refusal = place.IsAskedFor
            ? ResumeFile.TryClaim(place.Path, subject!, out file, out isNew)
            : default;
        if (refusal.IsNone)
            record = new CopyRecord(engine, place, subject!, targetFd, file, isNew);
        else
            NameCalls.Close(targetFd);
        return refusal;
    }

    /// <summary>Of one that is gone on with.</summary>
    /// <param name="copy">It; the record takes its file.</param>
    /// <param name="target">The file or block device.</param>
    /// <param name="engine">Runs the job.</param>
    /// <param name="place">Where the record is.</param>
    /// <returns>Null: the target cannot be opened again.</returns>
    public static CopyRecord? TryGoOn(ResumedCopy copy, FileDevice target, Engine engine, RecordPlace place) =>
        OpenAgain(target) is >= 0 and int targetFd
            ? new CopyRecord(engine, place, copy.Subject, targetFd, copy.File, isNew: false)
            : null;

    static int OpenAgain(FileDevice target) => NameCalls.Kernel.Reopen(target.Fd, Files.O_RDWR);

    /// <summary>There was no copy: a file that was made for it goes again.</summary>
    public void Withdraw()
    {
        if (_isNew && _file is { } file)
            _place.Remove(file);
    }

    /// <summary>The job has begun.</summary>
    public void Begin(BackupJob job) => (_job, _since) = (job, Stopwatch.GetTimestamp());

    /// <summary>Called often, while the job runs.</summary>
    public void Tick()
    {
        if (!_idle.WaitOne(0) || Stopwatch.GetElapsedTime(_since).TotalMilliseconds < _intervalMs)
            return;
        _intervalMs = Math.Min(2 * _intervalMs, RarestMs);
        Start(Save);
    }

    /// <summary>The job has ended.</summary>
    /// <param name="isWhole">And the copy has its name.</param>
    public void End(bool isWhole)
    {
        bool isFree = _idle.WaitOne(EndMaxMs);
        if (isFree && isWhole && (_file ??= _place.OpenOld()) is { } record)
            _place.Remove(record);
        else if (isFree && !isWhole)
        {
            Start(Save);
            _ = _idle.WaitOne(EndMaxMs);
        }
        lock (_gate)
            _isOver = true;
    }

    /// <summary>A thread that waits still keeps what it has; it ends with the process.</summary>
    public void Dispose()
    {
        if (!_idle.WaitOne(0))
            return;
        _idle.Dispose();
        _file?.Dispose();
        _left?.Dispose();
        NameCalls.Close(_targetFd);
    }

    /// <summary>Without a thread there is no record this time.</summary>
    void Start(Action work)
    {
        _ = _idle.Reset();
        void Run()
        {
            work();
            _ = _idle.Set();
        }
        if (!_threads.TryRun("fb-record", Run))
            _ = _idle.Set();
    }

    /// <summary>What is under way is left: nothing waits for this.</summary>
    void Save()
    {
        try
        {
            _left ??= HierarchicalBitmap.Create(_subject.DiskBytes, _subject.ClusterBytes);
            _left.ClearBits(0, _left.BitCount);
            bool isKnown = false;
            bool wasAsked = InTurn(() => isKnown = _job!.TryAddLeft(_left));
            if (wasAsked && isKnown && TryFlush() && TryMakeFile())
                Volatile.Write(ref _isKept, _file!.Write(_subject, _left).IsNone || _isKept);
        }
        catch (OutOfMemoryException)
        {
            Trouble = "there is no memory for a record of the copy: it cannot be resumed";
        }
        _since = Stopwatch.GetTimestamp();
    }

    bool TryFlush()
    {
        int flushed = _hasFailed ? 0 : NameCalls.Kernel.Flush(_targetFd);
        if (flushed < 0)
        {
            _hasFailed = true;
            _ = InTurn(() => _job!.TellFlushFailed(Errnos.ToFault(-flushed)));
        }
        return !_hasFailed;
    }

    bool InTurn(Action action)
    {
        lock (_gate)
        {
            if (_isOver || _engine.Reactor.Failure != null)
                return false;
            _engine.Reactor.Invoke(action);
            return true;
        }
    }

    bool TryMakeFile()
    {
        _file ??= _place.Make();
        if (_file == null)
            Trouble = $"'{_place.Path}' cannot be written: an interrupted copy will have to start anew";
        return _file != null;
    }
}
