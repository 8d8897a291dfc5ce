// The record of a copy to a file, from which an interrupted one can be gone on with: what is left of it, written when
// all the rest is durably on the target.
//
//   while it runs    a second after the start, then each time after twice as long, up to 32 s: what is left is asked
//                    for, what is under way being a part of it; the target is flushed, the record is written
//   at its end       once more, or it is taken away when the copy is whole
//
// Its thread may wait for the file system; nobody waits for that longer than EndMaxMs, and Ctrl-C works meanwhile. An
// old record is as right as a new one. A copy whose source cannot be told later from a changed one has none.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Targets;
using FastBackup.Jobs;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using FastBackup.Tracking.Resume;

namespace FastBackup.Cli;

/// <summary>Threads: the command's.</summary>
sealed class CopyRecord(Engine engine, TargetPlace place, CopySubject subject, ResumeFile? file) : IDisposable
{
    const int FirstMs = 1000;
    const int RarestMs = 32_000;
    const int EndMaxMs = 10_000;

    readonly Lock _gate = new(); // between the thread's turns of the engine and the engine's end
    BackupJob? _job;
    HierarchicalBitmap? _left;
    ResumeFile? _file = file;
    readonly PatientThreads _threads = new(atOnceMax: 2); // one, and one that has just ended
    readonly ManualResetEvent _idle = new(true);
    long _since;
    int _intervalMs = FirstMs;
    bool _isOver;
    bool _isKept = file != null;

    /// <summary>One has been written, by this run or by the one before.</summary>
    public bool IsKept => Volatile.Read(ref _isKept);

    /// <summary>For people: why there is none, or null.</summary>
    public string? Trouble { get; private set; }

    /// <param name="source">The disk.</param>
    /// <param name="target">The file.</param>
    /// <param name="clusterBytes">Of the copy.</param>
    /// <param name="point">The tracker's checkpoint at which it begins; empty: there is none.</param>
    /// <param name="pointNs">When that was made.</param>
    /// <param name="engine">Runs the job.</param>
    /// <param name="place">Of the file.</param>
    /// <returns>Null: this copy cannot be gone on with.</returns>
    public static CopyRecord? TryBegin(
        IBlockDevice source,
        FileDevice target,
        uint clusterBytes,
        string point,
        ulong pointNs,
        Engine engine,
        TargetPlace place
    ) =>
        source is FileDevice disk
        && CopySubject
            .TryTake(
                disk.Fd,
                disk.Limits.CapacityBytes,
                target.Fd,
                clusterBytes,
                (point, pointNs),
                out CopySubject? subject
            )
            .IsNone
            ? new CopyRecord(engine, place, subject!, file: null)
            : null;

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
        if (isFree && isWhole && (_file ??= TryOpenOld()) is { } record)
            place.RemoveRecord(record.Fd);
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
            _left ??= HierarchicalBitmap.Create(subject.DiskBytes, subject.ClusterBytes);
            _left.ClearBits(0, _left.BitCount);
            bool isKnown = false;
            bool wasAsked = InTurn(() => isKnown = _job!.TryAddLeft(_left));
            if (wasAsked && isKnown && place.FlushPartial().IsNone && (_file != null || TryOpenFile()))
                Volatile.Write(ref _isKept, _file!.Write(subject, _left).IsNone || _isKept);
        }
        catch (OutOfMemoryException)
        {
            Trouble = "there is no memory for a record of the copy: it cannot be resumed";
        }
        _since = Stopwatch.GetTimestamp();
    }

    bool InTurn(Action action)
    {
        lock (_gate)
        {
            if (_isOver || engine.Reactor.Failure != null)
                return false;
            engine.Reactor.Invoke(action);
            return true;
        }
    }

    /// <summary>A new file, or the one of an earlier copy to the same name.</summary>
    bool TryOpenFile()
    {
        Fault fault = place.TryMakeRecord(out int fd);
        if (fault.IsNone)
        {
            _file = new ResumeFile(fd);
            return true;
        }
        if (fault.Errno == Errnos.EEXIST && TryOpenOld() is { } old)
        {
            old.Forget();
            _file = old;
            return true;
        }
        Trouble = $"'{place.RecordPath}' cannot be written: an interrupted copy will have to start anew";
        return false;
    }

    /// <returns>Null: there is none, or what is there is no record.</returns>
    ResumeFile? TryOpenOld()
    {
        if (place.TryOpenRecord(out int fd).IsFault)
            return null;
        ResumeFile old = new(fd);
        bool isRecord = old.TryRead(out _, out HierarchicalBitmap? left);
        left?.Dispose();
        if (isRecord)
            return old;
        old.Dispose();
        return null;
    }
}
