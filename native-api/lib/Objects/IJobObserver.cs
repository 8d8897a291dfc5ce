// Who is told of everything that happens to the jobs of an engine, beside the host's event log.
using FastBackup.Jobs;

namespace FastBackup.Native.Objects;

interface IJobObserver
{
    /// <summary>A job was made; it is in state created. On the reactor's thread.</summary>
    void OnJobMade(BackupJob job);

    /// <summary>On the reactor's thread; must not block, and must not close the job.</summary>
    /// <param name="job">Whose event it is.</param>
    /// <param name="happened">What.</param>
    /// <param name="hasBegun">Its point in time was taken, or tried to be.</param>
    void OnJobEvent(BackupJob job, in JobEvent happened, bool hasBegun);
}
