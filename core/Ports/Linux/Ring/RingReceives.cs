// Receives of sockets through the ring: one entry each, submitted with everything else of a turn, and delivered with
// it. So a peer that speaks costs no call of its own, where a watched socket costs three: epoll's, recv, and the poll
// of the watched descriptor again. After a receive that has emptied its socket the kernel waits before it looks.
//
// Every socket that is received from keeps a place here, and has at most one receive at a time; file commands have
// their own. Knows one kernel call at a time. What is received goes into the caller's memory: provided buffers and one
// entry for many receives would save the entry, and cost a copy of all that is longer than a head.
// Source: io_uring_enter(2), IORING_OP_RECV.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;

namespace FastBackup.Ports.Linux.Ring;

/// <summary>Threads: the ring's.</summary>
public sealed unsafe class RingReceives
{
    /// <summary>In user data that is a key of this table; slots of tables have no such bit.</summary>
    const ulong KeyBit = 1ul << 31;
    const uint SocketsMax = 256;

    sealed class Place
    {
        public IFileIoOwner Owner = null!;
        public StreamCommand Command;
        public int Fd;
        public bool IsUnderWay;

        /// <summary>Pushed, and the ring does not have it yet.</summary>
        public bool IsQueued;

        /// <summary>The last one has taken all that there was.</summary>
        public bool IsEmptied;
    }

    readonly SlotTable<Place> _places = new(SocketsMax);
    readonly Queue<ulong> _toSubmit = new((int)SocketsMax);

    /// <summary>Something was pushed and not taken back.</summary>
    public bool HasLeft
    {
        get
        {
            while (_toSubmit.TryPeek(out ulong key) && !_places.IsTaken(key))
                _ = _toSubmit.Dequeue();
            return _toSubmit.Count > 0;
        }
    }

    /// <summary>Whether an entry with this user data was one of these.</summary>
    public static bool IsKey(ulong userData) => (userData & KeyBit) != 0;

    /// <summary>Takes a place for a socket.</summary>
    /// <param name="owner">Told of completions, with tag 0.</param>
    /// <param name="fd">The socket.</param>
    /// <param name="key">Of the place, never 0.</param>
    /// <returns>False: all are taken.</returns>
    public bool TryOpen(IFileIoOwner owner, int fd, out ulong key)
    {
        if (!_places.TryTake(out key, out Place place))
            return false;
        (place.Owner, place.Fd, place.IsEmptied) = (owner, fd, true);
        return true;
    }

    /// <summary>Receives, once; submitted by the next Poll.</summary>
    public void Push(ulong key, in StreamCommand command)
    {
        Place place = _places.Get(key);
        Check.That(!place.IsUnderWay);
        (place.Command, place.IsUnderWay, place.IsQueued) = (command, true, true);
        _toSubmit.Enqueue(key);
    }

    /// <summary>
    /// Takes a receive back that the ring does not have yet: its socket is about to be closed, and by the next Poll the
    /// number may be another's.
    /// </summary>
    /// <returns>False: the ring has it.</returns>
    public bool TryTakeBack(ulong key)
    {
        Place place = _places.Get(key);
        if (!place.IsQueued)
            return false;
        (place.IsUnderWay, place.IsQueued) = (false, false);
        return true;
    }

    /// <summary>Gives a place back; nothing of it is under way.</summary>
    public void Close(ulong key)
    {
        Check.That(!_places.Get(key).IsUnderWay);
        _places.Free(key);
    }

    /// <summary>Fills an entry with the next that was pushed. HasLeft.</summary>
    internal void Fill(IoUringSqe* entry)
    {
        ulong key = _toSubmit.Dequeue();
        Place place = _places.Get(key);
        place.IsQueued = false;
        entry->Opcode = IoUring.IORING_OP_RECV;
        entry->Fd = place.Fd;
        entry->Address = (ulong)place.Command.Buffer;
        entry->Length = (uint)ulong.Min(place.Command.LengthBytes, int.MaxValue);
        entry->MessageFlags = place.Command.IsWantedWhole ? UnixSockets.MSG_WAITALL : 0u;
        entry->IoPriority = place.IsEmptied ? IoUring.IORING_RECVSEND_POLL_FIRST : (ushort)0;
        entry->UserData = key | KeyBit;
    }

    /// <summary>An entry has completed.</summary>
    internal void Deliver(ulong userData, int result)
    {
        Place place = _places.Get(userData & ~KeyBit);
        place.IsUnderWay = false;
        place.IsEmptied = result >= 0 && (ulong)result < place.Command.LengthBytes;
        place.Owner.OnFileCompleted(0, KernelResult.ToFileResult(result));
    }
}
