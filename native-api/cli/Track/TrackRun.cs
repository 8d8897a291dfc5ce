// One look at a tracker, or its making and removal: for a disk that nobody needs to be writing to.
using System;
using System.IO;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class TrackRun(TrackRequest request, Output output)
{
    public int Execute()
    {
        OpenRefusal refusal = TrackedDisk.TryOpen(
            request.Disk,
            request.IsLockIgnored,
            request.Format,
            out TrackedDisk? disk,
            isReadOnly: request.Action != TrackAction.Grow
        );
        using (disk)
            return refusal.IsNone ? Act(disk!.Engine, disk.Device) : Conclude(refusal);
    }

    int Act(Engine engine, FileDevice disk)
    {
        if (request.Action == TrackAction.Remove)
            return Remove(engine, disk);
        if (request.Action == TrackAction.Grow)
            return Grow(engine, disk);
        TrackerFile? file;
        if (request.Action == TrackAction.Info || request.Action == TrackAction.Map)
        {
            OpenRefusal refusal = TrackerFile.TryOpen(engine.Reactor, request.Tracker, isReadOnly: true, out file);
            return refusal.IsNone ? Look(engine, disk, file!) : Conclude(refusal);
        }
        if (disk.UsedBy is { } use)
            return Conclude(
                OpenRefusal.Rule($"disk '{request.Disk}' is {use}; add its tracker when nobody writes to it")
            );
        UInt128 id = MemoryMarshal.Read<UInt128>(Guid.NewGuid().ToByteArray());
        OpenRefusal made = TrackerFile.TryCreate(
            engine.Reactor,
            request.Tracker,
            disk,
            id,
            request.GranuleBytes,
            out file
        );
        return made.IsNone ? Look(engine, disk, file!) : Conclude(made);
    }

    int Grow(Engine engine, FileDevice disk)
    {
        OpenRefusal refusal = GrowthRule(disk);
        if (!refusal.IsNone)
            return Conclude(refusal);
        refusal = TrackerFile.TryOpen(engine.Reactor, request.Tracker, isReadOnly: false, out TrackerFile? file);
        if (!refusal.IsNone)
            return Conclude(refusal);
        refusal = file!.Read(disk, out TrackedChanges? changes);
        using (changes)
        {
            if (refusal.IsNone && changes!.Refusal == TrackerRefusal.None)
                refusal = file.GrowDisk(disk, changes, request.SizeBytes);
            engine.Reactor.Invoke(file.Dispose);
            return Conclude(refusal, changes);
        }
    }

    OpenRefusal GrowthRule(FileDevice disk)
    {
        if (disk.IsBlockDevice)
            return OpenRefusal.Rule(
                $"disk '{request.Disk}' is a block device, which other tools make larger; its tracker finds that out"
            );
        if (disk.UsedBy is { } use)
            return OpenRefusal.Rule($"disk '{request.Disk}' is {use}; let its server make it larger");
        ulong bytes = disk.Limits.CapacityBytes;
        return request.SizeBytes > bytes && request.SizeBytes <= long.MaxValue
            ? default
            : OpenRefusal.Rule(
                $"SIZE {request.SizeBytes} is not above the {bytes} bytes of disk '{request.Disk}': it can only grow"
            );
    }

    int Look(Engine engine, FileDevice disk, TrackerFile file)
    {
        OpenRefusal refusal = file.Read(disk, out TrackedChanges? changes);
        engine.Reactor.Invoke(file.Dispose);
        using (changes)
            return Conclude(refusal, changes);
    }

    int Remove(Engine engine, FileDevice disk)
    {
        OpenRefusal refusal = TrackerFile.TryOpen(
            engine.Reactor,
            request.Tracker,
            isReadOnly: false,
            out TrackerFile? file
        );
        if (!refusal.IsNone)
            return Conclude(refusal);
        refusal = file!.Read(disk, out TrackedChanges? changes);
        bool isTracker = refusal.IsNone && changes!.Refusal != TrackerRefusal.NotATracker;
        changes?.Dispose();
        if (isTracker)
            file.RemoveLive();
        engine.Reactor.Invoke(file.Dispose);
        if (!isTracker)
            return Conclude(
                refusal.IsNone ? OpenRefusal.Rule($"'{request.Tracker}' is not a tracker file; it stays") : refusal
            );
        try
        {
            File.Delete(request.Tracker);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Conclude(OpenRefusal.Rule($"cannot remove tracker '{request.Tracker}': {exception.Message}"));
        }
        output.Line($"removed '{request.Tracker}'");
        return Conclude(default);
    }

    int Conclude(in OpenRefusal refusal, TrackedChanges? changes = null)
    {
        bool isUsable = refusal.IsNone && changes is null or { Refusal: TrackerRefusal.None };
        int exitCode = isUsable ? ExitCode.Done : ExitCode.Failed;
        if (!refusal.IsNone)
            output.Error(refusal.Sentence, refusal.Fault);
        else if (changes is { Refusal: not TrackerRefusal.None })
            output.Error(TrackWords.Refused(request.Tracker, changes.Refusal));
        else if (changes != null)
            Show(changes);
        output.Event(
            new TrackDoneEvent(
                "done",
                "track",
                request.Action.ToString().ToLowerInvariant(),
                isUsable ? "done" : "refused",
                exitCode,
                request.Disk,
                request.Tracker,
                changes == null ? null : TrackerRefusals.Words.Of(changes.Refusal),
                changes?.IsExact,
                changes?.WasOpen,
                changes?.GranuleBytes,
                changes?.Changed?.CountBytes(),
                changes?.DiskBytes,
                changes?.OpenRegionCount * changes?.RegionBytes
            ),
            JsonEvents.Readable.TrackDoneEvent
        );
        return exitCode;
    }

    void Show(TrackedChanges changes)
    {
        output.Line(TrackWords.Describe(changes));
        if (request.Action != TrackAction.Map)
            return;
        output.Line(TrackPicture.Draw(changes.Changed!));
        output.Line(TrackPicture.Legend);
    }
}
