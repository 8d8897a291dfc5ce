// The preallocated slot that carries a guest's request across threads and through its wait. Its deadline, while it
// waits for a watcher that has a limit, is that of the queue's heap.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: filled by the guest's thread, then the reactor's until it is free again.</summary>
sealed class GuestSlot(GuestQueue queue, uint index) : DeadlineEntry, ILoopTask
{
    public enum Phase
    {
        Free,
        Arrived,

        /// <summary>In the queue's waiting list.</summary>
        Waiting,

        /// <summary>Device mode: on its way to the device.</summary>
        AtDevice,
    }

    public uint Index => index;

    public GuestRequest Request;

    /// <summary>Hook mode: the host does the I/O itself.</summary>
    public bool IsHook;
    public Phase Step;
    public ulong ArrivedNs;

    /// <summary>The number of its arrival; of its answer, for one that is absorbed.</summary>
    public ulong Order;

    /// <summary>When its guest was told, if that was before it landed.</summary>
    public ulong AnsweredNs;

    /// <summary>A write whose guest was told already: its buffer is ours, and it is counted in flight.</summary>
    public bool IsAbsorbed;

    /// <summary>Since when it waits, for those who limit that: one whose guest was told begins anew.</summary>
    public ulong WaitsSinceNs => IsAbsorbed ? AnsweredNs : ArrivedNs;

    /// <summary>The disk's count of points in time when it went to the device.</summary>
    public ulong Epoch;

    /// <summary>When it went to the device.</summary>
    public ulong SubmittedNs;

    /// <summary>No background copy was at the device when it came.</summary>
    public bool WasQuiet;

    /// <summary>The watcher that last held it back, or null: whose statistics its wait belongs to.</summary>
    public IWriteWatcher? HeldBy;

    /// <summary>No other write to its blocks is or was at the device with it: <see cref="WarmSet"/>.</summary>
    public bool IsAlone;

    // Links of the list that it is in: of those who wait, or of the unanswered writes at the device.
    public GuestSlot? Previous;
    public GuestSlot? Next;

    // Links of what is absorbed, in order of the answers.
    public GuestSlot? OlderAbsorbed;
    public GuestSlot? YoungerAbsorbed;

    public Extent Extent => new(Request.OffsetBytes, Request.LengthBytes);

    public bool IsWrite => Request.Operation.IsWrite();

    /// <summary>The reactor has failed before this arrived.</summary>
    public void Abandon(ulong argument) => queue.Abandon(this);

    /// <summary>Arrival on the reactor's thread.</summary>
    public void Run(ulong argument) => queue.OnArrived(this);
}
