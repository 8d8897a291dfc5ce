// A point in time becomes a file or a disk. A new file is written as TARGET.partial and gets its name when it is whole
// and flushed, as any copy of ours; a block device, a remote disk and --onto are written in place.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Ports.Linux;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class RestoreRun(RestoreRequest request, RepositoryWork work)
{
    readonly Output _output = work.Output;
    TargetPlace? _place;
    RestoreMode _mode;

    public int Execute() => work.Run(new RepositoryDoneEvent("done", "repo", "restore"), Run);

    /// <summary>As a part of a larger run, which tells the end itself.</summary>
    public RepositoryDoneEvent ExecutePart() => work.RunPart(new RepositoryDoneEvent("done", "repo", "restore"), Run);

    RepositoryDoneEvent Run(RepositoryDoneEvent done)
    {
        OpenedRepository repository = work.Open();
        work.TryTakeLock();
        StoredPoint point = PointChoice.Find(repository, request.At, request.Disk);
        repository.LoadIndex();
        work.Warn();
        PointDisk disk = PointDisk.Find(repository, point, request.Disk);
        bool hasBegun = false;
        using RestoreEngine engine = new(DiskRestore.LongestBytes(repository, disk));
        try
        {
            OpenRefusal refusal = TryOpenTarget(engine, disk);
            if (!refusal.IsNone)
                throw new RepositoryException(RepositoryError.Refused, refusal.Sentence);
            hasBegun = true;
            return Restore(done, repository, engine, disk);
        }
        catch (RepositoryException exception) when (hasBegun)
        {
            throw new RepositoryException(exception.Error, $"{exception.Message}; {Kept()}", exception);
        }
        finally
        {
            if (!hasBegun)
                _place?.Undo();
            _place?.Dispose();
        }
    }

    OpenRefusal TryOpenTarget(RestoreEngine engine, PointDisk disk)
    {
        if (request.IsOnto)
            return TryOpenInPlace(engine, disk);
        if (DeviceSchemes.Known.IsMeant(request.Target))
            return request.IsForced
                ? TryOpenInPlace(engine, disk, RestoreMode.OverAnything)
                : OpenRefusal.Rule(
                    $"target '{request.Target}' is a disk of a server; give --force to overwrite what is on it"
                );
        TargetOptions wanted = new()
        {
            Path = request.Target,
            SizeBytes = disk.SizeBytes,
            MayReplace = request.IsForced,
            MayResume = request.IsResumed,
            ResumeWord = "--resume",
            IsLockIgnored = request.IsLockIgnored,
            Format = FormatRule.Raw, // a disk that was one before
            SourceName = disk.Path,
        };
        OpenRefusal refusal = TargetPlace.TryPlan(NameCalls.Kernel, wanted, out _place);
        if (!refusal.IsNone)
            return refusal;
        refusal = _place!.TryOpen(
            engine.Engine.Reactor,
            new FileOpenOptions { Path = request.Target },
            out FileDevice? device
        );
        engine.Device = device;
        _mode =
            _place.IsResumed ? RestoreMode.WhatDiffers
            : device is { ReadsAsZero: true } ? RestoreMode.OntoZeroes
            : RestoreMode.OverAnything;
        return refusal;
    }

    OpenRefusal TryOpenInPlace(RestoreEngine engine, PointDisk disk, RestoreMode mode = RestoreMode.WhatDiffers)
    {
        _mode = mode;
        OpenRefusal refusal = SourceDisk.TryOpen(
            engine.Engine.Reactor,
            request.Target,
            "target",
            request.IsLockIgnored,
            FormatRule.Raw,
            out IBlockDevice? device,
            isReadOnly: false
        );
        engine.Device = device;
        if (!refusal.IsNone)
            return refusal;
        if (device is FileDevice { UsedBy: { } use } && !request.IsLockIgnored)
            return OpenRefusal.Rule($"target '{request.Target}' is {use}; free it, or give --ignore-locks");
        ulong sizeBytes = device!.Limits.CapacityBytes;
        bool isFile = device is FileDevice { IsBlockDevice: false };
        return sizeBytes < disk.SizeBytes || (isFile && sizeBytes != disk.SizeBytes)
            ? OpenRefusal.Rule(
                Phrases.Text($"target '{request.Target}' has {sizeBytes} bytes and the point {disk.SizeBytes}; ")
                    + "give a disk of that size, or restore into a new file"
            )
            : default;
    }

    RepositoryDoneEvent Restore(
        RepositoryDoneEvent done,
        OpenedRepository repository,
        RestoreEngine engine,
        PointDisk disk
    )
    {
        WorkEngine.Warn(engine.Engine, _output);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        using DiskRestore restore = new(repository, engine.Engine, disk, engine.Device!, _mode, work.Cancel);
        DiskProgress progress = restore.Progress;
        work.Show(
            "restore",
            progress.TotalBytes,
            () => new WorkProgress(progress.DoneBytes, progress.TotalBytes, progress.ZeroBytes),
            restore.Execute
        );
        if (_place?.TryPublish() is { IsNone: false } refusal)
            throw new RepositoryException(RepositoryError.Disk, refusal.Sentence);
        foreach (string word in _place?.Words ?? [])
            _output.Warning(word);
        double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        _output.Line(
            $"point {disk.Snapshot.Id.Short} of {disk.Path} restored to '{request.Target}': "
                + $"{ByteSize.Format(progress.TotalBytes)} in {Phrases.Duration(seconds)} "
                + $"({Phrases.Rate(progress.TotalBytes / Math.Max(seconds, 1e-9))})\n"
                + $"  {ByteSize.Format(restore.WrittenBytes)} written, {ByteSize.Format(progress.ZeroBytes)} zero, "
                + $"{ByteSize.Format(progress.SameBytes)} right already"
        );
        return done with
        {
            Point = disk.Snapshot.Id.ToString(),
            Target = request.Target,
            Bytes = progress.TotalBytes,
            ReadBytes = progress.ReadBytes,
            WrittenBytes = restore.WrittenBytes,
            ZeroBytes = progress.ZeroBytes,
            SameBytes = progress.SameBytes,
        };
    }

    string Kept() =>
        _place?.PartialPath is { } partial && _place.HasPartial
            ? $"the unfinished disk is kept in '{partial}'; run again with --resume to go on with it, "
                + "or with --force to start anew"
            : $"'{request.Target}' is partly restored: run again to complete it";
}
