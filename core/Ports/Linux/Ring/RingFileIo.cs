// The port over io_uring: registered files and buffers, one system call per turn that submits everything
// pushed and waits, completions delivered in harvest order.
//
// A wake from another thread is an eventfd that the ring polls (a poll, not a read: at close the
// kernel then has no address to write to); so is the descriptor that is watched for streams; those that only receive
// have their own entries (RingReceives). What the ring cannot do
// (the lseek walk of a Map), and files of which it is not known that a submission never blocks, go to the file's own
// threads and come back through the same Poll.
// Everything is sized at open; a turn allocates nothing. Knows one kernel call at a time: whole requests,
// short counts and EAGAIN are FileDevice's affair.
using System;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;

namespace FastBackup.Ports.Linux.Ring;

/// <summary>Threads: the one that polls first; Wake any.</summary>
public sealed unsafe class RingFileIo : IFileIo
{
    const uint FileSlotsMax = 256;
    const uint BufferSlotsMax = 64;
    const ulong RegisteredBufferBytesMax = Units.GiB; // the kernel's limit for one registered buffer
    const ulong WakeKey = ulong.MaxValue;
    const ulong WatchKey = WakeKey - 1;
    const int HarvestMax = 64;
    const int WorkersPerFile = 16;

    sealed class Pending
    {
        public IFileIoOwner Owner = null!;
        public ulong Tag;
    }

    // --- fixed at construction
    readonly RawRing _ring;
    readonly SlotTable<Pending> _pending;
    readonly ThreadedFileIo _threads; // of files
    readonly bool _isShared; // polled by one thread after the other, each of a host's
    readonly bool _hasFileTable;
    readonly bool _hasBufferTable;
    readonly RingReceives _receives = new();

    // --- any thread
    int _wakeFd; // -1 once closed: a late Wake must not write into whatever has the number then

    // --- touched only by the ring's thread
    readonly bool[] _fileSlotTaken = new bool[FileSlotsMax];
    readonly Extent[] _bufferSlots = new Extent[BufferSlotsMax]; // by address
    bool _isEnabled;
    bool _isWakeArmed;
    int _watchedFd = -1;
    bool _isWatchArmed;

    RingFileIo(RawRing ring, uint depth, int wakeFd, bool isShared, FileCall? call)
    {
        _ring = ring;
        _wakeFd = wakeFd;
        _pending = new SlotTable<Pending>(depth);
        _isShared = isShared;
        _threads = new ThreadedFileIo(WorkersPerFile, depth, "fb-file", Wake, call);
        _hasFileTable = RegisterFileTable();
        _hasBufferTable = RegisterBufferTable();
        LiftWorkerLimit(depth);
    }

    public string Name => "io_uring";

    public uint InFlightCount => _pending.TakenCount + _threads.InFlightCount;

    /// <summary>Readable while there are completions, with a shared ring.</summary>
    public int ReadyFd => _ring.Fd;

    public RingGrant Grant => _ring.Grant;

    /// <summary>For sockets; null where completions would come to threads of a host.</summary>
    public RingReceives? Receives => Grant.IsDeferred ? _receives : null;

    public bool NeedsPoll => _ring.UnsubmittedCount > 0 || !IsArmed;

    /// <summary>Enter calls made, for tests of work done.</summary>
    public ulong EnterCount => _ring.EnterCount;

    /// <param name="depth">Commands in flight at most, 1..16384.</param>
    /// <param name="fileIo">The port, or null after a fault.</param>
    /// <param name="isShared">
    /// Threads may take turns with it, and it has none of its own but for files that may block: the lseek walk of a Map
    /// is made in Poll.
    /// </param>
    /// <param name="call">What carries out the commands that the ring does not; null is the kernel.</param>
    /// <returns>None, or why this kernel or container refuses io_uring.</returns>
    public static Fault TryOpen(uint depth, out RingFileIo? fileIo, bool isShared = false, FileCall? call = null)
    {
        fileIo = null;
        Check.That(depth is >= 1 and <= 16384);
        Fault fault = RawRing.TryUse();
        if (fault.IsFault)
            return fault;
        uint cqEntries = (uint)BitOperations.RoundUpToPowerOf2(depth + 8);
        fault = RawRing.TryOpen(Math.Min(cqEntries, 256), cqEntries, out RawRing? ring, isShared);
        if (fault.IsFault)
            return fault;
        int wakeFd = Files.EventFd(0, Files.EFD_CLOEXEC | Files.EFD_NONBLOCK);
        if (wakeFd < 0)
        {
            fault = Errnos.ToFault(Marshal.GetLastPInvokeError());
            ring!.Dispose();
            return fault;
        }
        fileIo = new RingFileIo(ring!, depth, wakeFd, isShared, call);
        return Fault.None;
    }

    public IFileWorkers? StartWorkers(bool mayBlock) =>
        mayBlock ? _threads.StartWorkers(mayBlock) : _threads.StartHelper();

    public bool TryPush(in FileCommand command)
    {
        bool isCall =
            command.Operation is FileOperation.Map or FileOperation.Size or FileOperation.Mark or FileOperation.Unmark;
        if (command.File.Workers is { } workers && (isCall || workers.TakesAll))
            return _threads.TryPush(command);
        EnsureEnabled();
        if (!_pending.TryTake(out ulong key, out Pending pending))
            return false;
        IoUringSqe* entry = NextEntry();
        if (entry == null)
        {
            _pending.Free(key);
            return false;
        }
        pending.Owner = command.Owner;
        pending.Tag = command.Tag;
        Fill(entry, command);
        entry->UserData = key;
        return true;
    }

    public uint Poll(ulong waitNs)
    {
        EnsureEnabled();
        ArmWake();
        ArmWatch();
        bool hasRoom = TrySubmitReceives();
        uint delivered = _threads.Poll(0);
        // Without an armed wake a wait could last for ever: the queue was full, so completions will come.
        bool mayWait = waitNs > 0 && delivered == 0 && IsArmed && hasRoom && !_ring.HasCompletions;
        if (mayWait || _ring.UnsubmittedCount > 0 || _pending.TakenCount > 0 || !_ring.HasCompletions)
            Enter(mayWait ? 1u : 0u, waitNs);
        delivered += Deliver();
        return delivered + _threads.Poll(0);
    }

    public void Wake()
    {
        ulong one = 1;
        int wakeFd = Volatile.Read(ref _wakeFd);
        if (wakeFd < 0)
            return;
        // SAFETY: eight bytes of this frame, read during the call only. A full counter is a wake already.
        _ = Files.Write(wakeFd, &one, sizeof(ulong));
    }

    public Fault RegisterMemory(AlignedRegion region)
    {
        if (!_hasBufferTable)
            return new Fault(FaultKind.Unsupported);
        for (ulong offset = 0; offset < region.LengthBytes; offset += RegisteredBufferBytesMax)
        {
            ulong lengthBytes = Math.Min(RegisteredBufferBytesMax, region.LengthBytes - offset);
            int slot = Array.FindIndex(_bufferSlots, extent => extent.IsEmpty);
            if (slot < 0)
                return new Fault(FaultKind.QueueFull);
            ulong address = (ulong)region.Start + offset;
            Fault fault = UpdateBuffer((uint)slot, address, lengthBytes);
            if (fault.IsFault)
                return fault;
            _bufferSlots[slot] = new Extent(address, lengthBytes);
        }
        return Fault.None;
    }

    public void UnregisterMemory(AlignedRegion region)
    {
        Extent mapped = new((ulong)region.Start, region.LengthBytes);
        for (uint slot = 0; slot < BufferSlotsMax; slot++)
        {
            if (_bufferSlots[slot].IsEmpty || !_bufferSlots[slot].Overlaps(mapped))
                continue;
            _bufferSlots[slot] = default;
            Check.That(UpdateBuffer(slot, 0, 0).IsNone);
        }
    }

    public void UnregisterFile(FileHandle file)
    {
        if (file.RegisteredIndex < 0)
            return;
        // Refused on another thread than the ring's, once that has ended: closing the ring drops the file as well.
        _ = UpdateFile(file.RegisteredIndex, -1);
        _fileSlotTaken[file.RegisteredIndex] = false;
        file.RegisteredIndex = -1;
    }

    /// <summary>Only when nothing is in flight: the kernel may still write to buffers otherwise.</summary>
    public void Dispose()
    {
        int wakeFd = Interlocked.Exchange(ref _wakeFd, -1);
        if (wakeFd < 0)
            return;
        Check.That(InFlightCount == 0);
        Close(wakeFd);
        _threads.Dispose();
    }

    /// <summary>
    /// Closes the ring with commands in flight, after a failure: the memory that they use must stay mapped.
    /// </summary>
    public void Abandon()
    {
        int wakeFd = Interlocked.Exchange(ref _wakeFd, -1);
        if (wakeFd >= 0)
            Close(wakeFd);
        _threads.Abandon();
    }

    void Close(int wakeFd)
    {
        _ring.Dispose();
        _ = Files.Close(wakeFd);
    }

    void EnsureEnabled()
    {
        if (_isEnabled)
            return;
        Fault fault = _ring.TryEnable();
        Check.That(fault.IsNone);
        _isEnabled = true;
    }

    public void Watch(int fd)
    {
        Check.That(_watchedFd < 0);
        _watchedFd = fd;
    }

    public bool MayWatchedBeReady => !_isWatchArmed;

    /// <summary>A poll of a descriptor tells once; one that has told waits for nothing until the next turn.</summary>
    bool IsArmed => _isWakeArmed && (_isWatchArmed || _watchedFd < 0);

    void ArmWake() => _isWakeArmed = _isWakeArmed || TryArm(_wakeFd, WakeKey);

    void ArmWatch() => _isWatchArmed = _isWatchArmed || (_watchedFd >= 0 && TryArm(_watchedFd, WatchKey));

    bool TryArm(int fd, ulong key)
    {
        IoUringSqe* entry = NextEntry();
        if (entry == null)
            return false;
        entry->Opcode = IoUring.IORING_OP_POLL_ADD;
        entry->Fd = fd;
        entry->PollEvents = (uint)Files.POLLIN;
        entry->UserData = key;
        return true;
    }

    bool TrySubmitReceives()
    {
        while (_receives.HasLeft)
        {
            IoUringSqe* entry = NextEntry();
            if (entry == null)
                return false;
            _receives.Fill(entry);
        }
        return true;
    }

    void OnWoken()
    {
        ulong count;
        // SAFETY: eight bytes of this frame, written during the call only.
        _ = Files.Read(_wakeFd, &count, sizeof(ulong));
        _isWakeArmed = false;
    }

    IoUringSqe* NextEntry()
    {
        IoUringSqe* entry = _ring.NextEntry();
        if (entry != null)
            return entry;
        Enter(0, 0);
        return _ring.NextEntry();
    }

    void Enter(uint minComplete, ulong waitNs)
    {
        Fault fault = EnterQuietly(minComplete, waitNs);
        // EAGAIN, EBUSY: the kernel is short of memory or completions wait to be harvested; the entries
        // stay queued and the next turn submits them. EINTR and ETIME end the wait only.
        if (fault.IsFault && fault.Kind != FaultKind.TimedOut)
            Check.That(fault.Errno is Errnos.EINTR or Errnos.EAGAIN or Errnos.EBUSY);
    }

    /// <summary>What is submitted may be carried out in there: on a host's thread, when threads take turns.</summary>
    Fault EnterQuietly(uint minComplete, ulong waitNs)
    {
        if (!_isShared || _ring.UnsubmittedCount == 0)
            return _ring.Enter(minComplete, waitNs);
        using FileSizeSignal.Scope quiet = FileSizeSignal.Block();
        return _ring.Enter(minComplete, waitNs);
    }

    uint Deliver()
    {
        Span<IoUringCqe> completions = stackalloc IoUringCqe[HarvestMax];
        uint delivered = 0;
        int count;
        do
        {
            count = _ring.Harvest(completions);
            for (int i = 0; i < count; i++)
            {
                ulong key = completions[i].UserData;
                if (key >= WatchKey)
                {
                    if (key == WakeKey)
                        OnWoken();
                    else
                        _isWatchArmed = false;
                    continue;
                }
                delivered++;
                if (RingReceives.IsKey(key))
                {
                    _receives.Deliver(key, completions[i].Result);
                    continue;
                }
                Pending pending = _pending.Get(key);
                (IFileIoOwner owner, ulong tag) = (pending.Owner, pending.Tag);
                _pending.Free(key);
                owner.OnFileCompleted(tag, KernelResult.ToFileResult(completions[i].Result));
            }
        } while (count == HarvestMax);
        return delivered;
    }

    void Fill(IoUringSqe* entry, in FileCommand command)
    {
        FileHandle file = command.File;
        if (file.RegisteredIndex < 0 && _hasFileTable)
            RegisterFile(file);
        bool isFixedFile = file.RegisteredIndex >= 0;
        entry->Fd = isFixedFile ? file.RegisteredIndex : file.Fd;
        entry->Flags = isFixedFile ? IoUring.IOSQE_FIXED_FILE : (byte)0;
        switch (command.Operation)
        {
            case FileOperation.Read:
            case FileOperation.Write:
                FillTransfer(entry, command);
                break;
            case FileOperation.Punch:
            case FileOperation.ZeroRange:
            case FileOperation.Discard:
                entry->Opcode = IoUring.IORING_OP_FALLOCATE;
                entry->Offset = command.OffsetBytes;
                entry->Address = command.LengthBytes;
                entry->Length = (uint)FileCalls.AllocateMode(command.Operation);
                break;
            case FileOperation.Flush:
                entry->Opcode = IoUring.IORING_OP_FSYNC;
                entry->FsyncFlags = IoUring.IORING_FSYNC_DATASYNC;
                break;
            case FileOperation.Nop:
                entry->Opcode = IoUring.IORING_OP_NOP;
                entry->Fd = -1;
                entry->Flags = 0;
                break;
            default:
                Check.Fail("file operation " + command.Operation);
                break;
        }
    }

    void FillTransfer(IoUringSqe* entry, in FileCommand command)
    {
        Check.That(command.LengthBytes is > 0 and <= int.MaxValue);
        bool isRead = command.Operation == FileOperation.Read;
        int bufferIndex = FindBuffer((ulong)command.Buffer, command.LengthBytes);
        if (bufferIndex >= 0)
        {
            entry->Opcode = isRead ? IoUring.IORING_OP_READ_FIXED : IoUring.IORING_OP_WRITE_FIXED;
            entry->BufferIndex = (ushort)bufferIndex;
        }
        else
        {
            entry->Opcode = isRead ? IoUring.IORING_OP_READ : IoUring.IORING_OP_WRITE;
        }
        entry->Offset = command.OffsetBytes;
        entry->Address = (ulong)command.Buffer;
        entry->Length = (uint)command.LengthBytes;
        entry->RwFlags = command.IsDurable ? Files.RWF_DSYNC : 0;
        if (command.File.CopiesInKernel)
            entry->Flags |= IoUring.IOSQE_ASYNC;
    }

    int FindBuffer(ulong address, ulong lengthBytes)
    {
        for (int slot = 0; slot < _bufferSlots.Length; slot++)
        {
            ref readonly Extent extent = ref _bufferSlots[slot];
            if (address >= extent.OffsetBytes && address + lengthBytes <= extent.EndBytes)
                return slot;
        }
        return -1;
    }

    void RegisterFile(FileHandle file)
    {
        int index = Array.IndexOf(_fileSlotTaken, false);
        if (index < 0 || !UpdateFile(index, file.Fd))
            return; // a full table or a refusal: the plain descriptor works as well
        _fileSlotTaken[index] = true;
        file.RegisteredIndex = index;
    }

    bool UpdateFile(int index, int fd)
    {
        IoUringFilesUpdate update = new() { Offset = (uint)index, Fds = (ulong)&fd };
        // SAFETY: the kernel reads the structure and the descriptor during the call only.
        return _ring.Register(IoUring.IORING_REGISTER_FILES_UPDATE, &update, 1).IsNone;
    }

    /// <summary>
    /// What cannot be done without blocking the kernel gives to workers of its own, four a processor unless asked for
    /// more. A target that stops answering holds as many as it has requests, and with the last of them every request
    /// of the guest that needs a worker would wait for that target: so there may be one for each command. They exist
    /// only while they are blocked. Kernels before 5.15 refuse, and keep their limit.
    /// </summary>
    void LiftWorkerLimit(uint depth)
    {
        uint* counts = stackalloc uint[2] { depth, 0 }; // SAFETY: of bounded and unbounded work, read during the call
        _ = _ring.Register(IoUring.IORING_REGISTER_IOWQ_MAX_WORKERS, counts, 2);
    }

    bool RegisterFileTable()
    {
        Span<int> empty = stackalloc int[(int)FileSlotsMax];
        empty.Fill(-1);
        fixed (int* fds = empty)
            return _ring.Register(IoUring.IORING_REGISTER_FILES, fds, FileSlotsMax).IsNone;
    }

    bool RegisterBufferTable()
    {
        IoUringRsrcRegister table = new() { Count = BufferSlotsMax, Flags = IoUring.IORING_RSRC_REGISTER_SPARSE };
        return _ring.Register(IoUring.IORING_REGISTER_BUFFERS2, &table, (uint)sizeof(IoUringRsrcRegister)).IsNone;
    }

    Fault UpdateBuffer(uint slot, ulong address, ulong lengthBytes)
    {
        IoVec vector = new() { Base = (void*)address, LengthBytes = (nuint)lengthBytes };
        ulong tag = 0;
        IoUringRsrcUpdate2 update = new()
        {
            Offset = slot,
            Data = (ulong)&vector,
            Tags = (ulong)&tag,
            Count = 1,
        };
        // SAFETY: the kernel reads the three structures during the call only; it pins the pages named by
        // the vector until the slot is cleared or the ring is closed.
        return _ring.Register(IoUring.IORING_REGISTER_BUFFERS_UPDATE, &update, (uint)sizeof(IoUringRsrcUpdate2));
    }
}
