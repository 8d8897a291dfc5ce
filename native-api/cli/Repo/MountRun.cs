// A point in time as a disk that NBD clients read, until a signal comes; with an overlay they write to it, too, and the
// point stays what it is. The repository is locked meanwhile as by anybody who reads: nobody removes what is served.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Repositories;
using FastBackup.Runtime;
using FastBackup.Serving;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class MountRun(MountRequest request, RepositoryWork work, Interruption interruption) : IBlockOwner, IServedDisks
{
    const ulong EngineBytes = Units.MiB; // of copies, which it makes none of: clients have their own memory
    const int EndWaitMs = 5000;
    const int EndLookMs = 5;

    readonly Output _output = work.Output;
    readonly LogLimit _logged = new();
    readonly Lock _logging = new();
    ServedDisk? _served;
    Fault _flushFault;

    public IEnumerable<ServedDisk> All => [_served!];

    public ServedDisk? Find(string name) => name.Length == 0 || name == _served!.Name ? _served : null;

    public int Execute() => work.Run(new RepositoryDoneEvent("done", "repo", "mount-nbd"), Run);

    RepositoryDoneEvent Run(RepositoryDoneEvent done)
    {
        OpenedRepository repository = work.Open();
        work.TryTakeLock();
        StoredPoint point = PointChoice.Find(repository, request.At, request.Disk);
        repository.LoadIndex();
        work.Warn();
        PointDisk disk = PointDisk.Find(repository, point, request.Disk);
        if (disk.SizeBytes == 0)
            throw new RepositoryException(
                RepositoryError.Refused,
                $"'{disk.Path}' of point {point.Id.Short} has no bytes; give another --disk or --at"
            );
        if (WorkEngine.TryOpen(EngineBytes, (uint)EngineBytes, null, out Engine? engine) is { } sentence)
            throw new RepositoryException(RepositoryError.Refused, sentence);
        OverlayFile? overlay = null;
        bool isServed = false;
        try
        {
            overlay =
                request.Overlay is { } path ? OverlayFile.Open(path, disk.SizeBytes, point.Id, disk.Path)
                : request.ScratchFolder is { } folder ? OverlayFile.OpenNameless(folder, disk.SizeBytes)
                : null;
            done = Serve(done, repository, disk, engine!, overlay, ref isServed);
            return done with { Point = point.Id.ToString(), Bytes = disk.SizeBytes };
        }
        finally
        {
            overlay?.Dispose();
            if (!isServed && overlay is { IsNew: true } && request.Overlay is { } made)
                System.IO.File.Delete(made);
            if (engine!.Reactor.Failure == null)
                engine.Dispose();
        }
    }

    RepositoryDoneEvent Serve(
        RepositoryDoneEvent done,
        OpenedRepository repository,
        PointDisk disk,
        Engine engine,
        OverlayFile? overlay,
        ref bool isServed
    )
    {
        Reactor loop = engine.Reactor;
        PointDevice device = new(loop, repository, disk, request.CacheBytes, overlay, Say);
        string export = disk.Path[(disk.Path.LastIndexOf('/') + 1)..];
        _served = new ServedDisk(export, device)
        {
            Description = $"{disk.Path} of {disk.Snapshot.Document.Time}",
            IsReadOnly = overlay == null,
        };
        using NbdListener listener = new(request.SocketPath, request.Address, request.Tls, _output);
        using ManualResetEvent never = new(false);
        try
        {
            OpenRefusal refusal = listener.TryStart(loop, this, request.ConnectionsMax);
            if (!refusal.IsNone)
                throw new RepositoryException(RepositoryError.Refused, refusal.Sentence);
            isServed = true;
            Tell(listener.UriOf(export), disk);
            WorkEngine.Wait(engine, never, interruption, () => never.Set(), Timeout.Infinite, () => { });
        }
        finally
        {
            if (loop.Failure == null)
                End(listener, loop, device, overlay);
        }
        if (loop.Failure is { } bug)
            throw new RepositoryException(
                RepositoryError.Disk,
                $"serving stopped by an internal error ({bug.Message})"
            );
        return _flushFault.IsNone
            ? done
            : throw new RepositoryException(
                RepositoryError.Disk,
                $"cannot flush what clients have written: {_flushFault}"
            );
    }

    void End(NbdListener listener, Reactor loop, PointDevice device, OverlayFile? overlay)
    {
        _ = listener.Stop(loop);
        if (overlay != null && request.Overlay != null)
            loop.Invoke(() => device.Submit(new BlockRequest { Operation = BlockOperation.Flush, Owner = this }));
        uint left = 1;
        for (int waitedMs = 0; left > 0 && waitedMs < EndWaitMs; waitedMs += EndLookMs)
        {
            loop.Invoke(() => left = device.InFlightCount);
            if (left > 0)
                Thread.Sleep(EndLookMs);
        }
        if (left > 0)
        {
            _flushFault = new Fault(FaultKind.TimedOut);
            return; // to the end of the process
        }
        device.Close();
        loop.Invoke(device.Dispose);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) => _flushFault = result.Fault;

    void Tell(string uri, PointDisk disk)
    {
        string how =
            request.Overlay is { } path ? $"what clients write is kept in '{path}'"
            : request.ScratchFolder != null ? "what clients write is gone at the end"
            : "read-only";
        _output.Line(
            $"serving point {disk.Snapshot.Id.Short} of {disk.Path} ({ByteSize.Format(disk.SizeBytes)}, {how}) as {uri}"
        );
        _output.Line("Ctrl-C ends it");
        _output.Event(
            new MountStartEvent(
                "start",
                "repo",
                disk.Snapshot.Id.ToString(),
                disk.Path,
                uri,
                disk.SizeBytes,
                request.Overlay == null && request.ScratchFolder == null
            ),
            JsonEvents.Readable.MountStartEvent
        );
        Console.Out.Flush();
    }

    void Say(string sentence)
    {
        lock (_logging)
            if (_logged.TryCount(out int leftOut))
                _output.Warning(
                    sentence + (leftOut == 0 ? "" : Phrases.Text($" ({leftOut} more since the last line)"))
                );
    }
}
