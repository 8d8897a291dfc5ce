// What hosts that do their own I/O tell of it, one request at a time: a ring of words that any thread writes and the
// reactor empties when it looks (GuestPulse.LookAtHosts, every 200 us while somebody adapts).
//
// A word is a request: its class and how long the device took. A writer takes the next place with one atomic add and
// stores; a reader that is a whole ring behind goes on from the oldest that is there. Nobody waits and nothing is
// counted exactly: a report that was lost, or came while its place was read, is one sample less of many.
//
// Cost: an add and a store, without a clock, a lock or a system call; 4 KiB a disk.
using System;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: Add any; TryTake and Clear the reactor's.</summary>
sealed class GuestReports
{
    const uint Count = 512;
    const int ClassBits = 3;
    const ulong ElapsedNsMax = 3600 * Units.NsPerSecond; // what took longer counts as an hour

    readonly ulong[] _words = new ulong[Count]; // 0: none, or taken
    ulong _added;
    ulong _taken;

    /// <param name="kind">A read, a write or a flush.</param>
    /// <param name="elapsedNs">From its submission to the host's device to its end there.</param>
    public void Add(GuestClass kind, ulong elapsedNs)
    {
        ulong place = Interlocked.Increment(ref _added) - 1;
        ulong word = ((Math.Min(elapsedNs, ElapsedNsMax) + 1) << ClassBits) | (ulong)kind;
        Volatile.Write(ref _words[place % Count], word);
    }

    /// <returns>False: there is none, now.</returns>
    public bool TryTake(out GuestClass kind, out ulong elapsedNs)
    {
        ulong added = Volatile.Read(ref _added);
        if (added - _taken > Count)
            _taken = added - Count;
        while (_taken != added)
        {
            ulong word = Interlocked.Exchange(ref _words[_taken++ % Count], 0);
            if (word == 0)
                continue; // its writer has not got there yet
            kind = (GuestClass)(word & ((1 << ClassBits) - 1));
            elapsedNs = (word >> ClassBits) - 1;
            return true;
        }
        (kind, elapsedNs) = (default, 0);
        return false;
    }

    /// <summary>Forgets what was not looked at.</summary>
    public void Clear()
    {
        while (TryTake(out _, out _)) { }
    }
}
