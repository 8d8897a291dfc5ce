// What a loop without a ring or completion port sleeps on. Ringing it ends a wait, or the next one.
namespace FastBackup.Ports;

/// <summary>Threads: the loop's, except Ring.</summary>
abstract class LoopBell
{
    /// <summary>Threads: any, also once it is closed.</summary>
    public abstract void Ring();

    /// <summary>Until it is rung, or the descriptor is readable, or the time; may return early.</summary>
    /// <param name="waitNs">ulong.MaxValue: for ever.</param>
    /// <param name="watchedFd">Below 0: none.</param>
    public abstract void Wait(ulong waitNs, int watchedFd);

    public abstract void Close();
}
