// One backup from the request to the renamed file: open source, plan and open target, run the job, publish.
// Whatever the end, devices and memory are given back on the reactor's thread, in the order job, disks,
// engine. A copy that has begun and did not end well stays under its partial name.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Filter;
using FastBackup.Formats.Qcow2;
using FastBackup.Jobs;
using FastBackup.Native.Tls;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class BackupRun(BackupRequest request, Output output, Interruption interruption) : IJobListener, IDisposable
{
    readonly ManualResetEvent _concluded = new(false);
    IBlockDevice? _source;
    IBlockDevice? _target;
    TargetPlace? _place; // null: a remote disk, which is written in place
    Disk? _disk;
    BackupJob? _job;
    bool _hasStarted;
    BackupTracker? _tracker;
    Resumption? _resumption; // null: the copy cannot be gone on with
    HierarchicalBitmap? _marked; // by the source's server, or in its image
    BackingImage? _backing;

    public BackupResult Execute()
    {
        uint chunkBytes = WorkEngine.ChunkBytes(request.MemoryBytes, request.ClusterBytes);
        string? sentence = WorkEngine.TryOpen(
            request.MemoryBytes,
            chunkBytes,
            request.UsualMemoryBytes,
            out Engine? engine
        );
        if (sentence != null)
            return BackupResult.Refused(sentence, new Fault(FaultKind.NoMemory));
        try
        {
            OpenRefusal refusal = TryPrepare(engine!);
            return refusal.IsNone ? RunJob(engine!) : BackupResult.Refused(refusal.Sentence, refusal.Fault);
        }
        finally
        {
            if (!_hasStarted)
            {
                _place?.Undo(); // refused, or an exception: nothing was copied
                _resumption?.Withdraw();
            }
            _place?.Dispose();
            // After a bug the kernel may still own buffers: then memory ends with the process.
            if (engine!.Reactor.Failure == null)
            {
                engine.Reactor.Invoke(CloseAll);
                engine.Dispose();
            }
        }
    }

    OpenRefusal TryPrepare(Engine engine)
    {
        OpenRefusal refusal = SourceDisk.TryOpen(
            engine.Reactor,
            request.Source,
            "source",
            request.IsLockIgnored,
            request.Format,
            out _source,
            isReadOnly: request.ClearedBitmap == null,
            remote: request.Remote,
            keepsBitmaps: true
        );
        if (refusal.IsNone && request.ClearedBitmap != null)
            refusal = SourceBitmap.CanClear(engine, request, _source!);
        if (refusal.IsNone)
            refusal = Qcow2Target.Check(request, _source!.Limits.CapacityBytes);
        if (!refusal.IsNone)
            return refusal;
        if (request.Tracker != null)
            refusal = TryOpenTracker(engine, request.Tracker);
        else if (request.Bitmap != null)
            refusal = _source is Qcow2Device image
                ? SourceBitmap.TryRead(engine, request, image, out _marked)
                : RemoteBitmap.TryRead(engine, request, _source!, interruption, out _marked);
        if (!refusal.IsNone)
            return refusal;
        if (request.Image is { Backing: not null })
            refusal = BackingImage.TryTake(engine.Reactor, request, _source!, CoversFrom, out _backing);
        if (!refusal.IsNone)
            return refusal;
        WriteTracker();
        string? sentence = CopyBitmapRule.Check(
            _source!.Limits.CapacityBytes,
            request.ClusterBytes,
            MachineMemory.AvailableBytes()
        );
        if (sentence != null)
            return new OpenRefusal(new Fault(FaultKind.NoMemory), sentence);
        refusal =
            IsIncremental && request.Image == null ? TryOpenLast(engine)
            : TlsTransport.Schemes.IsMeant(request.Target) ? TryOpenRemote(engine)
            : TryOpenPlace(engine);
        if (refusal.IsNone && _place != null && request.Image == null)
        {
            _resumption = new Resumption(request, _place, _tracker);
            refusal = _resumption.TryBegin(engine, _source!, (FileDevice)_target!);
        }
        if (!refusal.IsNone)
            return refusal;
        BackupOptions options = new()
        {
            Sync = Named != null ? BackupSync.Incremental : request.Sync,
            MayTargetBeLarger = true, // a block device that is larger: its rest is left alone
            Filter = new FilterOptions { ClusterBytes = request.ClusterBytes },
            SpeedBytesPerSecond = request.SpeedBytesPerSecond,
            GuestPriority = request.GuestPriority,
        };
        engine.Reactor.Invoke(() => refusal = TryCreateJob(engine, options));
        return refusal;
    }

    bool IsIncremental => _tracker is { FullReason: null } || _marked != null;

    /// <summary>All that is to be copied; null: everything is.</summary>
    HierarchicalBitmap? Named => _resumption?.Resumed?.Left ?? _marked ?? (IsIncremental ? _tracker!.Changed : null);

    /// <summary>All that lies behind an offset is copied.</summary>
    bool CoversFrom(ulong offsetBytes) =>
        _tracker is { } tracker && (tracker.FullReason != null || tracker.NamesAllFrom(offsetBytes));

    OpenRefusal TryOpenTracker(Engine engine, string path)
    {
        if (request.Sync != BackupSync.Full)
            return OpenRefusal.Rule("--tracker copies what has changed: leave --sync out");
        bool isTargetThere = request.Image is { } image
            ? image.Backing != null // which is the last copy
            : !request.IsForced && !request.IsResumed && System.IO.File.Exists(request.Target);
        OpenRefusal refusal = BackupTracker.TryOpen(
            engine,
            path,
            _source!,
            request,
            isTargetThere,
            out _tracker,
            out string? reason
        );
        if (reason != null)
            WriteTracker("refused", reason, _source!.Limits.CapacityBytes);
        return refusal;
    }

    /// <summary>The last copy, which is written in place.</summary>
    OpenRefusal TryOpenLast(Engine engine)
    {
        FileOpenOptions options = new()
        {
            Path = request.Target,
            IsLockIgnored = request.IsLockIgnored,
            Format = FormatRule.Raw, // it holds whatever the source does
            Remote = request.Remote,
        };
        OpenRefusal refusal = TlsTransport.Schemes.TryOpen(engine.Reactor, options, out _target);
        if (!refusal.IsNone)
            return refusal with { Sentence = $"target: {refusal.Sentence}{BitmapHint(refusal.Fault)}" };
        if (_source!.Storage is { } storage && _target!.Storage is { } other && storage.Shares(other))
            return OpenRefusal.Rule($"target '{request.Target}' is the source itself");
        (ulong sizeBytes, ulong targetBytes) = (_source.Limits.CapacityBytes, _target!.Limits.CapacityBytes);
        if (targetBytes == sizeBytes)
            return default;
        return
            targetBytes < sizeBytes
            && _target is FileDevice { IsBlockDevice: false } file
            && _tracker?.NamesAllFrom(targetBytes) == true
            ? Enlarge(engine, file, sizeBytes)
            : new OpenRefusal(
                new Fault(FaultKind.Invalid),
                $"target '{request.Target}' has another size than the source: it is not its last copy"
            );
    }

    string BitmapHint(Fault fault) =>
        _marked == null || fault.Errno != Errnos.ENOENT
            ? ""
            : "; it is the copy that --bitmap completes: make it without --bitmap first";

    /// <summary>The source has grown since the last copy, and what is new is copied anyway.</summary>
    OpenRefusal Enlarge(Engine engine, FileDevice target, ulong sizeBytes)
    {
        int result = NameCalls.Kernel.Resize(target.Fd, sizeBytes);
        Fault fault = result < 0 ? Errnos.ToFault(-result) : Fault.None;
        if (fault.IsFault)
            return new OpenRefusal(fault, $"cannot make target '{request.Target}' as large as the source: {fault}");
        engine.Reactor.Invoke(() => _ = target.Grow(sizeBytes));
        return default;
    }

    OpenRefusal TryOpenPlace(Engine engine)
    {
        FileDevice? source = _source as FileDevice;
        NewImageShape? shape = Qcow2Target.Shape(request, _source!.Limits.CapacityBytes, _backing);
        TargetOptions wanted = new()
        {
            Path = request.Target,
            SizeBytes = shape?.FileBytesMax ?? _source.Limits.CapacityBytes,
            MayReplace = request.IsForced,
            MayResume = IsResumed,
            ResumeWord = "--resume",
            IsLockIgnored = request.IsLockIgnored,
            Format = shape == null ? request.Format : FormatRule.Raw, // an image replaces an image
            Source = source?.Identity,
            SourceStorage =
                _backing == null ? _source.Storage : LayeredStorage.Of(_source.Storage, _backing.Device.Storage),
            SourceName = _source.Name,
        };
        OpenRefusal refusal = TargetPlace.TryPlan(NameCalls.Kernel, wanted, out _place);
        if (refusal.IsNone)
            refusal = CheckRecord(_place!.PartialPath != null);
        if (!refusal.IsNone)
            return refusal;
        if (shape != null && _place!.PartialPath == null)
            return OpenRefusal.Rule($"target '{request.Target}' is a block device: a qcow2 image goes into a file");
        refusal = _place!.TryOpen(
            engine.Reactor,
            new FileOpenOptions { Path = request.Target },
            out FileDevice? target
        );
        _target = target;
        if (target != null && shape != null)
            _target = Qcow2NewImage.Create(engine.Reactor, target, shape);
        return refusal;
    }

    /// <summary>Gives the copy its name.</summary>
    OpenRefusal Publish(TargetPlace place)
    {
        Fault fault = (_target as Qcow2NewImage)?.Trim() ?? Fault.None;
        return fault.IsNone
            ? place.TryPublish()
            : new OpenRefusal(fault, $"cannot give its length to '{place.PartialPath}', which is whole: {fault}");
    }

    /// <summary>By force a device is begun anew where there is nothing to go on with.</summary>
    bool IsResumed =>
        request.IsResumed && (request.Record == null || !request.IsForced || System.IO.File.Exists(request.Record));

    OpenRefusal CheckRecord(bool isFile) =>
        isFile && request.Record != null
            ? OpenRefusal.Rule($"target '{request.Target}' is a file, whose record lies beside it: leave --record out")
        : !isFile && IsResumed && request.Record == null
            ? OpenRefusal.Rule(
                $"target '{request.Target}' is a block device, whose record is where --record of the interrupted run "
                    + "has said: give --record"
            )
        : default;

    OpenRefusal TryOpenRemote(Engine engine)
    {
        if (request.IsResumed)
            return OpenRefusal.Rule(
                "only a copy into a file or onto a block device of this machine can be resumed, nobody can tell "
                    + "whether a server's disk is the same one: leave --resume out"
            );
        if (request.Record != null)
            return OpenRefusal.Rule(
                "nobody can tell later whether a server's disk is the same one: leave --record out"
            );
        if (!request.IsForced)
            return new OpenRefusal(
                new Fault(FaultKind.State, Errnos.EEXIST),
                $"target '{request.Target}' is a disk of a server; give --force to overwrite what is on it"
            );
        OpenRefusal refusal = TlsTransport.Schemes.TryOpen(
            engine.Reactor,
            new FileOpenOptions { Path = request.Target, Remote = request.Remote },
            out _target
        );
        if (!refusal.IsNone)
            return refusal with { Sentence = $"target: {refusal.Sentence}" };
        uint blockBytes = _target!.Limits.RequestAlignBytes;
        ulong sourceBytes = _source!.Limits.CapacityBytes;
        return Units.IsAligned(sourceBytes, blockBytes)
            ? default
            : new OpenRefusal(
                new Fault(FaultKind.Align),
                Phrases.Text($"target '{request.Target}' takes whole blocks of {blockBytes} bytes, ")
                    + Phrases.Text($"and source '{request.Source}' has {sourceBytes}; give another target")
            );
    }

    OpenRefusal TryCreateJob(Engine engine, BackupOptions options)
    {
        _disk = new Disk(engine.Reactor, _source!, request.Source);
        if (Named is { } named)
        {
            Fault fault = DirtyBitmap.TryCreate("named", named.SizeBytes, named.GranularityBytes, out var bitmap);
            if (fault.IsNone)
                fault = bitmap!.Bits.CopyFrom(named);
            if (fault.IsFault)
                return new OpenRefusal(fault, $"cannot take the memory for what has changed: {fault}");
            Disk.Quiesce(engine.Reactor, [_disk], () => _disk.Add(bitmap!));
            options = options with { Bitmap = bitmap };
        }
        return BackupJob.TryCreate(engine.Reactor, _disk, _target!, engine.Pool, options, hasView: false, out _job);
    }

    BackupResult RunJob(Engine engine)
    {
        BackupJob job = _job!;
        WriteStart(engine);
        _resumption?.WriteResume(_source!.Limits.CapacityBytes, output);
        WorkEngine.Warn(engine, output);
        SourceDisk.WarnOfUse(_source!, "source", output);
        if (_backing != null)
            SourceDisk.WarnOfUse(_backing.Device, "backing", output);
        if (_place?.PlaceWarning is { } doubt)
            output.Doubt(doubt);
        if (SourceDisk.IsUnfinished(_source!))
            output.Warning($"source '{request.Source}' is marked: a backup onto it has not ended, it may hold no disk");
        CopyRecord? record = _resumption?.Record;
        job.Listener = this;
        long start = Stopwatch.GetTimestamp();
        TimeSpan cpuStart = Environment.CpuUsage.TotalTime;
        IProgressView view = output.CreateView();
        view.Run(
            "backup",
            _source!.Limits.CapacityBytes,
            show =>
            {
                _hasStarted = true;
                engine.Reactor.Invoke(() => job.Start(engine.Reactor));
                record?.Begin(job);
                WorkEngine.Wait(
                    engine,
                    _concluded,
                    interruption,
                    () => job.Cancel(),
                    view.IntervalMs,
                    () => show(Picture(job.Query())),
                    record == null ? null : record.Tick
                );
            }
        );
        JobProgress progress = job.Query();
        bool isWhole = progress.IsSuccess && engine.Reactor.Failure == null;
        OpenRefusal publishing = isWhole && _place != null ? Publish(_place) : default;
        record?.End(isWhole && publishing.IsNone);
        if (record?.Trouble is { } trouble)
            output.Warning(trouble);
        if (isWhole && publishing.IsNone && _tracker?.Commit() is { IsFault: true } unsaid)
            output.Doubt($"the copy is whole, but tracker '{request.Tracker}' could not be told so: {unsaid}");
        if (isWhole && publishing.IsNone)
            _tracker?.EndPoint(_resumption?.Point ?? "");
        if (isWhole && publishing.IsNone && request.ClearedBitmap != null)
            publishing = SourceBitmap.Clear(engine, request, _source!);
        foreach (string word in _place?.Words ?? [])
            output.Warning(word);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double cpuSeconds = (Environment.CpuUsage.TotalTime - cpuStart).TotalSeconds;
        BackupResult result = new(RunStatus.Done, null, default, null, progress, seconds, cpuSeconds);
        if (isWhole && publishing.IsNone)
            return result;
        bool isInterrupted = progress.Fault.Kind == FaultKind.Canceled && engine.Reactor.Failure == null;
        return result with
        {
            Status = isInterrupted ? RunStatus.Interrupted : RunStatus.Failed,
            Sentence = publishing.IsNone ? Explain(progress, engine.Reactor.Failure) : publishing.Sentence,
            Fault =
                isInterrupted ? default
                : isWhole ? publishing.Fault
                : progress.Fault,
            PartialPath = _place is { HasPartial: true } ? _place.PartialPath : null,
        };
    }

    string Explain(in JobProgress progress, Exception? bug)
    {
        string kept =
            IsIncremental && _place == null ? $"'{request.Target}' is between two copies: run again to complete it"
            : _resumption?.Advice is { } advice ? advice
            : _place?.PartialPath is { } partial
                ? $"the unfinished copy is kept in '{partial}'; remove it, or run again with --force to start anew"
            : $"'{request.Target}' holds an unfinished copy: run again to start anew";
        string done =
            $"after {ByteSize.Format(progress.DoneBytes)} of {ByteSize.Format(progress.TotalBytes)} "
            + Phrases.Text(
                $"({(progress.TotalBytes == 0 ? 0 : 100.0 * progress.DoneBytes / progress.TotalBytes):0} %)"
            );
        if (progress.InFlightBytes > 0)
            kept +=
                $"; {ByteSize.Format(progress.InFlightBytes)} are still held by a device that does not answer: "
                + "this process ends when the kernel gives them back";
        if (bug != null)
            return $"backup stopped {done} by an internal error ({bug.Message}); {kept}";
        if (progress.Fault.Kind == FaultKind.Canceled)
            return $"interrupted {done}; {kept}";
        string where = progress.IsSourceFault
            ? $"cannot read source '{request.Source}'"
            : $"cannot write target '{_place?.PartialPath ?? request.Target}'";
        string why = SourceDisk.Explain(progress.IsSourceFault ? _source : _target, progress.Fault);
        return $"{where}: {why}, {done}; {kept}";
    }

    /// <summary>How much is to be copied, or why all: said before anything is opened for writing.</summary>
    void WriteTracker()
    {
        if (_marked is { } marked)
        {
            output.Line($"incremental: {ByteSize.Format(marked.CountBytes())} marked in bitmap '{request.Bitmap}'");
            output.Event(
                new BitmapEvent("bitmap", request.Bitmap!, marked.CountBytes(), marked.SizeBytes),
                JsonEvents.Readable.BitmapEvent
            );
        }
        if (_tracker is not { } tracker)
            return;
        WriteTracker(IsIncremental ? "incremental" : "full", tracker.FullReason, tracker.ChangedBytes);
        string since = request.Since is { } point ? $"checkpoint '{point}'" : "the last backup";
        output.Line(
            IsIncremental
                ? $"incremental: {ByteSize.Format(tracker.ChangedBytes)} changed since {since}"
                : $"full: {TrackWords.ReasonOf(tracker.FullReason!)}"
        );
    }

    void WriteTracker(string mode, string? reason, ulong bytes) =>
        output.Event(
            new TrackerEvent("tracker", request.Tracker!, mode, reason, bytes, request.Since, request.Checkpoint),
            JsonEvents.Readable.TrackerEvent
        );

    void WriteStart(Engine engine) =>
        output.Event(
            new StartEvent(
                "start",
                "backup",
                request.Source,
                request.Target,
                _source!.Limits.CapacityBytes,
                engine.Reactor.FileIo.Name,
                SourceDisk.IsDirect(_source),
                SourceDisk.IsDirect(_target!)
            ),
            JsonEvents.Readable.StartEvent
        );

    void IJobListener.OnJobEvent(Job job, in JobEvent jobEvent)
    {
        if (jobEvent.Kind is JobEventKind.Completed or JobEventKind.Failed or JobEventKind.Cancelled)
            _concluded.Set();
    }

    public void Dispose()
    {
        _resumption?.Record?.Dispose();
        _concluded.Dispose();
    }

    void CloseAll()
    {
        _job?.Dispose();
        _disk?.Dispose();
        // A device that does not answer keeps its last requests: it is closed when they have ended.
        _target?.DisposeWhenIdle();
        _tracker?.Dispose();
        _resumption?.Resumed?.Left.Dispose();
        _marked?.Dispose();
        _source?.DisposeWhenIdle();
        _backing?.Device.DisposeWhenIdle();
        _place?.Dispose();
    }

    static WorkProgress Picture(in JobProgress progress) =>
        new(progress.DoneBytes, progress.TotalBytes, progress.SkippedZeroBytes + progress.WrittenZeroBytes);
}
