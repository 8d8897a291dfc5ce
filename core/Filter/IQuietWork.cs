// A change of disks in two parts, so that guests wait for neither: what takes its time is made ready while their gates
// are open, in parts; the quiesced moment only puts it into force.
namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
public interface IQuietWork
{
    /// <summary>
    /// Its turn has come on all disks: until it has left them no other change is made there, so what is found right
    /// now will be right in the moment, but for what guests write.
    /// </summary>
    /// <returns>True when the moment may come; false to be called again in a later turn. It may also withdraw the
    /// change. To do work of a millisecond at most in each call.</returns>
    bool Prepare();

    /// <summary>After Prepare has said false: for so long there is nothing to do; 0: the next turn.</summary>
    ulong RestNs => 0;

    /// <summary>All disks are quiet: to be of O(1) for each thing that changes.</summary>
    /// <returns>True when all is done. False: guests pass, and Prepare comes again before another moment; the turn
    /// is kept meanwhile.</returns>
    bool Change();
}
