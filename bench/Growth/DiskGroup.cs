// Disks that are backed up at the same time, each with its target, spread evenly over some engines.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Growth;

/// <summary>Threads: one, which waits while the reactors work.</summary>
sealed class DiskGroup : IJobListener, IDisposable
{
    const ulong BufferBytes = 16 * Units.MiB;
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    readonly record struct Member(Engine Engine, IBlockDevice Source, IBlockDevice Target, Disk Disk);

    readonly List<Engine> _engines = [];
    readonly List<Member> _members = [];
    readonly ManualResetEventSlim _ended = new();
    int _runningCount;

    /// <param name="diskCount">At least 1.</param>
    /// <param name="engineCount">At least 1, at most the disks.</param>
    /// <param name="open">Makes source (true) or target of a disk, by its index, on the reactor's thread.</param>
    public DiskGroup(int diskCount, int engineCount, Func<Reactor, int, bool, IBlockDevice> open)
    {
        for (int i = 0; i < engineCount; i++)
            _engines.Add(OpenedEngine.Of(BufferBytes));
        for (int i = 0; i < diskCount; i++)
        {
            Engine engine = _engines[i % engineCount];
            int index = i;
            engine.Reactor.Invoke(() =>
            {
                IBlockDevice source = open(engine.Reactor, index, true);
                IBlockDevice target = open(engine.Reactor, index, false);
                _members.Add(new Member(engine, source, target, new Disk(engine.Reactor, source, $"disk{index}")));
            });
        }
    }

    /// <summary>Backs all of them up.</summary>
    /// <returns>Seconds from the first start to the last end, and the processor's.</returns>
    public (double Seconds, double CpuSeconds) Run()
    {
        List<BackupJob> jobs = [];
        foreach (Member member in _members)
            jobs.Add(Create(member));
        List<Transaction> starts = jobs.ConvertAll(job => new Transaction(job.Disk.Loop, [job]));
        _ended.Reset();
        _runningCount = jobs.Count;
        ProcessUse before = ProcessUse.Self();
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < starts.Count; i++)
            _members[i].Engine.Reactor.Invoke(starts[i].Start);
        if (!_ended.Wait(s_limit))
            throw new PeerException($"{jobs.Count} backups did not end within {s_limit.TotalMinutes} minutes");
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        double cpuSeconds = (ProcessUse.Self() - before).CpuSeconds;
        for (int i = 0; i < jobs.Count; i++)
        {
            if (!jobs[i].Query().IsSuccess)
                throw new PeerException($"a backup failed: {jobs[i].Query().Fault}");
            _members[i].Engine.Reactor.Invoke(jobs[i].Dispose);
        }
        return (seconds, cpuSeconds);
    }

    void IJobListener.OnJobEvent(Job job, in JobEvent jobEvent)
    {
        bool hasEnded = jobEvent.Kind is JobEventKind.Completed or JobEventKind.Failed or JobEventKind.Cancelled;
        if (hasEnded && Interlocked.Decrement(ref _runningCount) == 0)
            _ended.Set();
    }

    public void Dispose()
    {
        foreach (Member member in _members)
            member.Engine.Reactor.Invoke(() =>
            {
                member.Disk.Dispose();
                member.Source.Dispose();
                member.Target.Dispose();
            });
        foreach (Engine engine in _engines)
            engine.Dispose();
        _ended.Dispose();
    }

    BackupJob Create(Member member)
    {
        BackupJob? job = null;
        OpenRefusal refusal = default;
        member.Engine.Reactor.Invoke(() =>
            refusal = BackupJob.TryCreate(
                member.Engine.Reactor,
                member.Disk,
                member.Target,
                member.Engine.Pool,
                new BackupOptions(),
                hasView: false,
                out job
            )
        );
        if (!refusal.IsNone)
            throw new PeerException(refusal.Sentence);
        job!.Listener = this;
        return job;
    }
}
