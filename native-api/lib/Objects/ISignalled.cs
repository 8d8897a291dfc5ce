// Who is woken when there is something to be looked at.
namespace FastBackup.Native.Objects;

interface ISignalled
{
    /// <summary>Threads: any; must not block.</summary>
    void Signal();
}
