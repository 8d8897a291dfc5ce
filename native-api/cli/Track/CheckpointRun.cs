// Points of a disk's tracker: one is made, all are listed, one is deleted. The disk is at rest; that of a running
// machine has its points made by whoever serves it.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class CheckpointRun(CheckpointRequest request, Output output)
{
    bool IsLook => request.Action == CheckpointAction.List;

    public int Execute()
    {
        OpenRefusal refusal = TrackedDisk.TryOpen(
            request.Disk,
            request.IsLockIgnored,
            request.Format,
            out TrackedDisk? disk
        );
        using (disk)
            return refusal.IsNone ? Act(disk!.Engine, disk.Device) : Conclude(refusal, null);
    }

    int Act(Engine engine, FileDevice disk)
    {
        if (!IsLook && disk.UsedBy is { } use)
            return Conclude(
                OpenRefusal.Rule($"disk '{request.Disk}' is {use}: ask whoever serves it for its checkpoints"),
                null
            );
        OpenRefusal refusal = TrackerFile.TryOpen(engine.Reactor, request.Tracker, IsLook, out TrackerFile? file);
        if (!refusal.IsNone)
            return Conclude(refusal, null);
        refusal = file!.Read(disk, out TrackedChanges? changes);
        using (changes)
        {
            if (refusal.IsNone && changes!.Refusal == TrackerRefusal.None)
                refusal = Change(file, disk, changes);
            engine.Reactor.Invoke(file.Dispose);
            return Conclude(refusal, changes);
        }
    }

    OpenRefusal Change(TrackerFile file, FileDevice disk, TrackedChanges changes)
    {
        if (IsLook)
            return default;
        bool isAdding = request.Action == CheckpointAction.Add;
        string? wrong =
            isAdding ? PointWords.CheckNew(changes, request.Tracker, request.Name)
            : changes.Has(request.Name) ? null
            : PointWords.Missing(request.Tracker, request.Name);
        if (wrong != null)
            return OpenRefusal.Rule(wrong);
        Fault fault = isAdding
            ? file.AddPoint(disk, changes, request.Name, PointWords.NowNs())
            : file.DeletePoint(disk, changes, request.Name);
        return fault.IsNone ? default : new OpenRefusal(fault, $"cannot write tracker '{request.Tracker}': {fault}");
    }

    int Conclude(in OpenRefusal refusal, TrackedChanges? changes)
    {
        bool isUsable = refusal.IsNone && changes is { Refusal: TrackerRefusal.None };
        int exitCode = isUsable ? ExitCode.Done : ExitCode.Failed;
        List<CheckpointEntry>? points = isUsable ? ListOf(changes!) : null;
        if (!refusal.IsNone)
            output.Error(refusal.Sentence, refusal.Fault);
        else if (!isUsable)
            output.Error(TrackWords.Refused(request.Tracker, changes!.Refusal));
        else if (IsLook)
            Show(points!);
        else
            output.Line($"{(request.Action == CheckpointAction.Add ? "added" : "deleted")} '{request.Name}'");
        output.Event(
            new CheckpointDoneEvent(
                "done",
                "checkpoint",
                request.Action.ToString().ToLowerInvariant(),
                isUsable ? "done" : "refused",
                exitCode,
                request.Disk,
                request.Tracker,
                IsLook ? null : request.Name,
                changes == null ? null : TrackerRefusals.Words.Of(changes.Refusal),
                points
            ),
            JsonEvents.Readable.CheckpointDoneEvent
        );
        return exitCode;
    }

    static List<CheckpointEntry> ListOf(TrackedChanges changes)
    {
        List<CheckpointEntry> entries = [];
        foreach ((TrackedPoint point, ulong changedBytes) in changes.CountSinceNamed())
            entries.Add(new CheckpointEntry(point.Name, PointWords.TimeOf(point.CreatedNs), changedBytes));
        return entries;
    }

    void Show(List<CheckpointEntry> points)
    {
        if (points.Count == 0)
            output.Line("no checkpoints");
        int width = points.Count == 0 ? 0 : points.Max(point => point.Name.Length);
        foreach (CheckpointEntry point in points)
            output.Line(
                $"{point.Name.PadRight(width)}  {point.Created}  {ByteSize.Format(point.ChangedBytes)} changed since"
            );
    }
}
