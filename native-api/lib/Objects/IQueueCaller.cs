// A device whose calls are made by the thread that polls a queue.
namespace FastBackup.Native.Objects;

interface IQueueCaller
{
    /// <summary>Threads: any.</summary>
    bool HasCalls { get; }

    /// <summary>Makes the calls that wait. Threads: the queue's.</summary>
    void MakeCalls();
}
