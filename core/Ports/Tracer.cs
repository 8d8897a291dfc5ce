// The trace of one subject (a disk, or a point in time of it): what its events have in common, kept once.
using FastBackup.Base;

namespace FastBackup.Ports;

/// <summary>Threads: the loop's.</summary>
/// <param name="loop">Whose sink is asked, each time.</param>
/// <param name="disk">Name of the disk.</param>
public sealed class Tracer(IIoLoop loop, string disk)
{
    /// <summary>Id of the job, once there is one.</summary>
    public string Job { get; set; } = "";

    public void Emit(TracePoint point, in Extent extent = default, int cause = 0) =>
        loop.Trace?.OnTrace(new TraceEvent(point, disk, Job, extent, cause));
}
