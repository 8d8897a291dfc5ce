// The record of a job's copy, in a file that the client names: what of it is not on the target for certain, so that
// after a kill or a failure the copy can be gone on with (UnfinishedCopy). Beside that goes which checkpoint of the
// disk's tracker was there before the job was made: whatever is written to the disk since its point in time is named
// by that, too.
//
//   while it runs    a second after the start, then each time after twice as long, up to 32 s: what is left is asked
//                    for, the target is flushed, the record is written. Nobody is held: what is under way is left
//   at its end       once more, if the job is there still; a copy that is whole takes its record away
//
// The target is flushed by a descriptor of its own, opened before the job's first write: a failure that this one is
// told of is told to the job's by the kernel, too; and by us, for file systems that tell it only to who has asked.
// After one nothing more is written: the last record is as right as it was.
// Its thread may wait for storage; nobody waits for it.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Resume;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's, unless a member says otherwise. Owner of both descriptors.</summary>
sealed class JobRecord : IDisposable
{
    const int FirstMs = 1000;
    const int RarestMs = 32_000;
    const int RunningMax = 256; // as many jobs as a monitor has

    static readonly PatientThreads s_threads = new(RunningMax);

    readonly string _path;
    readonly ResumeFile _file;
    readonly int _targetFd;
    readonly CopySubject _subject;
    readonly bool _isNew;
    readonly object _gate = new();
    bool _isOver;
    bool _isWhole;
    bool _isClosed;

    JobRecord(string path, ResumeFile file, bool isNew, int targetFd, CopySubject subject, DeviceObject target)
    {
        (_path, _file, _isNew) = (path, file, isNew);
        (_targetFd, _subject, Target) = (targetFd, subject, target);
    }

    public DeviceObject Target { get; }

    /// <summary>Nothing will be written any more. Threads: any.</summary>
    public bool IsClosed => Volatile.Read(ref _isClosed);

    /// <summary>Opens or makes the file. Threads: any that may wait.</summary>
    /// <param name="disk">Of the job.</param>
    /// <param name="target">Of the job.</param>
    /// <param name="targetFd">Of it, for this alone: from here on the record's, also after an error.</param>
    /// <param name="path">Nothing, or an older record of a copy of this disk onto this target.</param>
    /// <param name="clusterBytes">Of the job.</param>
    /// <param name="point">A checkpoint that is there, and when it was made.</param>
    /// <param name="record">Null when refused.</param>
    public static OpenRefusal TryOpen(
        FileDevice disk,
        DeviceObject target,
        int targetFd,
        string path,
        uint clusterBytes,
        (string Name, ulong CreatedNs) point,
        out JobRecord? record
    )
    {
        record = null;
        Fault fault = CopySubject.TryTake(
            disk.Fd,
            disk.Limits.CapacityBytes,
            targetFd,
            clusterBytes,
            point,
            out CopySubject? subject
        );
        ResumeFile? file = null;
        bool isNew = false;
        OpenRefusal refusal = fault.IsNone
            ? ResumeFile.TryClaim(path, subject!, out file, out isNew)
            : OpenRefusal.Of(path, "keep a record in", fault);
        if (refusal.IsNone)
            record = new JobRecord(path, file!, isNew, targetFd, subject!, target);
        else
            NameCalls.Close(targetFd);
        return refusal;
    }

    /// <summary>The job has its point in time.</summary>
    /// <param name="tryAddLeft">Asks it what is left, on any thread; false: nobody knows.</param>
    /// <param name="tellFlushFailed">Tells it, on any thread, that its target could not be flushed.</param>
    public void Begin(Func<HierarchicalBitmap, bool> tryAddLeft, Action<Fault> tellFlushFailed)
    {
        if (!s_threads.TryRun("fb-record", () => Run(tryAddLeft, tellFlushFailed)))
            Dispose(); // a copy without a record
    }

    /// <summary>There will be no copy: a file that was made for it goes again.</summary>
    public void Withdraw()
    {
        if (!_isNew || !s_threads.TryRun("fb-record", Remove))
            Dispose();
    }

    void Remove()
    {
        _ = NamedFile.Remove(_path, _file.Fd);
        Dispose();
    }

    /// <summary>The job has ended.</summary>
    /// <param name="isWhole">Its copy is whole, and durable.</param>
    public void End(bool isWhole)
    {
        lock (_gate)
        {
            (_isOver, _isWhole) = (true, isWhole);
            System.Threading.Monitor.Pulse(_gate);
        }
    }

    /// <returns>True: the job has ended; false: the time is over.</returns>
    bool AwaitEnd(int limitMs)
    {
        lock (_gate)
            return _isOver || (System.Threading.Monitor.Wait(_gate, limitMs) && _isOver);
    }

    void Run(Func<HierarchicalBitmap, bool> tryAddLeft, Action<Fault> tellFlushFailed)
    {
        HierarchicalBitmap? left = null;
        try
        {
            left = HierarchicalBitmap.Create(_subject.DiskBytes, _subject.ClusterBytes);
            bool mayWrite = true;
            for (int ms = FirstMs; mayWrite && !AwaitEnd(ms); ms = Math.Min(2 * ms, RarestMs))
                mayWrite = TrySave(tryAddLeft, tellFlushFailed, left);
            _ = AwaitEnd(Timeout.Infinite);
            if (_isWhole)
                _ = NamedFile.Remove(_path, _file.Fd);
            else if (mayWrite)
                _ = TrySave(tryAddLeft, tellFlushFailed, left);
        }
        catch (InsufficientMemoryException)
        {
            // No record: the copy cannot be gone on with.
        }
        finally
        {
            left?.Dispose();
            Dispose();
        }
    }

    /// <returns>False: nothing of the target can be relied on any more.</returns>
    bool TrySave(Func<HierarchicalBitmap, bool> tryAddLeft, Action<Fault> tellFlushFailed, HierarchicalBitmap left)
    {
        left.ClearBits(0, left.BitCount);
        if (!tryAddLeft(left))
            return true;
        int flushed = NameCalls.Kernel.Flush(_targetFd);
        if (flushed < 0)
        {
            tellFlushFailed(Errnos.ToFault(-flushed));
            return false;
        }
        _ = _file.Write(_subject, left); // else the one before is as right
        return true;
    }

    public void Dispose()
    {
        _file.Dispose();
        NameCalls.Close(_targetFd);
        Volatile.Write(ref _isClosed, true);
    }
}
