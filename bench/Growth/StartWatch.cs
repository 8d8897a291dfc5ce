// Notes when a job runs, which is right after its point in time was taken, and when it has ended.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Jobs;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Growth;

/// <summary>Threads: Begin and events the reactor's, the rest one other.</summary>
sealed class StartWatch : IJobListener, IDisposable
{
    readonly ManualResetEventSlim _started = new();
    readonly ManualResetEventSlim _ended = new();
    long _begin;

    /// <summary>From Begin to the point in time.</summary>
    public double StartUs { get; private set; }

    public void Begin(Transaction transaction)
    {
        _begin = Stopwatch.GetTimestamp();
        transaction.Start();
    }

    public void WaitForStart(TimeSpan limit) => Wait(_started, limit);

    public void WaitForEnd(TimeSpan limit) => Wait(_ended, limit);

    void IJobListener.OnJobEvent(Job job, in JobEvent jobEvent)
    {
        if (jobEvent.Kind == JobEventKind.StatusChanged && jobEvent.Status == JobStatus.Running && !_started.IsSet)
        {
            StartUs = Stopwatch.GetElapsedTime(_begin).TotalMicroseconds;
            _started.Set();
        }
        else if (jobEvent.Kind is JobEventKind.Completed or JobEventKind.Failed or JobEventKind.Cancelled)
        {
            _started.Set();
            _ended.Set();
        }
    }

    public void Dispose()
    {
        _started.Dispose();
        _ended.Dispose();
    }

    static void Wait(ManualResetEventSlim what, TimeSpan limit)
    {
        if (!what.Wait(limit))
            throw new PeerException($"a job neither started nor ended within {limit.TotalSeconds} s");
    }
}
