// The trace as text: one line an event, with the loop's time. For logs that people read; allocates per event.
using System.Globalization;
using System.IO;
using FastBackup.Base;

namespace FastBackup.Runtime;

/// <summary>Threads: the reactor's.</summary>
/// <param name="clock">The reactor's.</param>
/// <param name="writer">Takes the lines; is not disposed of here.</param>
public sealed class TextTrace(IClock clock, TextWriter writer) : ITraceSink
{
    public void OnTrace(in TraceEvent traceEvent) => writer.WriteLine(Describe(clock.NowNs, traceEvent));

    /// <summary>For example "1002 disk0 job1 Claim 65536+65536 1".</summary>
    public static string Describe(ulong nowNs, in TraceEvent e)
    {
        string who = e.Job.Length == 0 ? e.Disk : $"{e.Disk} {e.Job}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{nowNs} {who} {e.Point} {e.Extent.OffsetBytes}+{e.Extent.LengthBytes} {e.Cause}"
        );
    }
}
