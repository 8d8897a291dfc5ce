// One submission that is on its way: who gets its completion, and what the reactor is to do for it. Made with its
// queue, used again and again; a state word decides which of two ends (the work's, or that of a stopped engine) counts.
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;
using FastBackup.Ports;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the submitter's until it is submitted, then the reactor's.</summary>
sealed class QueueSlot(ISlotOwner queue, uint index) : IGuestOwner, IBlockOwner, ILoopTask
{
    const int Free = 0;
    const int Taken = 1;

    int _state;

    public uint Index => index;

    public ulong UserData;
    public uint Kind;

    /// <summary>For the completion, on success.</summary>
    public ulong Bytes;

    /// <summary>What to do on the reactor's thread, for work that is not a guest's request.</summary>
    public ISlotWork? Work;
    public BlockRequest Request;

    public void Take(ulong userData, uint kind, ulong bytes)
    {
        (UserData, Kind, Bytes, Work) = (userData, kind, bytes, null);
        Volatile.Write(ref _state, Taken);
    }

    /// <summary>Gives the completion to the queue and the slot back; a second call does nothing.</summary>
    public void Complete(Fault fault)
    {
        if (Interlocked.Exchange(ref _state, Free) != Taken)
            return;
        CompletionStruct completion = new()
        {
            UserData = UserData,
            Status = Status.Of(fault.Kind),
            SysErrno = fault.Errno,
            Offset = fault.IsFault ? fault.OffsetBytes : Fault.NoOffset,
            Bytes = fault.IsFault ? 0 : Bytes,
            Kind = Kind,
        };
        Request = default;
        Work = null;
        queue.Return(index);
        queue.Post(completion);
    }

    /// <summary>Nothing was submitted after all: no completion.</summary>
    public void Cancel()
    {
        if (Interlocked.Exchange(ref _state, Free) == Taken)
            queue.Return(index);
    }

    public void OnGuestCompleted(ulong userData, Fault fault) => Complete(fault);

    public void OnBlockCompleted(ulong userData, in BlockResult result)
    {
        ISlotWork? work = Work;
        if (Request.Operation == BlockOperation.Map)
            Bytes = MappedBytes(result.Count);
        Complete(result.Fault);
        work?.OnSlotDone();
    }

    /// <summary>What the entries of a map cover.</summary>
    unsafe ulong MappedBytes(uint count)
    {
        if (count == 0)
            return 0;
        // SAFETY: the host keeps them until the completion, which comes after this.
        ref readonly MapEntry last = ref ((MapEntry*)Request.Buffer)[count - 1];
        return last.OffsetBytes + last.LengthBytes - Request.OffsetBytes;
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

/// <summary>The queue that slots are of.</summary>
interface ISlotOwner
{
    /// <summary>Threads: any.</summary>
    void Return(uint index);

    /// <summary>Threads: any.</summary>
    void Post(in CompletionStruct completion);
}
