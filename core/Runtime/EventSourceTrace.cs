// The trace as an EventSource called FastBackup: what dotnet-trace and dotnet-counters listen to under the JIT.
// A NativeAOT build switches event sources off altogether (EventSourceSupport), and then IsEnabled is false.
using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Tracing;
using FastBackup.Base;

namespace FastBackup.Runtime;

/// <summary>Threads: any. Costs one look at a flag while nobody listens.</summary>
[EventSource(Name = "FastBackup")]
public sealed class EventSourceTrace : EventSource, ITraceSink
{
    EventSourceTrace() { }

    public static EventSourceTrace Instance { get; } = new();

    [NonEvent]
    public void OnTrace(in TraceEvent traceEvent)
    {
        if (IsEnabled())
            Traced(
                traceEvent.Point.ToString(),
                traceEvent.Disk,
                traceEvent.Job,
                (long)traceEvent.Extent.OffsetBytes,
                (long)traceEvent.Extent.LengthBytes,
                traceEvent.Cause
            );
    }

    [Event(1, Level = EventLevel.Verbose)]
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "only strings and integers are written")]
    void Traced(string point, string disk, string job, long offsetBytes, long lengthBytes, int cause) =>
        WriteEvent(1, point, disk, job, offsetBytes, lengthBytes, cause);
}
