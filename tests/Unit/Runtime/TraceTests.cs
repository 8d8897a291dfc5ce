// The trace sinks: one job's life as text and as events, and nothing at all while nobody listens.
using System;
using System.Collections.Generic;
using System.Diagnostics.Tracing;
using System.IO;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Runtime;
using FastBackup.Tests.Unit.Jobs;
using Xunit;

namespace FastBackup.Tests.Unit.Runtime;

public sealed class TraceTests
{
    [Fact]
    public void TheTextTrace_TellsAJobsLife_InOrder()
    {
        using MatrixBench bench = new(BitmapMatrixTests.Dirtiness.Clean);
        using StringWriter text = new();
        bench.Loop.Reactor.Trace = new TextTrace(bench.Loop.Clock, text);
        bench.Run(BackupSync.Full, null, null, BitmapMatrixTests.Ending.Success);
        string trace = text.ToString();
        int at = 0;
        foreach (
            TracePoint point in new[] { TracePoint.CbwWait, TracePoint.Claim, TracePoint.Capture, TracePoint.JobFlush }
        )
        {
            int next = trace.IndexOf($" {point} ", at, StringComparison.Ordinal);
            Assert.True(next >= 0, $"{point} is missing or too early in:\n{trace}");
            at = point == TracePoint.CbwWait ? 0 : next;
        }
        Assert.Contains("disk ", trace, StringComparison.Ordinal);
    }

    [Fact]
    public void TheEventSource_TellsTheSame_ToWhoListens()
    {
        using MatrixBench bench = new(BitmapMatrixTests.Dirtiness.Clean);
        bench.Loop.Reactor.Trace = EventSourceTrace.Instance;
        using Listener listener = new();
        bench.Run(BackupSync.Full, null, null, BitmapMatrixTests.Ending.Success);
        Assert.Contains(nameof(TracePoint.Claim), listener.Points);
        Assert.Contains(nameof(TracePoint.JobFlush), listener.Points);
    }

    sealed class Listener : EventListener
    {
        readonly List<string> _points = [];

        public IReadOnlyList<string> Points
        {
            get
            {
                lock (_points)
                    return [.. _points];
            }
        }

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "FastBackup")
                EnableEvents(eventSource, EventLevel.Verbose);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            if (eventData.Payload?[0] is not string point)
                return;
            lock (_points)
                _points.Add(point);
        }
    }
}
