// A job as hosts hold it: it writes the engine's event log, ends the submission that started it, and reads its snapshot
// for the host, as many requests at once as the view takes; more wait here.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Objects;

/// <summary>Threads: Core.Query and Core.GuestWaits any; the rest is the reactor's.</summary>
sealed class JobObject(EngineObject engine, DiskObject disk, DeviceObject target, BackupJob core)
    : EngineChild(engine),
        IHandleKind,
        IJobListener,
        ISlotWork
{
    readonly Queue<QueueSlot> _waiting = new();
    QueueSlot? _starter;
    uint _readCount;
    DeviceObject? _scratch;
    ScratchSpace? _scratchSpace;

    bool _hasReleased;

    public static HandleKind Kind => HandleKind.Job;

    public static string Noun => "job";

    public BackupJob Core => core;

    public DiskObject Disk => disk;

    public DeviceObject Target => target;

    /// <summary>Higher than that of each job of the engine that was made before.</summary>
    public ulong Number { get; } = ++engine.JobNumber;

    /// <summary>Its point in time was taken, or tried to be.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>
    /// Target and scratch are free again when it has ended, not only when it is closed: a job of a monitor.
    /// </summary>
    public bool IsReleasedAtEnd { get; init; }

    /// <summary>Of its copy; null: none.</summary>
    public JobRecord? Record { get; init; }

    /// <summary>A client's command starts it in the next quiesced moment: nobody else may.</summary>
    public bool IsPlanned { get; set; }

    public bool IsStarted => _starter != null || Core.Status is not JobStatus.Created;

    public bool HasEnded => Core.Status is JobStatus.Concluded or JobStatus.Null;

    /// <summary>Its point in time is there and can be read.</summary>
    public bool IsReadable =>
        !IsClosed
        && HasBegun
        && Core.View is { Status.IsNone: true }
        && Core.Status is JobStatus.Running or JobStatus.Paused or JobStatus.Waiting or JobStatus.Pending;

    /// <summary>The newest job whose point in time can be read now; null: there is none.</summary>
    /// <param name="engine">Of the job.</param>
    /// <param name="of">A disk, or null for any.</param>
    /// <param name="to">A target, or null for any.</param>
    public static JobObject? NewestReadable(EngineObject engine, DiskObject? of = null, DeviceObject? to = null)
    {
        JobObject? newest = null;
        foreach (Job job in engine.Jobs.Jobs)
            if (
                job.Listener is JobObject { IsReadable: true } one
                && (of == null || ReferenceEquals(one.Disk, of))
                && (to == null || ReferenceEquals(one.Target, to))
            )
                newest = newest == null || one.Number > newest.Number ? one : newest;
        return newest;
    }

    /// <summary>Snapshot requests that have not ended.</summary>
    public uint ReadCount => _readCount;

    /// <summary>From here to its own end the job has the scratch device for itself.</summary>
    public void TakeScratch(DeviceObject scratch, ScratchSpace space)
    {
        (_scratch, _scratchSpace) = (scratch, space);
        scratch.HasJob = true;
    }

    /// <summary>The submission that is completed when the job has ended.</summary>
    public void SetStarter(QueueSlot slot) => _starter = slot;

    public void OnJobEvent(Job job, in JobEvent jobEvent)
    {
        EventStruct happened = new()
        {
            Job = Id,
            Status = Status.Of(jobEvent.Fault.Kind),
            SysErrno = jobEvent.Fault.Errno,
            Offset = jobEvent.Fault.IsFault ? jobEvent.Fault.OffsetBytes : Fault.NoOffset,
            Flags = (jobEvent.IsSourceFault ? Fb.EventIsSource : 0) | (IsReleasedAtEnd ? Fb.EventIsOfMonitor : 0),
        };
        (happened.Kind, happened.Value) = jobEvent.Kind switch
        {
            JobEventKind.DeviceError => (Fb.EventDeviceError, (uint)jobEvent.Action),
            JobEventKind.WaitsForFinalize => (Fb.EventJobWaits, 0u),
            JobEventKind.Completed or JobEventKind.Cancelled or JobEventKind.Failed => (Fb.EventJobEnded, 0u),
            _ => (Fb.EventJobState, (uint)jobEvent.Status),
        };
        Engine!.Events.Add(happened);
        if (!HasBegun && jobEvent is { Kind: JobEventKind.StatusChanged, Status: JobStatus.Running })
        {
            HasBegun = true;
            Record?.Begin(TryAddLeft, TellFlushFailed);
        }
        if (happened.Kind == Fb.EventJobEnded)
            End(jobEvent.Fault);
        Engine!.WakeReaders();
        foreach (IJobObserver observer in Engine!.Observers)
            observer.OnJobEvent(core, jobEvent, HasBegun);
    }

    void End(Fault fault)
    {
        EndRecord(isWhole: fault.IsNone);
        if (IsOver && _readCount == 0)
            ReleaseDevices();
        QueueSlot? starter = _starter;
        if (starter == null)
            return;
        starter.Bytes = Core.Query().DoneBytes;
        starter.Complete(fault);
    }

    /// <summary>Threads: any but the reactor's.</summary>
    bool TryAddLeft(HierarchicalBitmap left)
    {
        bool isKnown = false;
        _ = Engine!.RunUnlessStopped(
            this,
            () =>
            {
                isKnown = Core.TryAddLeft(left);
                return Answer.Ok;
            }
        );
        return isKnown;
    }

    /// <summary>Threads: any but the reactor's.</summary>
    void TellFlushFailed(Fault fault) =>
        _ = Engine!.RunUnlessStopped(
            this,
            () =>
            {
                Core.TellFlushFailed(fault);
                return Answer.Ok;
            }
        );

    void EndRecord(bool isWhole)
    {
        if (HasBegun)
            Record?.End(isWhole);
        else
            Record?.Withdraw();
    }

    /// <summary>A read or discard of the snapshot, on the reactor's thread.</summary>
    public void Begin(QueueSlot slot)
    {
        if (IsClosed || Core.View == null || IsOver)
        {
            Refuse(slot);
            return;
        }
        _readCount++;
        if (_waiting.Count > 0 || Core.View.InFlightCount >= Core.View.Limits.InFlightMax)
            _waiting.Enqueue(slot);
        else
            Core.View.Submit(slot.Request);
    }

    public void OnSlotDone()
    {
        _readCount--;
        if (IsOver)
        {
            while (_waiting.TryDequeue(out QueueSlot? late))
            {
                _readCount--;
                Refuse(late);
            }
            if (_readCount == 0)
                ReleaseDevices();
            return;
        }
        while (Core.View!.InFlightCount < Core.View.Limits.InFlightMax && _waiting.TryDequeue(out QueueSlot? next))
            Core.View.Submit(next.Request);
    }

    /// <summary>As Begin, for whoever waits where there is no room.</summary>
    /// <returns>
    /// None: <see cref="OnSlotDone"/> is to follow the completion. QueueFull: the view takes no more at once.
    /// SnapshotLost: it is no more.
    /// </returns>
    public Fault TryBegin(in BlockRequest request)
    {
        if (IsClosed || Core.View == null || IsOver)
            return new Fault(FaultKind.SnapshotLost);
        if (Core.View.InFlightCount >= Core.View.Limits.InFlightMax)
            return new Fault(FaultKind.QueueFull);
        _readCount++;
        Core.View.Submit(request);
        return Fault.None;
    }

    /// <summary>Ended, and its devices are others' now or soon: nothing more is read from them.</summary>
    bool IsOver => IsReleasedAtEnd && HasEnded;

    static void Refuse(QueueSlot slot)
    {
        slot.Work = null;
        slot.Complete(new Fault(FaultKind.SnapshotLost));
    }

    /// <summary>On the reactor's thread; the caller frees the job's memory and releases the engine.</summary>
    public Answer CloseIfOver()
    {
        if (IsStarted && !HasEnded)
            return Answer.State("the job has started and not ended: cancel it and wait for its completion");
        if (ReadCount > 0 && !Engine!.Reactor.HasFailed)
            return Answer.State("snapshot reads have not ended");
        _ = TryClose();
        HandleTable.Close(this);
        Leave();
        return Answer.Ok;
    }

    /// <summary>The end of a handle: nothing of the job is in flight, and what is left is memory.</summary>
    void Leave()
    {
        if (Core.Status == JobStatus.Created)
            _ = Core.Cancel();
        if (Core.Status == JobStatus.Concluded)
            _ = Core.Dismiss();
        Core.Leave();
        disk.JobCount--;
        ReleaseDevices();
    }

    /// <summary>Milliseconds, for a large disk. Threads: any but the reactor's, once, after Leave.</summary>
    public void FreeMemory()
    {
        Core.FreeMemory();
        _scratchSpace?.Dispose();
    }

    void ReleaseDevices()
    {
        if (_hasReleased)
            return;
        _hasReleased = true;
        target.HasJob = false;
        if (_scratch != null)
            _scratch.HasJob = false;
    }
}
