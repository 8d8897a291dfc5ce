// How many commands wait for the threads of a file: they sleep on it. A thing of the system, because the framework's
// own allocate when they first meet contention, and nothing may allocate in the middle of a job.
namespace FastBackup.Ports;

/// <summary>Threads: any; Close after the last use.</summary>
abstract class WorkCounter
{
    /// <summary>Lets so many threads pass, those that sleep or those that come.</summary>
    public abstract void Add(int count);

    /// <summary>Takes one, and sleeps until there is one.</summary>
    public abstract void Take();

    public abstract void Close();
}
