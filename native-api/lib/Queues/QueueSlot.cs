// One submission that is on its way: who gets its completion, and what the reactor is to do for it. Made with its
// queue, used again and again; a state word decides which of two ends (the work's, or that of a stopped engine) counts.
using System.Threading;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Filter;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Queues;

/// <summary>Threads: the submitter's until it is submitted, then the reactor's.</summary>
sealed class QueueSlot(QueueObject queue, uint index) : IGuestOwner, IBlockOwner, ILoopTask
{
    const int Free = 0;
    const int Taken = 1;

    int _state;

    public uint Index => index;

    public ulong UserToken;
    public uint Kind;

    /// <summary>For the completion, on success.</summary>
    public ulong Bytes;

    /// <summary>What to do on the reactor's thread, for work that is not a guest's request.</summary>
    public ISlotWork? Work;
    public BlockRequest Request;

    public void Take(ulong userToken, uint kind, ulong bytes)
    {
        (UserToken, Kind, Bytes, Work) = (userToken, kind, bytes, null);
        Volatile.Write(ref _state, Taken);
    }

    /// <summary>Gives the completion to the queue and the slot back; a second call does nothing.</summary>
    public void Complete(Fault fault)
    {
        if (Interlocked.Exchange(ref _state, Free) != Taken)
            return;
        Completion completion = new()
        {
            UserToken = UserToken,
            Status = Status.Of(fault.Kind),
            SysErrno = fault.Errno,
            Offset = fault.IsFault ? fault.OffsetBytes : Fault.NoOffset,
            Bytes = fault.IsFault ? 0 : Bytes,
            Kind = Kind,
        };
        Request = default;
        Work = null;
        queue.Return(this);
        queue.Post(completion);
    }

    /// <summary>Nothing was submitted after all: no completion.</summary>
    public void Cancel()
    {
        if (Interlocked.Exchange(ref _state, Free) == Taken)
            queue.Return(this);
    }

    public void OnGuestCompleted(ulong userData, Fault fault) => Complete(fault);

    public void OnBlockCompleted(ulong userData, in BlockResult result)
    {
        ISlotWork? work = Work;
        Complete(result.Fault);
        work?.OnSlotDone();
    }

    public void Run(ulong argument) => Work!.Begin(this);

    public void Abandon(ulong argument) => Complete(new Fault(FaultKind.Bug));
}

/// <summary>Work for a slot on the reactor's thread.</summary>
interface ISlotWork
{
    /// <summary>Starts it; the slot is completed now or later.</summary>
    void Begin(QueueSlot slot);

    /// <summary>A request that was begun has ended.</summary>
    void OnSlotDone();
}
