// FastBackup as a host: the engine with its defaults in this process, the disk in device mode behind its NBD server, a
// full backup with its defaults.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;
using FastBackup.Serving;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one.</summary>
sealed class OurHost : IBackupHost, IJobListener, IServedDisks
{
    public const string OurName = "ours";

    const uint SlotCount = 4096; // as the command has

    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(30);

    readonly HostPlan _plan;
    readonly Engine _engine;
    readonly ManualResetEventSlim _ended = new();
    FileDevice? _source;
    IBlockDevice? _target;
    Disk? _disk;
    NbdServer? _server;
    ServedDisk? _served;
    BackupJob? _job;
    DirtyBitmap? _bitmap;
    long _start;
    double _copiedSeconds;

    public OurHost(HostPlan plan)
    {
        _plan = plan;
        Fault fault = Engine.TryOpen(new EngineOptions { OnStopped = _ => _ended.Set() }, out Engine? engine);
        if (fault.IsFault)
            throw new PeerException($"cannot open the engine: {fault}");
        _engine = engine!;
        try
        {
            _source = Open(new FileOpenOptions { Path = plan.SourcePath, IsDirect = plan.IsDirect });
            fault = Fault.None;
            _engine.Reactor.Invoke(() => fault = Serve());
            if (fault.IsFault)
                throw new PeerException($"cannot serve the disk: {fault}");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    Fault Serve()
    {
        _disk = new Disk(_engine.Reactor, _source!, "disk", SlotCount, _plan.AbsorbBytes);
        if (_plan.DirtyPercent > 0 && AddBitmap() is { IsFault: true } refusal)
            return refusal;
        _served = new ServedDisk("disk", new DiskFront(_disk));
        UnixDomainSocketEndPoint address = new(_plan.SocketPath);
        return NbdServer.TryStart(_engine.Reactor, address, this, new NbdServerOptions(), null, out _server);
    }

    /// <summary>Marks pieces of 1 MiB all over the disk, at the same places each time.</summary>
    Fault AddBitmap()
    {
        Fault fault = DirtyBitmap.TryCreate("dirty", _plan.SizeBytes, DirtyBitmap.GranularityBytesDefault, out _bitmap);
        if (fault.IsFault)
            return fault;
        Prng places = new(1);
        ulong pieceCount = _plan.SizeBytes / Units.MiB;
        for (ulong left = pieceCount * _plan.DirtyPercent / 100; left > 0 && fault.IsNone; )
        {
            ulong offsetBytes = places.Below(pieceCount) * Units.MiB;
            fault = _bitmap!.Bits.Get(offsetBytes, out bool isDirty);
            if (isDirty || fault.IsFault)
                continue;
            fault = _bitmap.Bits.Set(offsetBytes, Units.MiB);
            left--;
        }
        Disk.Quiesce(_engine.Reactor, [_disk!], () => _disk!.Add(_bitmap!));
        return fault;
    }

    IEnumerable<ServedDisk> IServedDisks.All => [_served!];

    ServedDisk? IServedDisks.Find(string name) => name == _served!.Name ? _served : null;

    public string Name => OurName;

    public string SocketPath => _plan.SocketPath;

    /// <summary>The job, once it has been started.</summary>
    public BackupJob Job => _job!;

    public void StartBackup(CancellationToken cancel)
    {
        FilterOptions filter = new() { TakesGuestReads = _plan.TakesGuestReads };
        if (_plan.CbwTimeoutMs is { } limitMs)
            filter = filter with { CbwTimeoutMs = limitMs };
        BackupOptions options = new() { Filter = filter, WarmMs = _plan.WarmMs };
        if (_bitmap != null)
            options = options with { Sync = BackupSync.Incremental, Bitmap = _bitmap };
        else if (_plan.IsCopiesOnly)
            options = options with { Sync = BackupSync.None };
        StartBackup(options);
    }

    public void StartBackup(BackupOptions options)
    {
        _target = OpenTarget();
        OpenRefusal refusal = default;
        _start = Stopwatch.GetTimestamp();
        _engine.Reactor.Invoke(() =>
        {
            refusal = BackupJob.TryCreate(_engine.Reactor, _disk!, _target!, _engine.Pool, options, false, out _job);
            if (!refusal.IsNone)
                return;
            _job!.Listener = this;
            _job.Start(_engine.Reactor);
        });
        if (!refusal.IsNone)
            throw new PeerException(refusal.Sentence);
        WaitForPointInTime();
    }

    /// <summary>Guests go on undisturbed until then, while their writes are looked at.</summary>
    void WaitForPointInTime()
    {
        for (bool isOver = false; !isOver; Thread.Sleep(1))
            _engine.Reactor.Invoke(() => isOver = _job!.Filter.IsAttached || _job.Query().IsEnded);
    }

    public bool HasCopied()
    {
        if (_copiedSeconds > 0)
            return true;
        JobProgress progress = Query();
        if (_plan.IsCopiesOnly || progress.TotalBytes == 0 || progress.DoneBytes < progress.TotalBytes)
            return false;
        _copiedSeconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        return true;
    }

    public BackupPace Pace()
    {
        bool isWhole = HasCopied();
        double seconds = isWhole ? _copiedSeconds : Stopwatch.GetElapsedTime(_start).TotalSeconds;
        return new BackupPace(Query().DoneBytes, seconds, isWhole);
    }

    /// <summary>Waits for the end of the job, its final flush included.</summary>
    public JobProgress WaitForEnd(CancellationToken cancel)
    {
        _ended.Wait(cancel);
        return Query();
    }

    public CancelTimes Cancel(TimeSpan limit)
    {
        long start = Stopwatch.GetTimestamp();
        double? endSeconds = null;
        double? detachSeconds = null;
        _engine.Reactor.Invoke(() => _job!.Cancel());
        while ((endSeconds == null || detachSeconds == null) && Stopwatch.GetElapsedTime(start) < limit)
        {
            bool isAttached = true;
            _engine.Reactor.Invoke(() => isAttached = _job!.Filter.IsAttached);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (_ended.IsSet)
                endSeconds ??= seconds;
            if (!isAttached)
                detachSeconds ??= seconds;
            Thread.Sleep(1);
        }
        return new CancelTimes(endSeconds, detachSeconds);
    }

    public void FreezeTarget() => _engine.Reactor.Invoke(() => (_target as LimitedDevice)!.Freeze());

    public void ThawTarget() => _engine.Reactor.Invoke(() => (_target as LimitedDevice)?.Thaw());

    public void OnJobEvent(Job job, in JobEvent jobEvent)
    {
        if (jobEvent.Kind is JobEventKind.Completed or JobEventKind.Failed or JobEventKind.Cancelled)
            _ended.Set();
    }

    public void Dispose()
    {
        StopServing();
        if (_job != null && !_ended.IsSet)
        {
            _engine.Reactor.Invoke(() => _job.Cancel());
            if (!_ended.Wait(EndLimit))
                throw new PeerException("our backup did not end after it was cancelled");
        }
        WaitForDevices();
        _engine.Reactor.Invoke(() =>
        {
            _job?.Dispose();
            _served?.Device.Dispose();
            _disk?.Dispose();
            _target?.Dispose();
            _source?.Dispose();
        });
        _engine.Dispose();
        _ended.Dispose();
    }

    void StopServing()
    {
        if (_server == null)
            return;
        using ManualResetEventSlim closed = new();
        _engine.Reactor.Invoke(() => _server.Close(closed.Set));
        if (!closed.Wait(EndLimit))
            throw new PeerException("our server did not close");
        File.Delete(_plan.SocketPath);
    }

    /// <summary>Neither a cancelled job waits for a slow flush, nor a server for its clients' last requests.</summary>
    void WaitForDevices()
    {
        bool isIdle = false;
        for (long start = Stopwatch.GetTimestamp(); !isIdle && Stopwatch.GetElapsedTime(start) < EndLimit; )
        {
            _engine.Reactor.Invoke(() => isIdle = IsIdle());
            Thread.Sleep(isIdle ? 0 : 1);
        }
    }

    bool IsIdle() =>
        (_target == null || _target.InFlightCount == 0)
        && (_source == null || _source.InFlightCount == 0)
        && (_disk == null || (_disk.WaitingCount == 0 && _disk.WritesInFlight == 0));

    JobProgress Query()
    {
        if (_engine.Reactor.Failure is { } failure)
            throw new PeerException("the reactor stopped: " + failure);
        JobProgress progress = _job!.Query();
        if (progress.Fault.IsFault && progress.Fault.Kind != FaultKind.Canceled && !_plan.IsFailureExpected)
            throw new PeerException($"our backup failed: {progress.Fault}");
        return progress;
    }

    IBlockDevice OpenTarget()
    {
        if (_plan.LimitBytesPerSecond == 0)
            return Open(
                new FileOpenOptions
                {
                    Path = _plan.TargetPath,
                    CreateBytes = _plan.SizeBytes,
                    IsDirect = _plan.IsDirect,
                }
            );
        IBlockDevice? device = null;
        _engine.Reactor.Invoke(() =>
        {
            MemoryDevice memory = new(_engine.Reactor, "limited", _plan.SizeBytes);
            device = new LimitedDevice(_engine.Reactor, memory, _plan.LimitBytesPerSecond);
        });
        return device!;
    }

    FileDevice Open(FileOpenOptions options)
    {
        FileDevice? device = null;
        OpenRefusal refusal = default;
        _engine.Reactor.Invoke(() => refusal = DeviceOpener.TryOpen(_engine.Reactor, options, out device));
        return refusal.IsNone ? device! : throw new PeerException(refusal.Sentence);
    }
}
