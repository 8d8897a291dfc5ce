// A queue as hosts hold it: completions on their way to the host's thread, and the ways to learn of them.
//
//   work     takes a slot (as many as the depth), ends on the reactor's thread, posts a completion
//   grants   of guest writes take no slot, because a grant that is given at once must cost nothing: they are as many as
//            their disks let wait. What does not fit the ring goes to a list that may grow.
//
// Nothing makes a system call until somebody watches: a poster raises the event fd only if fb_queue_event_fd was asked
// for or a thread waits. The race, as in every such pair: the poster publishes, then (full fence) looks whether it is
// watched; the waiter says that it waits, then (full fence) looks once more.
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Structs;
using FastBackup.Ports;

namespace FastBackup.Native.Objects;

/// <summary>Threads: Post, Signal and submissions any; harvesting one at a time.</summary>
sealed partial class QueueObject : EngineChild, IHandleKind, IGuestOwner, ILoopMember, ISignalled, ISlotOwner
{
    const uint RingMin = 1024;

    // --- fixed at construction
    readonly EngineObject _engine;
    readonly QueueSlot[] _slots;
    readonly ConcurrentRing<uint> _freeSlots;
    readonly ConcurrentRing<CompletionStruct> _done;

    // --- any thread
    readonly Lock _overflowLock = new();
    readonly Queue<CompletionStruct> _overflow = new();
    int _overflowCount;
    long _pendingCount;
    IQueueCaller[] _callers = []; // devices whose calls this queue makes

    /// <param name="engine">Its engine.</param>
    /// <param name="depth">Slots.</param>
    /// <param name="eventFd">Raised by posters.</param>
    /// <param name="watchFd">Readable when that is, or when the engine is to be driven; else the same.</param>
    public QueueObject(EngineObject engine, uint depth, EventFd eventFd, EventFd watchFd)
        : base(engine)
    {
        _watchFd = watchFd;
        _engine = engine;
        _event = new EventFlag(eventFd);
        _slots = new QueueSlot[depth];
        _freeSlots = new ConcurrentRing<uint>(System.Math.Max(2, RoundUp(depth)));
        _done = new ConcurrentRing<CompletionStruct>(System.Math.Max(RingMin, 2 * RoundUp(depth)));
        for (uint i = 0; i < depth; i++)
        {
            _slots[i] = new QueueSlot(this, i);
            _freeSlots.Put(i);
        }
    }

    public static HandleKind Kind => HandleKind.Queue;

    public static string Noun => "queue";

    /// <summary>Accepted and not yet harvested.</summary>
    public long PendingCount => Volatile.Read(ref _pendingCount);

    public bool HasCallers => Volatile.Read(ref _callers).Length > 0;

    /// <summary>A slot for work that is about to be submitted.</summary>
    /// <returns>False: as many as the depth are on their way.</returns>
    public bool TryTake(ulong userData, uint kind, ulong bytes, out QueueSlot? slot)
    {
        slot = null;
        if (Volatile.Read(ref _pendingCount) >= _slots.Length || !_freeSlots.TryTake(out uint index))
            return false;
        slot = _slots[index];
        slot.Take(userData, kind, bytes);
        Interlocked.Increment(ref _pendingCount);
        return true;
    }

    /// <summary>As the other, for work that was refused: it does not count.</summary>
    public void Cancel(QueueSlot slot)
    {
        slot.Cancel();
        Interlocked.Decrement(ref _pendingCount);
    }

    public void Return(uint index) => _freeSlots.Put(index);

    /// <summary>A write that waits: one grant will come.</summary>
    public void CountPendingGrant() => Interlocked.Increment(ref _pendingCount);

    void IGuestOwner.OnGuestCompleted(ulong userData, Fault fault) =>
        Post(
            new CompletionStruct
            {
                UserData = userData,
                Status = Errors.Status.Of(fault.Kind),
                SysErrno = fault.Errno,
                Offset = fault.IsFault ? fault.OffsetBytes : Fault.NoOffset,
                Kind = Fb.CompletionWriteGrant,
            }
        );

    public void Post(in CompletionStruct completion)
    {
        if (!_done.TryPut(completion))
            lock (_overflowLock)
            {
                _overflow.Enqueue(completion);
                Volatile.Write(ref _overflowCount, _overflow.Count);
            }
        SignalIfWatched();
    }

    /// <summary>A bug has stopped the engine: what no device will answer any more ends now.</summary>
    void ILoopMember.OnLoopFailed()
    {
        foreach (QueueSlot slot in _slots)
            if (slot.Work != null)
                slot.Complete(new Fault(FaultKind.Bug));
        _engine.WakeReaders();
    }

    public void AddCaller(IQueueCaller device)
    {
        lock (_overflowLock)
            Volatile.Write(ref _callers, [.. _callers, device]);
    }

    public void RemoveCaller(IQueueCaller device)
    {
        lock (_overflowLock)
        {
            List<IQueueCaller> callers = [.. _callers];
            _ = callers.Remove(device);
            Volatile.Write(ref _callers, [.. callers]);
        }
    }

    bool TryNext(out CompletionStruct completion)
    {
        if (_done.TryTake(out completion))
            return true;
        if (Volatile.Read(ref _overflowCount) == 0)
            return false;
        lock (_overflowLock)
        {
            bool isThere = _overflow.TryDequeue(out completion);
            Volatile.Write(ref _overflowCount, _overflow.Count);
            return isThere;
        }
    }

    bool HasSomething
    {
        get
        {
            if (!_done.IsEmpty || Volatile.Read(ref _overflowCount) > 0 || HasSomethingToTell)
                return true;
            foreach (IQueueCaller device in Volatile.Read(ref _callers))
                if (device.HasCalls)
                    return true;
            return false;
        }
    }

    static uint RoundUp(uint value) => System.Numerics.BitOperations.RoundUpToPowerOf2(value);
}
