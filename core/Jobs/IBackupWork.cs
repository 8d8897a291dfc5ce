// What the parts of a backup job may ask of it. The job knows its parts and calls them; this is their only way back.
using FastBackup.Base;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
interface IBackupWork
{
    JobStatus Status { get; }

    /// <summary>The background copy may go on: it runs, has all marks, and it is this job's turn.</summary>
    bool IsCopying { get; }

    /// <summary>An error was ignored a moment ago, so nothing is tried yet: <see cref="GoOn"/> comes in time.</summary>
    bool MustBackOff();

    /// <summary>Something has ended: the job goes as far as it can now. Not after an end without the kernel.</summary>
    void GoOn();

    /// <summary>As <see cref="GoOn"/>, in a later turn.</summary>
    void GoOnLater();

    /// <summary>A device has failed: the error policy decides, where the fault may pass.</summary>
    /// <param name="fault">What happened.</param>
    /// <param name="isSource">Else it was the target.</param>
    /// <param name="isFinal">It cannot pass: the job fails, whatever the policy.</param>
    void OnDeviceFault(Fault fault, bool isSource, bool isFinal);

    /// <summary>The target's flush has ended.</summary>
    void OnFlushed(Fault fault);

    /// <summary>The work is done.</summary>
    void OnSucceeded();

    /// <summary>Nothing is in flight any more, or nobody waits for it.</summary>
    void OnAborted();
}
