// Who is told of everything that happens to the jobs of an engine, beside the host's event log.
using FastBackup.Jobs;

namespace FastBackup.Native.Jobs;

interface IJobObserver
{
    /// <summary>On the reactor's thread; must not block, and must not close the job.</summary>
    void OnJobEvent(JobObject job, in JobEvent jobEvent);

    /// <summary>A job was made; it is in state created. On the reactor's thread.</summary>
    void OnJobMade(JobObject job);
}
