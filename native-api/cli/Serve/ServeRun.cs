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
    readonly ManualResetEvent _closed = new(false);
    readonly CountdownEvent _flushes = new(1);
    readonly Lock _logging = new();
    readonly LogLimit _logged = new();
    Fault _flushFault;
    NbdServer? _server;

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
        (ulong, uint, uint)? socket = null;
        try
        {
            OpenRefusal refusal = TryOpenDisks(host!);
            if (refusal.IsNone)
                refusal = TryListen(host!, out socket);
            if (refusal.IsNone && request.MonitorPath is { } path)
                refusal = host!.TryOpenMonitor(path);
            return refusal.IsNone ? Serve(host!) : (RunStatus.Refused, refusal.Sentence, refusal.Fault, 0);
        }
        finally
        {
            if (request.SocketPath != null)
                SocketPath.Remove(request.SocketPath, socket);
            if (host!.Engine.Reactor.Failure == null)
                Close(host);
        }
    }

    public void Dispose()
    {
        _never.Dispose();
        _closed.Dispose();
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
        OpenRefusal refusal = host.TryTrack(export, TrackRequest.DefaultPath(path));
        if (!refusal.IsNone)
            output.Doubt($"'{path}' is served without its tracker: {refusal.Sentence}");
    }

    OpenRefusal TryListen(HostedDisks host, out (ulong, uint, uint)? socket)
    {
        socket = null;
        EndPoint address = request.Address ?? (EndPoint)new UnixDomainSocketEndPoint(request.SocketPath!);
        string name = request.SocketPath ?? request.Address!.ToString();
        Fault fault = Fault.None;
        if (request.SocketPath != null && SocketPath.TryClear(request.SocketPath, false, out fault) is { } sentence)
            return new OpenRefusal(fault, sentence);
        NbdServerOptions options = new() { ConnectionsMax = request.ConnectionsMax };
        Reactor loop = host.Engine.Reactor;
        IServedDisks exports = host.Exports;
        TlsStreams? secure = null;
        if (request.Tls.Rule != TlsRule.Off)
        {
            if (TlsFolder.TryRead(request.Tls.Folder!, isServer: true, out TlsFolder? folder) is { } wrong)
                return OpenRefusal.Rule($"--tls-certificates: {wrong}");
            bool isRequired = request.Tls.Rule == TlsRule.Require;
            secure = new TlsStreams(loop, new TlsServerRules(folder!, isRequired, options.ConnectionsMax, Log), null);
            exports = new ClientExports(host.Exports, request.Tls.Clients, Log);
        }
        loop.Invoke(() => fault = NbdServer.TryStart(loop, address, exports, options, secure, out _server));
        if (fault.IsFault)
            return new OpenRefusal(fault, $"cannot listen on '{name}': {fault}");
        if (request.SocketPath != null)
            socket = SocketPath.IdentityOf(request.SocketPath);
        return default;
    }

    /// <summary>A client that was refused. What it has said of itself is shown without what a terminal obeys.</summary>
    void Log(string sentence)
    {
        lock (_logging)
            if (_logged.TryCount(out int leftOut))
            {
                string more = leftOut == 0 ? "" : Phrases.Text($" ({leftOut} more since the last line)");
                output.Warning(string.Concat(sentence.Select(one => char.IsControl(one) ? '?' : one)) + more);
            }
    }

    (RunStatus Status, string? Sentence, Fault Fault, double Seconds) Serve(HostedDisks host)
    {
        Engine engine = host.Engine;
        long start = Stopwatch.GetTimestamp();
        Tell(host);
        WorkEngine.Warn(engine, output);
        foreach (IBlockDevice disk in host.Devices)
            SourceDisk.WarnOfUse(disk, "disk", output);
        WorkEngine.Wait(engine, _never, interruption, () => _never.Set(), Timeout.Infinite, () => { });
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (engine.Reactor.Failure is { } bug)
            return (RunStatus.Failed, $"serving stopped by an internal error ({bug.Message})", default, seconds);
        StopServing(engine);
        Fault flushed = request.IsReadOnly ? Fault.None : Flush(host);
        return flushed.IsNone
            ? (RunStatus.Done, null, default, seconds)
            : (RunStatus.Failed, $"cannot flush what clients have written: {flushed}", flushed, seconds);
    }

    void StopServing(Engine engine)
    {
        if (_server == null)
            return;
        engine.Reactor.Invoke(() =>
        {
            if (_server!.ConnectionCount > 0)
                output.Line(Phrases.Text($"ending {_server.ConnectionCount} connections"));
            _server.Close(() => _closed.Set());
        });
        if (!_closed.WaitOne(CloseWaitMs))
            output.Warning("a disk does not answer: its clients' last requests are left to it");
        _server = null;
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
            string name = Uri.EscapeDataString(export);
            string uri = request.SocketPath is { } socket
                ? $"nbd+unix:///{name}?socket={Escape(System.IO.Path.GetFullPath(socket))}"
                : $"{(request.Tls.Rule == TlsRule.Require ? "nbds" : "nbd")}://{request.Address}/{name}";
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

    static string Escape(string path) =>
        Uri.EscapeDataString(path).Replace("%2F", "/", false, CultureInfo.InvariantCulture);

    void Close(HostedDisks host)
    {
        StopServing(host.Engine); // refused after it began to listen
        string? left = host.TryClose();
        if (host.TrackerTrouble is { } trouble)
            output.Doubt(trouble);
        if (left != null)
            output.Warning(left);
    }
}
