// One io_uring without liburing: set-up, two mapped queues, one call that submits and waits.
//
// The tail of the submission queue and the head of the completion queue are written by this thread only,
// the other two indices by the kernel. Publishing entries is a release store of the tail, which pairs with
// the kernel's acquire load; harvesting is an acquire load of the completion tail, then a release store of
// the head. With DEFER_TASKRUN nothing runs behind our back: completions appear only inside Enter.
//
// Entries go to the kernel two at a time. For more in one call it holds the block layer back until the last one is
// prepared (io_uring.c: IO_PLUG_THRESHOLD), so the device sees them at once, completes them at once, and a client that
// waits for its answers asks for all the next ones at once: a convoy, in which disk and processors wait for each other
// by turns. Costs a call for two entries, which is less than what the better order saves (bench/DECISIONS.md).
// Knows nothing of files, retries or owners.
// Source: io_uring(7), io_uring_setup(2), io_uring_enter(2).
using System;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux.Ring;

/// <summary>What the kernel granted at set-up.</summary>
/// <param name="SetupFlags">IORING_SETUP_* bits in force.</param>
/// <param name="Features">IORING_FEAT_* bits.</param>
/// <param name="SqEntries">Submission entries.</param>
/// <param name="CqEntries">Completion entries.</param>
public readonly record struct RingGrant(uint SetupFlags, uint Features, uint SqEntries, uint CqEntries)
{
    public bool IsDeferred => (SetupFlags & IoUring.IORING_SETUP_DEFER_TASKRUN) != 0;
}

/// <summary>Threads: the one that called <see cref="TryEnable"/>; opening and disposing on any.</summary>
public sealed unsafe class RawRing : IDisposable
{
    /// <summary>Entries that the kernel passes on to a device without waiting for more.</summary>
    const uint PartEntries = 2;

    // --- fixed at construction
    readonly int _fd;
    readonly nint _queues;
    readonly nuint _queuesBytes;
    readonly nint _entries;
    readonly nuint _entriesBytes;
    readonly uint* _sqHead;
    readonly uint* _sqTail;
    readonly uint* _cqHead;
    readonly uint* _cqTail;
    readonly IoUringSqe* _sqes;
    readonly IoUringCqe* _cqes;
    readonly uint _sqMask;
    readonly uint _cqMask;

    // --- touched only by the ring's thread
    uint _sqTailLocal;
    uint _unsubmittedCount;
    bool _isDisposed;

    RawRing(int fd, in IoUringParams granted, nint queues, nuint queuesBytes, nint entries, nuint entriesBytes)
    {
        _fd = fd;
        Grant = new RingGrant(granted.Flags, granted.Features, granted.SqEntries, granted.CqEntries);
        (_queues, _queuesBytes, _entries, _entriesBytes) = (queues, queuesBytes, entries, entriesBytes);
        // SAFETY: the kernel gives offsets inside the mapping that it sized itself.
        byte* start = (byte*)queues;
        _sqHead = (uint*)(start + granted.SqOffsets.Head);
        _sqTail = (uint*)(start + granted.SqOffsets.Tail);
        _sqMask = *(uint*)(start + granted.SqOffsets.RingMask);
        _cqHead = (uint*)(start + granted.CqOffsets.Head);
        _cqTail = (uint*)(start + granted.CqOffsets.Tail);
        _cqMask = *(uint*)(start + granted.CqOffsets.RingMask);
        _cqes = (IoUringCqe*)(start + granted.CqOffsets.Cqes);
        _sqes = (IoUringSqe*)entries;
        uint* array = (uint*)(start + granted.SqOffsets.Array);
        for (uint i = 0; i < granted.SqEntries; i++)
            array[i] = i; // entries are used in ring order, so the indirection is the identity for ever
        _sqTailLocal = *_sqTail;
    }

    public RingGrant Grant { get; }

    public int Fd => _fd;

    /// <summary>Opens a ring that is disabled until <see cref="TryEnable"/>.</summary>
    /// <param name="sqEntries">Submission entries, a power of two; the kernel may grant fewer.</param>
    /// <param name="cqEntries">Completion entries: at least the commands in flight at once.</param>
    /// <param name="ring">The ring, or null after a fault.</param>
    /// <param name="isShared">
    /// Threads may take turns, and completions appear by themselves, so that its descriptor tells of them.
    /// </param>
    public static Fault TryOpen(uint sqEntries, uint cqEntries, out RawRing? ring, bool isShared = false)
    {
        ring = null;
        const uint common = IoUring.IORING_SETUP_CQSIZE | IoUring.IORING_SETUP_CLAMP | IoUring.IORING_SETUP_R_DISABLED;
        ReadOnlySpan<uint> flagSets =
        [
            // Best first: completions only when asked for (6.1), then fewer interruptions (5.19), then any (5.10).
            common
                | IoUring.IORING_SETUP_SUBMIT_ALL
                | IoUring.IORING_SETUP_SINGLE_ISSUER
                | IoUring.IORING_SETUP_DEFER_TASKRUN,
            common | IoUring.IORING_SETUP_SUBMIT_ALL | IoUring.IORING_SETUP_COOP_TASKRUN,
            common,
        ];
        Fault fault = Fault.None;
        foreach (uint flags in isShared ? flagSets[^1..] : flagSets)
        {
            IoUringParams parameters = default;
            parameters.Flags = flags;
            parameters.CqEntries = cqEntries;
            int fd = IoUring.Setup(sqEntries, &parameters);
            if (fd >= 0)
                return TryMap(fd, parameters, out ring);
            int errno = Marshal.GetLastPInvokeError();
            fault = Errnos.ToFault(errno);
            if (errno != Errnos.EINVAL)
                break;
        }
        return fault;
    }

    /// <summary>
    /// Whether this process may really use rings: a sandbox can allow set-up and refuse the rest, which would come
    /// to light in the middle of a job. Opens a small one, sends a no-op through it, closes it.
    /// </summary>
    public static Fault TryUse()
    {
        Fault fault = TryOpen(2, 2, out RawRing? ring);
        if (fault.IsFault)
            return fault;
        using (ring)
        {
            fault = ring!.TryEnable();
            if (fault.IsFault)
                return fault;
            IoUringSqe* entry = ring.NextEntry();
            entry->Opcode = IoUring.IORING_OP_NOP;
            entry->Fd = -1;
            fault = ring.Enter(1, Units.NsPerSecond);
            return fault.IsNone && !ring.HasCompletions ? new Fault(FaultKind.Unsupported) : fault;
        }
    }

    /// <summary>Makes the calling thread the ring's thread.</summary>
    public Fault TryEnable() => Register(IoUring.IORING_REGISTER_ENABLE_RINGS, null, 0);

    /// <summary>io_uring_register(2) on this ring.</summary>
    public Fault Register(uint opcode, void* argument, uint count) =>
        IoUring.Register(_fd, opcode, argument, count) < 0 ? Errnos.ToFault(Marshal.GetLastPInvokeError()) : Fault.None;

    /// <summary>The next free entry, zeroed, or null when the queue is full: Enter first.</summary>
    public IoUringSqe* NextEntry()
    {
        if (_sqTailLocal - Volatile.Read(ref *_sqHead) > _sqMask)
            return null;
        IoUringSqe* entry = &_sqes[_sqTailLocal & _sqMask];
        *entry = default;
        _sqTailLocal++;
        _unsubmittedCount++;
        return entry;
    }

    public uint UnsubmittedCount => _unsubmittedCount;

    /// <summary>io_uring_enter(2) made, for tests of work done.</summary>
    public ulong EnterCount { get; private set; }

    public bool HasCompletions => Volatile.Read(ref *_cqTail) != *_cqHead;

    /// <summary>Submits every new entry and waits.</summary>
    /// <param name="minComplete">Completions to wait for; 0 = none.</param>
    /// <param name="timeoutNs">Longest wait; ulong.MaxValue = for ever.</param>
    /// <returns>None; TimedOut; or the errno, EAGAIN, EBUSY and EINTR included (nothing is lost: call again).</returns>
    public Fault Enter(uint minComplete, ulong timeoutNs)
    {
        Volatile.Write(ref *_sqTail, _sqTailLocal);
        while (_unsubmittedCount > PartEntries)
        {
            Fault fault = Submit(PartEntries, 0, 0, null);
            if (fault.IsFault)
                return fault;
        }
        KernelTimespec timespec = new()
        {
            Seconds = (long)(timeoutNs / Units.NsPerSecond),
            Nanoseconds = (long)(timeoutNs % Units.NsPerSecond),
        };
        IoUringGetEventsArg argument = default;
        bool hasTimeout = minComplete > 0 && timeoutNs != ulong.MaxValue;
        // SAFETY: the kernel reads both structures during the call only.
        argument.Timespec = hasTimeout ? (ulong)&timespec : 0;
        uint flags = IoUring.IORING_ENTER_GETEVENTS | (hasTimeout ? IoUring.IORING_ENTER_EXT_ARG : 0);
        return Submit(_unsubmittedCount, minComplete, flags, hasTimeout ? &argument : null);
    }

    Fault Submit(uint count, uint minComplete, uint flags, IoUringGetEventsArg* argument)
    {
        EnterCount++;
        nuint argumentBytes = argument == null ? 0 : (nuint)sizeof(IoUringGetEventsArg);
        int submitted = IoUring.Enter(_fd, count, minComplete, flags, argument, argumentBytes);
        if (submitted < 0)
            return Errnos.ToFault(Marshal.GetLastPInvokeError());
        Check.That((uint)submitted <= count);
        _unsubmittedCount -= (uint)submitted;
        // None taken: what calls again must not do so for ever.
        return submitted == 0 && count > 0 ? Errnos.ToFault(Errnos.EAGAIN) : Fault.None;
    }

    /// <summary>Moves completions out of the ring.</summary>
    /// <param name="completions">Filled from the start.</param>
    /// <returns>How many were moved.</returns>
    public int Harvest(Span<IoUringCqe> completions)
    {
        uint head = *_cqHead;
        uint available = Volatile.Read(ref *_cqTail) - head;
        int count = (int)Math.Min(available, (uint)completions.Length);
        for (int i = 0; i < count; i++)
            completions[i] = _cqes[(head + (uint)i) & _cqMask];
        Volatile.Write(ref *_cqHead, head + (uint)count);
        return count;
    }

    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        Check.That(Libc.Munmap(_entries, _entriesBytes) == 0);
        Check.That(Libc.Munmap(_queues, _queuesBytes) == 0);
        Check.That(Files.Close(_fd) == 0);
    }

    static Fault TryMap(int fd, in IoUringParams granted, out RawRing? ring)
    {
        ring = null;
        const uint needed = IoUring.IORING_FEAT_SINGLE_MMAP | IoUring.IORING_FEAT_NODROP | IoUring.IORING_FEAT_EXT_ARG;
        if ((granted.Features & needed) != needed)
        {
            _ = Files.Close(fd);
            return new Fault(FaultKind.Unsupported, Errnos.ENOSYS); // before Linux 5.11
        }
        ulong sqBytes = granted.SqOffsets.Array + granted.SqEntries * sizeof(uint);
        ulong cqBytes = granted.CqOffsets.Cqes + granted.CqEntries * (ulong)sizeof(IoUringCqe);
        nuint queuesBytes = (nuint)Math.Max(sqBytes, cqBytes);
        nuint entriesBytes = granted.SqEntries * (nuint)sizeof(IoUringSqe);
        const int protection = Libc.PROT_READ | Libc.PROT_WRITE;
        const int flags = Libc.MAP_SHARED | Libc.MAP_POPULATE;
        nint queues = Libc.Mmap(0, queuesBytes, protection, flags, fd, IoUring.IORING_OFF_SQ_RING);
        nint entries = Libc.Mmap(0, entriesBytes, protection, flags, fd, IoUring.IORING_OFF_SQES);
        if (queues == Libc.MapFailed || entries == Libc.MapFailed)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (queues != Libc.MapFailed)
                _ = Libc.Munmap(queues, queuesBytes);
            if (entries != Libc.MapFailed)
                _ = Libc.Munmap(entries, entriesBytes);
            _ = Files.Close(fd);
            return new Fault(FaultKind.NoMemory, errno);
        }
        ring = new RawRing(fd, granted, queues, queuesBytes, entries, entriesBytes);
        return Fault.None;
    }
}
