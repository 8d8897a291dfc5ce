// One backup under load: T0 copied aside, a full job, snapshot readers, and the comparison at the end.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;

namespace FastBackup.Tests.Stress;

sealed class Round(Engine engine, Disk disk, StressDisk source, StressDisk target, StressOptions options, ulong number)
    : IJobListener,
        ITraceSink,
        IDisposable
{
    const int EndTimeoutMs = 120_000;

    readonly byte[] _frozen = new byte[options.SizeBytes];
    BackupJob? _job;
    readonly ManualResetEventSlim _ended = new();
    SnapshotReader[] _readers = [];

    public void Run(Tally tally)
    {
        Reactor reactor = engine.Reactor;
        BackupJob? job = null;
        reactor.Invoke(() => job = Start());
        if (!_ended.Wait(EndTimeoutMs) || reactor.Failure != null)
            throw new TimeoutException($"round {number}: the job did not end", reactor.Failure);
        // The readers see the end of the snapshot by themselves.
        SpinWait spin = default;
        while (!AreReadersIdle(reactor))
            spin.SpinOnce();
        Check.That(job!.Query().IsSuccess);
        byte[] copied = new byte[options.SizeBytes];
        reactor.Invoke(() => target.Read(0, copied));
        if (!copied.AsSpan().SequenceEqual(_frozen))
            Report(tally, copied);
        foreach (SnapshotReader reader in _readers)
        {
            tally.SnapshotReads += reader.ReadCount;
            tally.Mismatches += reader.MismatchCount;
            reader.Dispose();
        }
        reactor.Invoke(job.Dispose);
        tally.Rounds++;
    }

    public void Dispose() => _ended.Dispose();

    public void OnJobEvent(Job job, in JobEvent jobEvent)
    {
        if (jobEvent.Status == JobStatus.Null)
            _ended.Set();
    }

    /// <summary>On the reactor: the copy aside and the job's T0 are one quiesced moment.</summary>
    BackupJob Start()
    {
        CbwErrorPolicy policy = number % 2 == 0 ? CbwErrorPolicy.BreakSnapshot : CbwErrorPolicy.BreakGuestWrite;
        BackupOptions backup = new()
        {
            Filter = new FilterOptions
            {
                ClusterBytes = 4096u << (int)(number % 5),
                OnCbwError = policy,
                TaskMax = 16,
            },
        };
        Check.That(
            BackupJob
                .TryCreate(engine.Reactor, disk, target.Device, engine.Pool, backup, hasView: true, out BackupJob? job)
                .IsNone
        );
        job!.Listener = this;
        _job = job;
        engine.Reactor.Trace = this; // tells of the job's own quiesced moment, in which the picture is taken
        job.Start(engine.Reactor);
        return job;
    }

    void ITraceSink.OnTrace(in TraceEvent traceEvent)
    {
        if (traceEvent.Point != TracePoint.PointInTime)
            return;
        engine.Reactor.Trace = null;
        source.Read(0, _frozen);
        StartReaders(_job!);
    }

    void StartReaders(BackupJob job)
    {
        _readers = new SnapshotReader[options.ReaderThreads];
        for (int i = 0; i < _readers.Length; i++)
        {
            _readers[i] = new SnapshotReader(options.Seed + number * 100 + (ulong)i, _frozen);
            _readers[i].Start(job.View!);
        }
    }

    bool AreReadersIdle(Reactor reactor)
    {
        bool isIdle = true;
        reactor.Invoke(() => isIdle = Array.TrueForAll(_readers, reader => reader.IsIdle));
        return isIdle;
    }

    void Report(Tally tally, byte[] copied)
    {
        int offset = copied.AsSpan().CommonPrefixLength(_frozen);
        Console.Error.WriteLine($"round {number}: target differs from T0 at {offset}");
        tally.Mismatches++;
    }
}
