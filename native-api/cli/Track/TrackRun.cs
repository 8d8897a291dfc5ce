// One look at a tracker, or its making and removal: for a disk that nobody needs to be writing to.
using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Move;
using FastBackup.Tracking.Storage;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class TrackRun(TrackRequest request, Output output)
{
    MoveWord? _word;

    public int Execute()
    {
        if (request.Action == TrackAction.Expect)
            return Expect();
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
        if (request.Move != null)
            return Move(engine, disk, request.Move);
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
        OpenRefusal made = TrackerFile.TryCreate(
            engine.Reactor,
            request.Tracker,
            disk,
            Chance(),
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
                $"SIZE {request.SizeBytes} is not above the {bytes} bytes of disk '{request.Disk}'; give a larger one"
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
        if (new FileInfo(request.Tracker).LinkTarget is { } target)
            return Conclude(
                OpenRefusal.Rule($"'{request.Tracker}' is a symbolic link to '{target}': remove that, then the link")
            );
        OpenRefusal refusal = TrackerFile.TryOpen(
            engine.Reactor,
            request.Tracker,
            isReadOnly: false,
            out TrackerFile? file
        );
        if (!refusal.IsNone)
            return Conclude(refusal);
        Fault fault = Fault.None;
        bool isTracker = file!.IsTracker;
        if (isTracker)
        {
            file.RemoveLive();
            fault = file.RemoveName();
        }
        engine.Reactor.Invoke(file.Dispose);
        if (!isTracker)
            return Conclude(OpenRefusal.Rule($"'{request.Tracker}' is not a tracker file; it stays"));
        if (fault.IsFault)
            return Conclude(new OpenRefusal(fault, $"cannot remove tracker '{request.Tracker}': {fault}"));
        output.Line($"removed '{request.Tracker}'");
        return Conclude(default);
    }

    /// <summary>The disk need not be here yet.</summary>
    int Expect()
    {
        string? sentence = WorkEngine.TryOpen(Units.MiB, (uint)(64 * Units.KiB), null, out Engine? engine);
        if (sentence != null)
            return Conclude(new OpenRefusal(new Fault(FaultKind.NoMemory), sentence));
        using (engine)
        {
            _word = new MoveWord(Chance(), Chance());
            OpenRefusal refusal = TrackerFile.Expect(engine!.Reactor, request.Tracker, _word.Value);
            if (refusal.IsNone)
                output.Line(_word.Value.ToString());
            else
                _word = null;
            return Conclude(refusal);
        }
    }

    int Move(Engine engine, FileDevice disk, MoveRequest move)
    {
        if (disk.UsedBy is { } use)
            return Conclude(OpenRefusal.Rule($"disk '{request.Disk}' is {use}; stop whoever writes to it first"));
        OpenRefusal refusal = TrackerFile.TryOpen(
            engine.Reactor,
            request.Tracker,
            isReadOnly: false,
            out TrackerFile? file
        );
        if (!refusal.IsNone)
            return Conclude(refusal);
        int exitCode = request.Action == TrackAction.Export ? Export(file!, disk, move) : Import(file!, disk, move);
        engine.Reactor.Invoke(file!.Dispose);
        return exitCode;
    }

    int Export(TrackerFile file, FileDevice disk, MoveRequest move)
    {
        OpenRefusal refusal = file.Read(disk, out TrackedChanges? changes);
        using (changes)
        {
            if (!refusal.IsNone || changes!.Refusal != TrackerRefusal.None)
                return Conclude(refusal, changes);
            refusal = TokenFile.TryCreate(move.Token, out TokenFile? token);
            if (!refusal.IsNone)
                return Conclude(refusal);
            using (token)
            {
                refusal = DiskMove.Export(file, disk, changes, move.Word, move.IsShared, token!);
                if (!refusal.IsNone)
                    token!.Discard();
            }
        }
        if (refusal.IsNone)
            output.Line($"moved to '{move.Token}'; '{request.Tracker}' is over");
        return Conclude(refusal);
    }

    int Import(TrackerFile file, FileDevice disk, MoveRequest move)
    {
        OpenRefusal refusal = TokenFile.TryOpen(move.Token, out TokenFile? token);
        if (!refusal.IsNone)
            return Conclude(refusal);
        using (token)
            refusal = DiskMove.Import(file, disk, token!);
        if (!refusal.IsNone)
            return Conclude(refusal);
        refusal = file.Read(disk, out TrackedChanges? changes);
        using (changes)
            return Conclude(refusal, changes);
    }

    static UInt128 Chance() => MemoryMarshal.Read<UInt128>(RandomNumberGenerator.GetBytes(16));

    int Conclude(in OpenRefusal refusal, TrackedChanges? changes = null)
    {
        bool isUsable = refusal.IsNone && changes is null or { Refusal: TrackerRefusal.None };
        string? notDrawn = isUsable && changes != null ? DrawFile(changes) : null;
        int exitCode = isUsable && notDrawn == null ? ExitCode.Done : ExitCode.Failed;
        if (!refusal.IsNone)
            output.Error(refusal.Sentence, refusal.Fault);
        else if (changes is { Refusal: not TrackerRefusal.None })
            output.Error(TrackWords.Refused(request.Tracker, changes.Refusal));
        else if (changes != null)
            Show(changes);
        if (notDrawn != null)
            output.Error(notDrawn);
        output.Event(
            new TrackDoneEvent(
                "done",
                "track",
                request.Action.ToString().ToLowerInvariant(),
                !isUsable ? "refused"
                    : notDrawn == null ? "done"
                    : "failed",
                exitCode,
                request.Disk,
                request.Tracker,
                changes == null ? null : TrackerRefusals.Words.Of(changes.Refusal),
                changes?.IsExact,
                changes?.WasOpen,
                changes?.GranuleBytes,
                changes?.ChangedBytes,
                changes?.DiskBytes,
                changes?.OpenRegionCount * changes?.RegionBytes,
                _word?.ToString(),
                request.Move?.Token
            ),
            JsonEvents.Readable.TrackDoneEvent
        );
        return exitCode;
    }

    /// <returns>Null, or why there is no picture.</returns>
    string? DrawFile(TrackedChanges changes) =>
        request.Picture is { } path
            ? TrackDrawing.TryWrite(path, request.Disk, TrackWords.Describe(changes), changes.Changed!)
            : null;

    void Show(TrackedChanges changes)
    {
        output.Line(TrackWords.Describe(changes));
        if (request.Action != TrackAction.Map)
            return;
        output.Line(TrackPicture.Draw(changes.Changed!));
        output.Line(TrackPicture.Legend);
    }
}
