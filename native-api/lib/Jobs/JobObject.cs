// A job as hosts hold it: it writes the engine's event log, ends the submission that started it, and reads its snapshot
// for the host, as many requests at once as the view takes; more wait here.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Jobs;
using FastBackup.Native.Devices;
using FastBackup.Native.Disks;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Queues;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Jobs;

/// <summary>Threads: Core.Query and Core.GuestWaits any; the rest is the reactor's.</summary>
sealed class JobObject(EngineObject engine, DiskObject disk, DeviceObject target, BackupJob core)
    : AbiObject(engine),
        IHandleKind,
        IJobListener,
        ISlotWork
{
    readonly Queue<QueueSlot> _waiting = new();
    QueueSlot? _starter;
    uint _readCount;
    DeviceObject? _scratch;
    ScratchSpace? _scratchSpace;

    public static HandleKind Kind => HandleKind.Job;

    public static string Noun => "job";

    public BackupJob Core => core;

    public DiskObject Disk => disk;

    public DeviceObject Target => target;

    public bool IsStarted => _starter != null || Core.Status is not JobStatus.Created;

    public bool HasEnded => Core.Status is JobStatus.Concluded or JobStatus.Null;

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
            Flags = jobEvent.IsSourceFault ? EventKind.IsSource : 0,
        };
        (happened.Kind, happened.Value) = jobEvent.Kind switch
        {
            JobEventKind.DeviceError => (EventKind.DeviceError, (uint)jobEvent.Action),
            JobEventKind.WaitsForFinalize => (EventKind.JobWaits, 0u),
            JobEventKind.Completed or JobEventKind.Cancelled or JobEventKind.Failed => (EventKind.JobEnded, 0u),
            _ => (EventKind.JobState, (uint)jobEvent.Status),
        };
        Engine!.Events.Add(happened);
        if (happened.Kind == EventKind.JobEnded)
            End(jobEvent.Fault);
        Engine!.WakeLogs();
    }

    void End(Fault fault)
    {
        QueueSlot? starter = _starter;
        if (starter == null)
            return;
        starter.Bytes = Core.Query().DoneBytes;
        starter.Complete(fault);
    }

    /// <summary>A read or discard of the snapshot, on the reactor's thread.</summary>
    public void Begin(QueueSlot slot)
    {
        if (IsClosed || Core.View == null)
        {
            slot.Work = null;
            slot.Complete(new Fault(FaultKind.SnapshotLost));
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
        while (Core.View!.InFlightCount < Core.View.Limits.InFlightMax && _waiting.TryDequeue(out QueueSlot? next))
            Core.View.Submit(next.Request);
    }

    /// <summary>The end of a handle: nothing of the job is in flight.</summary>
    public void Dispose()
    {
        if (Core.Status == JobStatus.Created)
            _ = Core.Cancel();
        if (Core.Status == JobStatus.Concluded)
            _ = Core.Dismiss();
        Core.Dispose();
        disk.JobCount--;
        target.HasJob = false;
        if (_scratch == null)
            return;
        _scratchSpace!.Dispose();
        _scratch.HasJob = false;
    }
}
