// Serves disks until a signal comes: open them all, listen, wait, and give everything back. Writes go the way of a
// guest's, so a monitor beside them can take backups at any time. At the end what clients have written is flushed, as a
// clean end should leave it.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Hosting;
using FastBackup.Native.Tls;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using FastBackup.Serving;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class ServeRun(ServeRequest request, Output output, Interruption interruption) : IBlockOwner, IDisposable
{
    const ulong LeastMemoryBytes = Units.MiB; // without a monitor nobody needs it: clients have their own
    const int CloseWaitMs = 5000;

    readonly ManualResetEvent _never = new(false);
    readonly CountdownEvent _flushes = new(1);
    readonly NbdListener _listener = new(request.SocketPath, request.Address, request.Tls, output);
    Fault _flushFault;

    /// <returns>How it ended; a sentence where it did not end well.</returns>
    public (RunStatus Status, string? Sentence, Fault Fault, double Seconds) Execute()
    {
        bool hasMonitor = request.MonitorPath != null;
        EngineOptions options = new()
        {
            BufferBytes = hasMonitor ? request.MemoryBytes : LeastMemoryBytes,
            BufferBytesUsual = hasMonitor ? request.UsualMemoryBytes : LeastMemoryBytes,
            ChunkBytes = hasMonitor ? WorkEngine.ChunkBytes(request.MemoryBytes, 0) : (uint)LeastMemoryBytes,
        };
        Fault fault = HostedDisks.TryOpen(options, out HostedDisks? host);
        if (fault.IsFault)
            return (
                RunStatus.Refused,
                $"cannot take {ByteSize.Format(options.BufferBytes)} of memory: {fault}",
                fault,
                0
            );
        try
        {
            OpenRefusal refusal = TryOpenDisks(host!);
            if (refusal.IsNone)
                refusal = _listener.TryStart(host!.Engine.Reactor, host.Exports, request.ConnectionsMax);
            if (refusal.IsNone && request.MonitorPath is { } path)
                refusal = host!.TryOpenMonitor(path);
            return refusal.IsNone ? Serve(host!) : (RunStatus.Refused, refusal.Sentence, refusal.Fault, 0);
        }
        finally
        {
            if (host!.Engine.Reactor.Failure == null)
                Close(host);
        }
    }

    public void Dispose()
    {
        _never.Dispose();
        _listener.Dispose();
        _flushes.Dispose();
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault)
            _flushFault = result.Fault;
        _flushes.Signal();
    }

    OpenRefusal TryOpenDisks(HostedDisks host)
    {
        foreach ((string export, string path) in request.Disks)
        {
            FileOpenOptions options = new()
            {
                Path = path,
                IsReadOnly = request.IsReadOnly,
                IsLockIgnored = request.IsLockIgnored,
                Format = request.Format,
                Remote = request.Remote,
            };
            OpenRefusal refusal = host.TryAdd(export, options, request.AbsorbBytes);
            if (!refusal.IsNone)
                return new OpenRefusal(refusal.Fault, $"disk: {refusal.Sentence}");
            if (request.IsTracked)
                Track(host, export, path);
        }
        return default;
    }

    /// <summary>A tracker that cannot be used is no reason to keep clients from their disk.</summary>
    void Track(HostedDisks host, string export, string path)
    {
        OpenRefusal refusal = host.TryTrack(export, TrackRequest.DefaultPath(path), out string? restarted);
        if (!refusal.IsNone)
            output.Doubt($"'{path}' is served without its tracker: {refusal.Sentence}");
        else if (restarted != null)
            output.Doubt($"{restarted}; all of '{path}' counts as changed, and its checkpoints are gone");
    }

    (RunStatus Status, string? Sentence, Fault Fault, double Seconds) Serve(HostedDisks host)
    {
        Engine engine = host.Engine;
        long start = Stopwatch.GetTimestamp();
        Tell(host);
        ServiceNotice.SayReady();
        WorkEngine.Warn(engine, output);
        foreach (IBlockDevice disk in host.Devices)
            SourceDisk.WarnOfUse(disk, "disk", output);
        WorkEngine.Wait(engine, _never, interruption, () => _never.Set(), Timeout.Infinite, () => { });
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (engine.Reactor.Failure is { } bug)
            return (RunStatus.Failed, $"serving stopped by an internal error ({bug.Message})", default, seconds);
        _ = _listener.Stop(engine.Reactor);
        Fault flushed = request.IsReadOnly ? Fault.None : Flush(host);
        if (flushed.IsNone)
            return (RunStatus.Done, null, default, seconds);
        IBlockDevice? broken = host.Devices.FirstOrDefault(disk => disk is Qcow2Device { FailedBecause: not null });
        string why = SourceDisk.Explain(broken, flushed);
        return (RunStatus.Failed, $"cannot flush what clients have written: {why}", flushed, seconds);
    }

    /// <summary>What was answered is in the disks; now it is durable, too.</summary>
    Fault Flush(HostedDisks host)
    {
        _flushes.AddCount(request.Disks.Count);
        host.Engine.Reactor.Invoke(() =>
        {
            foreach (ServedDisk disk in host.Exports.Live)
                disk.Device.Submit(new BlockRequest { Operation = BlockOperation.Flush, Owner = this });
        });
        _flushes.Signal();
        return _flushes.Wait(CloseWaitMs) ? _flushFault : new Fault(FaultKind.TimedOut);
    }

    void Tell(HostedDisks host)
    {
        List<ServeDisk> disks = [];
        foreach (((string export, string path), ServedDisk disk) in request.Disks.Zip(host.Exports.Live))
        {
            string uri = _listener.UriOf(export);
            disks.Add(new ServeDisk(path, export, uri, disk.Device.Limits.CapacityBytes, request.IsReadOnly));
            string how = request.IsReadOnly ? ", read-only" : "";
            output.Line($"serving '{path}' ({ByteSize.Format(disk.Device.Limits.CapacityBytes)}{how}) as {uri}");
        }
        if (request.MonitorPath != null)
            output.Line(
                $"backups by 'fastbackup ctl {request.MonitorPath}' and 'fastbackup live-backup {request.MonitorPath}'"
            );
        output.Line("Ctrl-C ends it");
        output.Event(
            new ServeStartEvent("start", "serve", disks, request.MonitorPath, host.Engine.Reactor.FileIo.Name),
            JsonEvents.Readable.ServeStartEvent
        );
        Console.Out.Flush();
    }

    void Close(HostedDisks host)
    {
        _ = _listener.Stop(host.Engine.Reactor); // refused after it began to listen
        string? left = host.TryClose();
        if (host.TrackerTrouble is { } trouble)
            output.Doubt(trouble);
        if (host.BitmapTrouble is { } unstored)
            output.Doubt(unstored);
        if (left != null)
            output.Warning(left);
    }
}
