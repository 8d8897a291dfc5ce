// What a guest asks of a disk, and the preallocated slot that carries it across threads and through its wait.
using System.Threading;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Filter;

public interface IGuestOwner
{
    /// <summary>
    /// Called exactly once per request that was accepted, on the reactor's thread. Hook mode: the write may
    /// land now (None) or must be failed (a fault); device mode: the request is done.
    /// </summary>
    void OnGuestCompleted(ulong userData, Fault fault);
}

/// <summary>How a guest's request was taken.</summary>
public enum Grant : byte
{
    /// <summary>Hook mode: write now, then call EndWrite; no completion comes.</summary>
    Granted,

    /// <summary>One completion will come.</summary>
    Pending,

    /// <summary>Refused with the fault given; no completion comes and nothing was recorded.</summary>
    Refused,
}

/// <summary>One request of a guest in device mode.</summary>
public struct GuestRequest
{
    public BlockOperation Operation;
    public BlockFlags Flags;
    public ulong OffsetBytes;
    public ulong LengthBytes;

    /// <summary>The guest's memory, until the completion.</summary>
    public nint Buffer;
    public IGuestOwner Owner;
    public ulong UserData;
}

/// <summary>Threads: filled by the guest's thread, then the reactor's until it is free again.</summary>
sealed class GuestSlot : ILoopTask
{
    public enum Phase
    {
        Free,
        Arrived,

        /// <summary>In the disk's waiting list.</summary>
        Waiting,

        /// <summary>Device mode: on its way to the device.</summary>
        AtDevice,
    }

    readonly Disk _disk;

    public GuestSlot(Disk disk, uint index) => (_disk, Index) = (disk, index);

    public uint Index { get; }

    public GuestRequest Request;

    /// <summary>Hook mode: the host does the I/O itself.</summary>
    public bool IsHook;
    public Phase Step;
    public ulong ArrivedNs;

    /// <summary>The disk's count of points in time when it went to the device.</summary>
    public ulong Epoch;

    /// <summary>When it went to the device.</summary>
    public ulong SubmittedNs;

    /// <summary>No background copy was at the device when it came.</summary>
    public bool WasQuiet;

    /// <summary>The filter that last held it back, or null: whose statistics its wait belongs to.</summary>
    public CopyBeforeWriteFilter? HeldBy;
    public ulong TimerKey;
    public ulong TimerDeadlineNs;

    // Links of the waiting list, in order of arrival.
    public GuestSlot? Previous;
    public GuestSlot? Next;

    public Extent Extent => new(Request.OffsetBytes, Request.LengthBytes);

    public bool IsWrite =>
        Request.Operation switch
        {
            BlockOperation.Write => true,
            BlockOperation.WriteZeroes => !Planted.Is(PlantedBug.R11ZeroesPassUnseen),
            BlockOperation.Discard => !Planted.Is(PlantedBug.R11DiscardsPassUnseen),
            _ => false,
        };

    /// <summary>The reactor has failed before this arrived.</summary>
    public void Abandon(ulong argument) => _disk.Abandon(this);

    /// <summary>Arrival on the reactor's thread (argument 0), or the time limit of a wait (1).</summary>
    public void Run(ulong argument)
    {
        if (argument == 0)
            _disk.OnArrived(this);
        else
            _disk.OnWaitExpired(this);
    }
}
