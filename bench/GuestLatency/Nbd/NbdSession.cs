// The transmission phase of one connection: a guest's requests become requests of a disk in device mode, and their
// completions replies. What an iothread of a hypervisor does, with a socket in place of a queue of descriptors.
//
//   reader   one thread: takes whatever the socket has into a staging buffer (many small requests in one call),
//            copies each payload to its slot's page-aligned memory, so that the disk can use O_DIRECT, and submits
//   reactor  completion: the reply goes into the queue; all that completed in one turn of the loop leave in one
//            send at the begin of the next, before the loop can wait. A read's header lies directly in front of its
//            content, so header and content are one piece of memory.
//
// The reactor never waits for a client: a socket that is full is tried again by a timer, with all slots in use
// the reader stops reading, and a client that has gone away is sent nothing more. The session ends when the reader
// has ended and every slot has come back. Nothing is allocated between begin and end.
using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Runtime;
using FastBackup.Tests.Nbd;

namespace FastBackup.Bench.GuestLatency.Nbd;

/// <summary>Threads: Run the connection's, which becomes the reader; the rest the reactor's.</summary>
sealed unsafe class NbdSession : IGuestOwner, ILoopTask, IDisposable
{
    public const uint PayloadBytesMax = (uint)(256 * Units.KiB);
    const uint SlotCount = 64;
    const uint StagingBytes = (uint)(128 * Units.KiB);
    const ulong SendRetryNs = 100 * Units.NsPerUs;
    const ulong FlushArgument = ulong.MaxValue;
    const int GoneLimitMs = 10_000;

    // --- fixed at construction. SAFETY: every pointer below is into one of these regions, which Dispose unmaps
    // when no slot is in use and no task of the session can run any more.
    readonly Reactor _reactor;
    readonly Disk _disk;
    readonly int _fd;
    readonly AlignedRegion _payloads; // a slot: one page, whose end holds the reply's header, then the payload
    readonly AlignedRegion _staging;
    readonly AlignedRegion _batch;
    readonly NbdSlot[] _slots = new NbdSlot[SlotCount];
    readonly ConcurrentRing<uint> _free = new(SlotCount);

    // --- any thread
    int _busyCount;

    // --- the reader's
    uint _stagedFrom;
    uint _stagedTo;

    // --- the reactor's
    readonly BoundedQueue<uint> _plain = new(SlotCount); // replies without content
    readonly BoundedQueue<uint> _withContent = new(SlotCount);
    bool _isFlushDeferred;
    bool _isGone;
    ulong _retryKey;
    byte* _sending;
    uint _sendingBytes;
    uint _sendingSlot = SlotCount; // which slot's memory is being sent; SlotCount: the batch's

    public NbdSession(Reactor reactor, Disk disk, int fd)
    {
        (_reactor, _disk, _fd) = (reactor, disk, fd);
        _payloads = AlignedRegion.Map(SlotCount * SlotBytes, RegionResidency.Resident);
        _staging = AlignedRegion.Map(StagingBytes, RegionResidency.Resident);
        _batch = AlignedRegion.Map(SlotCount * NbdWire.ReplyBytes, RegionResidency.Resident);
        for (uint i = 0; i < SlotCount; i++)
            Check.That(_free.TryPut(i));
    }

    static ulong SlotBytes => AlignedRegion.PageBytes + PayloadBytesMax;

    /// <summary>Serves the client until it leaves or is hung up on, and until its last request is done.</summary>
    public void Run()
    {
        while (TryServeOne()) { }
        for (int waitedMs = 0; Volatile.Read(ref _busyCount) > 0 && !_reactor.HasFailed; waitedMs++)
        {
            if (waitedMs == GoneLimitMs)
                _reactor.Invoke(() => _isGone = true); // it has asked to end, and does not read what it asked for
            Thread.Sleep(1);
        }
    }

    public void Dispose()
    {
        if (_reactor.HasFailed)
        {
            _payloads.Leak(); // no reply will ever be sent, and the kernel may still write to it
            return;
        }
        Check.That(Volatile.Read(ref _busyCount) == 0);
        _reactor.Invoke(() =>
        {
            if (_retryKey != 0)
                _reactor.CancelTimer(_retryKey);
        });
        _reactor.Invoke(() => { }); // a turn later no deferred flush is left
        _payloads.Dispose();
        _staging.Dispose();
        _batch.Dispose();
    }

    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        ref NbdSlot slot = ref _slots[userData];
        if (fault.IsFault)
            (slot.Error, slot.ReplyPayloadBytes) = (ToError(fault), 0);
        Answer((uint)userData);
    }

    /// <summary>On the reactor's thread: a reply that needs no disk, or the time to send.</summary>
    public void Run(ulong argument)
    {
        if (argument != FlushArgument)
        {
            Answer((uint)argument);
            return;
        }
        _isFlushDeferred = false;
        Flush();
    }

    // ----------------------------------------------------------------------------------------- the reader

    /// <returns>False at the end of the connection.</returns>
    bool TryServeOne()
    {
        if (!TryStage(NbdWire.RequestBytes))
            return false;
        ReadOnlySpan<byte> header = _staging.Slice(_stagedFrom, NbdWire.RequestBytes);
        _stagedFrom += NbdWire.RequestBytes;
        if (BinaryPrimitives.ReadUInt32BigEndian(header) != NbdWire.RequestMagic)
            return false;
        ushort flags = BinaryPrimitives.ReadUInt16BigEndian(header[4..]);
        ushort command = BinaryPrimitives.ReadUInt16BigEndian(header[6..]);
        ulong cookie = MemoryMarshal.Read<ulong>(header[8..]);
        GuestRequest request = default;
        request.OffsetBytes = BinaryPrimitives.ReadUInt64BigEndian(header[16..]);
        request.LengthBytes = BinaryPrimitives.ReadUInt32BigEndian(header[24..]);
        if (command == NbdWire.CommandDisconnect)
            return false;
        uint index = TakeSlot();
        ref NbdSlot slot = ref _slots[index];
        (slot.Cookie, slot.Error, slot.ReplyPayloadBytes) = (cookie, 0, 0);
        request.Buffer = (nint)Payload(index);
        request.Owner = this;
        request.UserData = index;
        bool isTooLong = request.LengthBytes > PayloadBytesMax;
        if (command == NbdWire.CommandWrite && !TryTakePayload(isTooLong ? null : Payload(index), request.LengthBytes))
        {
            Free(index);
            return false;
        }
        if (TryTranslate(command, flags, ref request))
        {
            if (command == NbdWire.CommandRead)
                slot.ReplyPayloadBytes = (uint)request.LengthBytes;
            Submit(index, command, request);
        }
        else
            Refuse(index, NbdWire.ErrorInvalid);
        return true;
    }

    static bool TryTranslate(ushort command, ushort flags, ref GuestRequest request)
    {
        if ((flags & NbdWire.FlagFua) != 0)
            request.Flags |= BlockFlags.Fua;
        bool fits = request.LengthBytes is > 0 and <= PayloadBytesMax;
        switch (command)
        {
            case NbdWire.CommandRead:
                request.Operation = BlockOperation.Read;
                return fits;
            case NbdWire.CommandWrite:
                request.Operation = BlockOperation.Write;
                return fits;
            case NbdWire.CommandTrim:
                request.Operation = BlockOperation.Discard;
                return request.LengthBytes > 0;
            case NbdWire.CommandWriteZeroes:
                request.Operation = BlockOperation.WriteZeroes;
                if ((flags & NbdWire.FlagNoHole) == 0)
                    request.Flags |= BlockFlags.MayUnmap;
                return request.LengthBytes > 0;
            case NbdWire.CommandFlush:
                request.Operation = BlockOperation.Flush;
                (request.OffsetBytes, request.LengthBytes) = (0, 0);
                return true;
            default:
                return false;
        }
    }

    void Submit(uint index, ushort command, in GuestRequest request)
    {
        while (true)
        {
            Fault fault = _disk.Submit(request);
            if (fault.IsNone)
                return;
            if (fault.Kind == FaultKind.QueueFull && !_reactor.HasFailed)
            {
                Thread.Yield();
                continue;
            }
            _slots[index].ReplyPayloadBytes = 0;
            bool isPastEnd = fault.Kind == FaultKind.Range && command != NbdWire.CommandRead;
            Refuse(index, isPastEnd ? NbdWire.ErrorNoSpace : ToError(fault));
            return;
        }
    }

    void Refuse(uint index, uint error)
    {
        _slots[index].Error = error;
        while (!_reactor.TryPost(this, index) && !_reactor.HasFailed)
            Thread.Yield();
    }

    uint TakeSlot()
    {
        SpinWait wait = default;
        uint index;
        while (!_free.TryTake(out index))
            wait.SpinOnce();
        Interlocked.Increment(ref _busyCount);
        return index;
    }

    /// <summary>Brings at least so many bytes into the staging buffer.</summary>
    bool TryStage(uint neededBytes)
    {
        if (_stagedTo - _stagedFrom >= neededBytes)
            return true;
        // What is left is less than one header: moving it costs nothing.
        _staging.Slice(_stagedFrom, (int)(_stagedTo - _stagedFrom)).CopyTo(_staging.Slice(0, (int)StagingBytes));
        (_stagedFrom, _stagedTo) = (0, _stagedTo - _stagedFrom);
        while (_stagedTo < neededBytes)
        {
            nint count = Receive(_staging.Pointer + _stagedTo, StagingBytes - _stagedTo);
            if (count <= 0)
                return false;
            _stagedTo += (uint)count;
        }
        return true;
    }

    /// <param name="payload">Where to; null drops it.</param>
    /// <param name="lengthBytes">Of the request's payload.</param>
    bool TryTakePayload(byte* payload, ulong lengthBytes)
    {
        while (lengthBytes > 0)
        {
            ulong countBytes = Math.Min(lengthBytes, _stagedTo - _stagedFrom);
            if (countBytes > 0 && payload != null)
                Buffer.MemoryCopy(_staging.Pointer + _stagedFrom, payload, countBytes, countBytes);
            _stagedFrom += (uint)countBytes;
            lengthBytes -= countBytes;
            if (payload != null)
                payload += countBytes;
            if (lengthBytes == 0)
                break;
            if (lengthBytes < StagingBytes / 2 || payload == null)
            {
                if (!TryStage(1)) // with what follows the payload
                    return false;
                continue;
            }
            nint direct = Receive(payload, (nuint)lengthBytes);
            if (direct <= 0)
                return false;
            payload += direct;
            lengthBytes -= (ulong)direct;
        }
        return true;
    }

    nint Receive(byte* buffer, nuint lengthBytes)
    {
        nint count;
        do count = SocketCalls.Receive(_fd, buffer, lengthBytes);
        while (count < 0 && Marshal.GetLastPInvokeError() == Errnos.EINTR);
        return count;
    }

    // ----------------------------------------------------------------------------------------- the reactor

    void Answer(uint index)
    {
        (_slots[index].ReplyPayloadBytes > 0 ? _withContent : _plain).Enqueue(index);
        if (_isFlushDeferred || _retryKey != 0)
            return;
        _isFlushDeferred = true;
        _reactor.Defer(this, FlushArgument);
    }

    void Flush()
    {
        _retryKey = 0;
        while (_sendingBytes > 0 || TryNextPiece())
        {
            nint count = _isGone ? (nint)_sendingBytes : SocketCalls.TrySend(_fd, _sending, _sendingBytes);
            if (count < 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                if (errno == Errnos.EAGAIN)
                {
                    _retryKey = _reactor.StartTimer(_reactor.Clock.NowNs + SendRetryNs, this, FlushArgument);
                    return;
                }
                _isGone |= errno != Errnos.EINTR;
                continue;
            }
            _sending += count;
            _sendingBytes -= (uint)count;
            if (_sendingBytes > 0 || _sendingSlot == SlotCount)
                continue;
            Free(_sendingSlot);
            _sendingSlot = SlotCount;
        }
    }

    /// <summary>The next piece of memory to send: all replies without content that wait, else one with.</summary>
    bool TryNextPiece()
    {
        _sending = _batch.Pointer;
        _sendingBytes = 0;
        while (_plain.TryDequeue(out uint plain))
        {
            WriteReply(_batch.Pointer + _sendingBytes, _slots[plain]);
            _sendingBytes += NbdWire.ReplyBytes;
            Free(plain);
        }
        if (_sendingBytes > 0)
            return true;
        if (!_withContent.TryDequeue(out uint index))
            return false;
        _sending = Payload(index) - NbdWire.ReplyBytes;
        _sendingSlot = index;
        _sendingBytes = NbdWire.ReplyBytes + _slots[index].ReplyPayloadBytes;
        WriteReply(_sending, _slots[index]);
        return true;
    }

    static void WriteReply(byte* at, in NbdSlot slot)
    {
        Span<byte> reply = new(at, NbdWire.ReplyBytes);
        BinaryPrimitives.WriteUInt32BigEndian(reply, NbdWire.ReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(reply[4..], slot.Error);
        MemoryMarshal.Write(reply[8..], slot.Cookie);
    }

    void Free(uint index)
    {
        Check.That(_free.TryPut(index));
        Interlocked.Decrement(ref _busyCount);
    }

    byte* Payload(uint index) => _payloads.Pointer + index * SlotBytes + AlignedRegion.PageBytes;

    static uint ToError(Fault fault) =>
        fault.Kind switch
        {
            FaultKind.Range or FaultKind.Invalid => NbdWire.ErrorInvalid,
            FaultKind.NoSpace => NbdWire.ErrorNoSpace,
            FaultKind.NoMemory => NbdWire.ErrorNoMemory,
            _ => NbdWire.ErrorIo,
        };
}
