// A plan that waits for its moment.
namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's.</summary>
interface IWaitingPlan
{
    bool IsTooOld { get; }

    /// <summary>It was not carried out, and will not be: what came after it waits for it no longer.</summary>
    void GiveUp(string reason);
}
