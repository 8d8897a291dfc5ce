// An event fd that many raise and few lower, with a word beside it, so that raising what is raised and lowering what is
// down makes no system call.
//
//   Down -> Up        by whoever raises it first, who then writes to the descriptor
//   Up -> Lowering    by one of those who lower it, who then reads the descriptor
//   Lowering -> Down  by the same, when the read got the write
//   Lowering -> Up    by the same, when there was nothing to read: the write is still on its way
//
// There is one write for each time that it is up, and it is down again only when that has been read. With a word that
// goes down in any case, the write could come after the read: the descriptor would stay readable with the word down,
// nobody would lower it, and every wait would end at once until something happens.
// Whoever raises it while it is up leaves that to the other; while it is being lowered, to the look that comes after.
// A write that is on its way makes for one look too many, no more.
using System.Threading;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any.</summary>
sealed class EventFlag(EventFd eventFd)
{
    const int Down = 0;
    const int Up = 1;
    const int Lowering = 2;

    int _state;

    public EventFd Event => eventFd;

    /// <summary>What it tells of was published before.</summary>
    public void Raise()
    {
        if (Interlocked.CompareExchange(ref _state, Up, Down) == Down)
            eventFd.Raise();
    }

    /// <summary>The caller looks afterwards at what it tells of.</summary>
    /// <returns>False when it was not up, or another one lowers it.</returns>
    public bool TryLower()
    {
        if (Volatile.Read(ref _state) != Up || Interlocked.CompareExchange(ref _state, Lowering, Up) != Up)
            return false;
        bool isRead = eventFd.TryLower();
        Interlocked.Exchange(ref _state, isRead ? Down : Up); // a full fence: before the look
        return true;
    }
}
