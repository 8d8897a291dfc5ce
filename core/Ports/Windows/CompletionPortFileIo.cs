// The port over a completion port: reads and writes are overlapped calls, begun as they are pushed; what has ended is
// taken from the completion port in batches. A call that ends inside itself tells no port
// (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) and is kept here until the next Poll. A wake from another thread is a packet
// of its own, one at a time. The streams of the loop have their calls told by the same port (IPacketOwner).
//
// Windows has no overlapped flush, walk of ranges, or mark; those go to the file's own threads, and so does every
// command of a file whose calls may wait where they are made: a new one, because a write past what was ever written
// (valid data) is carried out inside the call, and one on another machine. They come back through the same Poll.
// A durable write is a write and a flush, so it is such a call, too.
//
// Waits are as exact as the system's clock tick, some 15 ms unless a program asks for less; a completion ends them at
// once. IoRing is not used: for files it saves some 2 % over completion ports, and it knows no sockets.
// Everything is sized at open; a turn allocates nothing.
// Source: "I/O Completion Ports", "Synchronous and Asynchronous I/O", SetFileCompletionNotificationModes and
// "File Buffering" in the Windows documentation.
using System;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Windows;
using FastBackup.Memory;
using FastBackup.Ports.Linux;

namespace FastBackup.Ports.Windows;

/// <summary>Threads: the one that polls first; Wake and StartWorkers any.</summary>
public sealed class CompletionPortFileIo : IFileIo
{
    const nuint WakeKey = 1;
    const nuint PacketKey = 2; // of what is told to the IPacketOwner
    const int HarvestMax = 64;
    const int WorkersPerFileUsual = 16;
    const int ServesWithPackets = 0; // FileHandle.RegisteredIndex of files that the port serves
    const int ServesSkipping = 1;

    sealed class Pending
    {
        public IFileIoOwner Owner = null!;
        public ulong Tag;
    }

    /// <summary>What the system has of a command, and by which the command is found again.</summary>
    struct Call
    {
        public IoOverlapped Overlapped;
        public ulong Key;
    }

    readonly record struct Ended(ulong Key, long Result);

    // --- fixed at construction
    readonly SlotTable<Pending> _pending;
    readonly AlignedRegion _calls; // one Call for each slot, where the system writes
    readonly BoundedQueue<Ended> _ended; // inside the call that began it
    readonly ThreadedFileIo _threads; // of files
    readonly bool _hasThreadsForAll;

    // --- the loop's thread
    IPacketOwner? _packets;

    // --- any thread
    nint _port; // 0 once closed
    int _isWakePosted;

    CompletionPortFileIo(nint port, uint depth, int workersPerFile, bool hasThreadsForAll, FileCall? call)
    {
        (_port, _hasThreadsForAll) = (port, hasThreadsForAll);
        _pending = new SlotTable<Pending>(depth);
        _ended = new BoundedQueue<Ended>(depth);
        _threads = new ThreadedFileIo(workersPerFile, depth, "fb-file", Wake, call);
        unsafe
        {
            // SAFETY: a size only.
            _calls = AlignedRegion.Map((ulong)depth * (ulong)sizeof(Call), RegionResidency.Resident);
        }
    }

    public string Name => _hasThreadsForAll ? "threads" : "completion port";

    public uint InFlightCount => _pending.TakenCount + _threads.InFlightCount;

    /// <param name="depth">Commands in flight at most, 1..16384.</param>
    /// <param name="fileIo">The port, or null after a fault.</param>
    /// <param name="call">What carries out the commands that are not overlapped; null is the system.</param>
    /// <returns>None, or why there is none.</returns>
    public static Fault TryOpen(uint depth, out CompletionPortFileIo? fileIo, FileCall? call = null) =>
        TryOpen(depth, WorkersPerFileUsual, false, out fileIo, call);

    /// <summary>One whose files have threads for all their commands; only wakes and streams come by the port.</summary>
    /// <param name="depth">Commands in flight at most, 1..16384.</param>
    /// <param name="workersPerFile">Calls at once on one file, 1..64.</param>
    /// <param name="fileIo">The port, or null after a fault.</param>
    /// <returns>None, or why there is none.</returns>
    public static Fault TryOpenThreaded(uint depth, int workersPerFile, out CompletionPortFileIo? fileIo) =>
        TryOpen(depth, workersPerFile, true, out fileIo, null);

    static Fault TryOpen(
        uint depth,
        int workersPerFile,
        bool hasThreadsForAll,
        out CompletionPortFileIo? fileIo,
        FileCall? call
    )
    {
        Check.That(depth is >= 1 and <= 16384);
        nint port = CompletionPorts.Create(CompletionPorts.InvalidHandle, 0, 0, 1);
        fileIo = port == 0 ? null : new CompletionPortFileIo(port, depth, workersPerFile, hasThreadsForAll, call);
        return port == 0 ? Errnos.ToFault(WindowsFault.Last()) : Fault.None;
    }

    public IFileWorkers? StartWorkers(bool mayBlock) =>
        mayBlock || _hasThreadsForAll ? _threads.StartWorkers(mayBlock) : _threads.StartHelper();

    public bool TryPush(in FileCommand command)
    {
        bool isTransfer = command.Operation is FileOperation.Read or FileOperation.Write && !command.IsDurable;
        bool isCall = !isTransfer && command.Operation != FileOperation.Nop;
        // Without its cache Windows takes whole sectors only; Wine takes anything.
        Check.That(command.Operation is not (FileOperation.Read or FileOperation.Write) || command.IsAligned);
        if (command.File.Workers is { } workers && (isCall || workers.TakesAll))
            return _threads.TryPush(command);
        Check.That(!isCall); // whoever opened the file has asked for its threads
        if (!_pending.TryTake(out ulong key, out Pending pending))
            return false;
        (pending.Owner, pending.Tag) = (command.Owner, command.Tag);
        if (isTransfer)
            Begin(key, command);
        else
            _ended.Enqueue(new Ended(key, 0));
        return true;
    }

    public uint Poll(ulong waitNs)
    {
        uint delivered = _threads.Poll(0) + DeliverEnded();
        delivered += Harvest(delivered == 0 ? waitNs : 0);
        return delivered + _threads.Poll(0);
    }

    public void Wake()
    {
        nint port = Volatile.Read(ref _port);
        if (port != 0 && Interlocked.Exchange(ref _isWakePosted, 1) == 0)
            Post(port);
    }

    public void Watch(int fd) => Check.Fail("a completion port watches no descriptor");

    public Fault RegisterMemory(AlignedRegion region) => Fault.None;

    public void UnregisterMemory(AlignedRegion region) { }

    /// <summary>Who is told of what Serve lets it have; null: nobody any more.</summary>
    internal void Attach(IPacketOwner? owner) => _packets = owner;

    /// <summary>From now on the port tells its IPacketOwner of the handle's calls.</summary>
    /// <param name="handle">Opened for overlapped calls.</param>
    /// <param name="isSkipping">Not of those that succeed inside themselves.</param>
    /// <returns>0, or an error number.</returns>
    internal int Serve(nint handle, out bool isSkipping)
    {
        isSkipping = false;
        if (CompletionPorts.Create(handle, _port, PacketKey, 0) == 0)
            return WindowsFault.Last();
        const byte modes = CompletionPorts.SkipPortOnSuccess | CompletionPorts.SkipEventOnHandle;
        isSkipping = CompletionPorts.SetModes(handle, modes) != 0;
        return 0;
    }

    /// <summary>The port forgets a file when its last handle is closed.</summary>
    public void UnregisterFile(FileHandle file) => file.RegisteredIndex = -1;

    /// <summary>Only when nothing is in flight: the system may still write to buffers otherwise.</summary>
    public void Dispose()
    {
        if (!TryClose())
            return;
        Check.That(InFlightCount == 0);
        _calls.Dispose();
        _threads.Dispose();
    }

    /// <summary>With commands in flight: the memory that they use must stay mapped, and so must theirs here.</summary>
    public void Abandon()
    {
        if (!TryClose())
            return;
        _calls.Leak();
        _threads.Abandon();
    }

    bool TryClose()
    {
        nint port = Interlocked.Exchange(ref _port, 0);
        return port != 0 && Handles.Close(port) != 0;
    }

    /// <summary>A wake that is lost would hang the loop: short of memory, the system is asked again.</summary>
    unsafe void Post(nint port)
    {
        SpinWait spin = default;
        // SAFETY: a packet without an address.
        while (CompletionPorts.Post(port, 0, WakeKey, null) == 0 && Volatile.Read(ref _port) == port)
            spin.SpinOnce();
    }

    unsafe void Begin(ulong key, in FileCommand command)
    {
        FileHandle file = command.File;
        Check.That(command.LengthBytes is > 0 and <= int.MaxValue);
        if (file.RegisteredIndex < 0 && Serve(file) is > 0 and var errno)
        {
            _ended.Enqueue(new Ended(key, -errno));
            return;
        }
        // SAFETY: the slot is this command's until its completion, and so are the buffer (IFileIo.TryPush) and this
        // entry of the region, which outlives both.
        Call* call = (Call*)_calls.Start + (uint)key;
        *call = new Call { Key = key };
        call->Overlapped.OffsetLow = (uint)command.OffsetBytes;
        call->Overlapped.OffsetHigh = (uint)(command.OffsetBytes >> 32);
        int isDone =
            command.Operation == FileOperation.Read
                ? OpenFiles.Read(file.Fd, (void*)command.Buffer, (uint)command.LengthBytes, null, &call->Overlapped)
                : OpenFiles.Write(file.Fd, (void*)command.Buffer, (uint)command.LengthBytes, null, &call->Overlapped);
        uint error = isDone != 0 ? 0 : (uint)Marshal.GetLastPInvokeError();
        if (error == WindowsErrors.ERROR_IO_PENDING || (error == 0 && file.RegisteredIndex == ServesWithPackets))
            return;
        _ended.Enqueue(new Ended(key, error == 0 ? (long)call->Overlapped.TransferredBytes : ResultOf(error)));
    }

    /// <returns>0, or an error number.</returns>
    int Serve(FileHandle file)
    {
        if (CompletionPorts.Create(file.Fd, _port, 0, 0) == 0)
            return WindowsFault.Last();
        const byte modes = CompletionPorts.SkipPortOnSuccess | CompletionPorts.SkipEventOnHandle;
        file.RegisteredIndex = CompletionPorts.SetModes(file.Fd, modes) != 0 ? ServesSkipping : ServesWithPackets;
        return 0;
    }

    uint DeliverEnded()
    {
        uint count = _ended.Count; // what an owner pushes meanwhile is for the next Poll
        for (uint i = 0; i < count && _ended.TryDequeue(out Ended ended); i++)
            Deliver(ended.Key, ended.Result);
        return count;
    }

    unsafe uint Harvest(ulong waitNs)
    {
        // SAFETY: entries of this frame, filled during the call only; what they point at are entries of the region.
        OverlappedEntry* entries = stackalloc OverlappedEntry[HarvestMax];
        uint delivered = 0;
        uint count;
        uint waitMs = waitNs == 0 ? 0 : WaitMs(waitNs);
        do
        {
            count = 0;
            if (CompletionPorts.Take(_port, entries, HarvestMax, &count, waitMs, 0) == 0)
            {
                Check.That((uint)Marshal.GetLastPInvokeError() == WindowsErrors.WAIT_TIMEOUT);
                return delivered;
            }
            waitMs = 0;
            for (uint i = 0; i < count; i++)
            {
                if (entries[i].Overlapped == null)
                {
                    Check.That(entries[i].Key == WakeKey);
                    Volatile.Write(ref _isWakePosted, 0); // the inbox is looked at after this
                    Interlocked.MemoryBarrier();
                    continue;
                }
                if (entries[i].Key == PacketKey)
                {
                    _packets?.OnPacket((nint)entries[i].Overlapped);
                    continue;
                }
                Call* call = (Call*)entries[i].Overlapped;
                Deliver(call->Key, ResultOf(call->Overlapped, entries[i].TransferredBytes));
                delivered++;
            }
        } while (count == HarvestMax);
        return delivered;
    }

    static uint WaitMs(ulong waitNs) =>
        waitNs == ulong.MaxValue
            ? CompletionPorts.Infinite
            : (uint)Math.Min(Units.DivCeil(waitNs, Units.NsPerMs), CompletionPorts.Infinite - 1);

    void Deliver(ulong key, long result)
    {
        Pending pending = _pending.Get(key);
        (IFileIoOwner owner, ulong tag) = (pending.Owner, pending.Tag);
        _pending.Free(key);
        owner.OnFileCompleted(tag, KernelResult.ToFileResult(result));
    }

    static long ResultOf(in IoOverlapped ended, uint count)
    {
        int status = (int)ended.Status;
        return status >= 0 ? count
            : status == WindowsErrors.STATUS_END_OF_FILE ? 0
            : -WindowsFault.OfStatus(status);
    }

    static long ResultOf(uint error) => error == WindowsErrors.ERROR_HANDLE_EOF ? 0 : -WindowsFault.ToErrno(error);
}
