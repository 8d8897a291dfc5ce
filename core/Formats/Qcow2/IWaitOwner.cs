// What the caches of an image need from its device.
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Who goes on with what has waited.</summary>
interface IWaitOwner
{
    /// <param name="waiting">To be taken from all.</param>
    /// <param name="fault">Why what they wait for does not come.</param>
    void OnWaited(WaitList waiting, Fault fault);
}
