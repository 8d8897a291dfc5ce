// A device that the host brings: requests go out as calls of its submit function, answers come back by
// fb_device_complete, on any thread, at any time, or at once as the value that submit returns.
//
// The calls are made on the reactor's thread, or by the thread that polls a queue of the host's choice. Either way an
// answer travels through a ring to the reactor, which alone touches requests. A token that was used is never accepted
// again. What waits for the host to end something goes by lane (see RequestLanes): a guest's write that needs a copy
// comes before readers of snapshots and jobs, of which the host has a few at a time only.
//
// Does not align: a host that asks for an alignment gets only requests that have it. Zeroes and discards that
// the host did not offer are written as zeroes, or dropped. A device that was closed while the host had requests makes
// no call any more and ends with the last of them.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Native.Errors;
using FastBackup.Native.Header;
using FastBackup.Native.Structs;
using FastBackup.Ports;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's; TryComplete any; MakeCalls the queue's.</summary>
sealed class HostDevice : IBlockDevice, IQueueCaller, ILoopTask
{
    const ulong ZeroBytes = Units.MiB;

    public const uint FlagsKnown =
        Fb.HostDeviceReadOnly | Fb.HostDeviceZeroed | Fb.HostDeviceWriteZeroes | Fb.HostDeviceDiscard;

    readonly IIoLoop _loop;
    readonly DeviceOpsStruct _ops;
    readonly QueueObject? _queue;
    readonly HostRequest[] _requests;
    readonly Stack<uint> _free;
    readonly RequestLanes _lanes; // what waits for a slot or for the share of its lane
    readonly ConcurrentRing<uint> _calls; // to be made by the queue's thread
    readonly ConcurrentRing<uint> _ended; // to be seen by the reactor
    readonly AlignedRegion _zeroes;
    readonly StandingPost _post;
    int _isReleased;
    Action? _onIdle; // closed: to be called when nothing is in flight any more

    public HostDevice(IIoLoop loop, in DeviceOpsStruct ops, QueueObject? queue)
    {
        (_loop, _ops, _queue) = (loop, ops, queue);
        Limits = new BlockLimits
        {
            CapacityBytes = ops.CapacityBytes,
            RequestAlignBytes = ops.RequestAlign,
            BufferAlignBytes = ops.RequestAlign,
            IsZeroInitialised = (ops.Flags & Fb.HostDeviceZeroed) != 0,
            IsReadOnly = (ops.Flags & Fb.HostDeviceReadOnly) != 0,
            InFlightMax = ops.InFlightMax,
        };
        ReadsAsZero = Limits.IsZeroInitialised;
        _post = new StandingPost(this);
        _lanes = new RequestLanes(ops.InFlightMax, ops.LowerInFlightMax);
        uint capacity = System.Numerics.BitOperations.RoundUpToPowerOf2(ops.InFlightMax);
        _calls = new ConcurrentRing<uint>(capacity);
        _ended = new ConcurrentRing<uint>(capacity);
        _requests = new HostRequest[ops.InFlightMax];
        _free = new Stack<uint>(_requests.Length);
        for (uint i = 0; i < _requests.Length; i++)
        {
            _requests[i] = new HostRequest(i);
            _free.Push(i);
        }
        _zeroes = AlignedRegion.Map(ZeroBytes, RegionResidency.Lazy);
        queue?.AddCaller(this);
    }

    public string Name => "the host's device";

    public BlockLimits Limits { get; private set; }

    /// <inheritdoc/>
    public Fault Grow(ulong capacityBytes)
    {
        Limits = Limits with { CapacityBytes = capacityBytes };
        return Fault.None;
    }

    public bool ReadsAsZero { get; private set; }

    public uint InFlightCount => (uint)(_requests.Length - _free.Count) + _lanes.WaitingCount;

    public bool HasCalls => !_calls.IsEmpty;

    public void Submit(in BlockRequest request)
    {
        if (request.Operation.IsWrite())
            ReadsAsZero = false;
        if (_lanes.TryBegin(request.Lane, isDeviceFull: _free.Count == 0))
            Begin(_requests[_free.Pop()], request);
        else
            _lanes.Wait(request);
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        if (_lanes.TryPromote(owner, userData, out BlockRequest request))
            Submit(request);
    }

    void Begin(HostRequest slot, in BlockRequest request)
    {
        (slot.Request, slot.DoneBytes, slot.PartBytes, slot.IsInLane) = (request, 0, 0, true);
        slot.Fault = Check(request);
        if (slot.Fault.IsNone && IsForHost(request))
            Call(slot);
        else
            EndLater(slot);
    }

    Fault Check(in BlockRequest request)
    {
        bool isWrite = request.Operation.IsWrite();
        if (isWrite && Limits.IsReadOnly)
            return new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes);
        if (request.Operation == BlockOperation.Flush)
            return Fault.None;
        if (!new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes))
            return new Fault(FaultKind.Range, 0, request.OffsetBytes);
        bool isAligned = Units.IsAligned(request.OffsetBytes | request.LengthBytes, Limits.RequestAlignBytes);
        return isAligned ? Fault.None : new Fault(FaultKind.Align, 0, request.OffsetBytes);
    }

    /// <summary>Whether the host has anything to do for it.</summary>
    bool IsForHost(in BlockRequest request) =>
        request.Operation switch
        {
            BlockOperation.Map => false, // answers nothing: all is data
            BlockOperation.Flush => true,
            BlockOperation.Discard => request.LengthBytes > 0 && (_ops.Flags & Fb.HostDeviceDiscard) != 0,
            _ => request.LengthBytes > 0,
        };

    void Call(HostRequest slot)
    {
        slot.Arm();
        if (_queue == null)
        {
            MakeCall(slot);
            return;
        }
        _calls.Put(slot.Index);
        _queue.Signal();
    }

    /// <summary>Makes the calls that wait for the queue's thread.</summary>
    public void MakeCalls()
    {
        while (_calls.TryTake(out uint index))
            MakeCall(_requests[index]);
    }

    unsafe void MakeCall(HostRequest slot)
    {
        ulong token = slot.Token;
        IoRequestStruct call = Describe(slot, token);
        // SAFETY: the host's function, valid until its release was called; the request is a local of ours.
        int status = _ops.Submit(_ops.Context, &call);
        if (status == Status.Pending)
            return;
        _ = TryComplete(token, status, status < 0 ? Errnos.EIO : 0);
        if (_queue == null && slot.PartBytes == 0)
            LeaveLane(slot); // nobody waits behind what the host has no more, although it is answered in the next turn
    }

    unsafe IoRequestStruct Describe(HostRequest slot, ulong token)
    {
        ref BlockRequest request = ref slot.Request;
        IoRequestStruct call = new()
        {
            Token = token,
            Offset = request.OffsetBytes,
            Length = request.LengthBytes,
            Buffer = (void*)request.Buffer, // SAFETY: the requester owns it until the completion
            Operation = (uint)request.Operation,
            Flags = (uint)(request.Flags & (BlockFlags.Fua | BlockFlags.MayUnmap)),
        };
        if (request.Operation == BlockOperation.WriteZeroes && (_ops.Flags & Fb.HostDeviceWriteZeroes) == 0)
        {
            slot.PartBytes = Math.Min(ZeroBytes, request.LengthBytes - slot.DoneBytes);
            call.Operation = (uint)BlockOperation.Write;
            call.Offset += slot.DoneBytes;
            call.Length = slot.PartBytes;
            call.Buffer = _zeroes.Pointer;
            call.Flags &= (uint)BlockFlags.Fua;
        }
        if (request.Operation is not (BlockOperation.Read or BlockOperation.Write) && slot.PartBytes == 0)
            call.Buffer = null;
        return call;
    }

    /// <summary>The host's answer. Threads: any.</summary>
    /// <returns>False: no such call is open.</returns>
    public bool TryComplete(ulong token, int status, int sysErrno)
    {
        uint index = (uint)token & 0xFFFFFF;
        if (index >= (uint)_requests.Length || !_requests[index].TryEnd(token))
            return false;
        HostRequest slot = _requests[index];
        if (status != Status.Ok)
            slot.Fault = new Fault(KindOf(status, sysErrno), sysErrno, slot.Request.OffsetBytes);
        EndLater(slot);
        return true;
    }

    static FaultKind KindOf(int status, int sysErrno)
    {
        FaultKind named = Errnos.Classify(sysErrno);
        return status == Status.Io && named != FaultKind.None ? named : Status.ToFaultKind(status);
    }

    void EndLater(HostRequest slot)
    {
        _ended.Put(slot.Index);
        _loop.Post(_post);
    }

    /// <summary>On the reactor's thread: requests that were answered.</summary>
    void ILoopTask.Run(ulong argument)
    {
        // Those that end inside submit are followed by others at once: what comes on end waits for the next turn.
        for (int count = _requests.Length; count > 0 && _ended.TryTake(out uint index); count--)
        {
            HostRequest slot = _requests[index];
            slot.DoneBytes += slot.PartBytes;
            bool isPart = slot.PartBytes > 0 && slot.DoneBytes < slot.Request.LengthBytes;
            if (slot.Fault.IsNone && isPart && _onIdle != null)
                slot.Fault = new Fault(FaultKind.Canceled);
            if (slot.Fault.IsNone && isPart)
                Call(slot);
            else
                Finish(slot);
        }
        if (!_ended.IsEmpty)
            _loop.Post(_post);
    }

    void ILoopTask.Abandon(ulong argument)
    {
        // The loop has failed: nobody waits for these requests any more.
    }

    void Finish(HostRequest slot)
    {
        (IBlockOwner owner, ulong userData, Fault fault) = (slot.Request.Owner, slot.Request.UserData, slot.Fault);
        LeaveLane(slot);
        slot.Request = default;
        _free.Push(slot.Index);
        while (_free.Count > 0 && _lanes.TryNext(out BlockRequest next))
            Begin(_requests[_free.Pop()], next);
        owner.OnBlockCompleted(userData, new BlockResult(fault));
        if (_onIdle != null && InFlightCount == 0)
            End();
    }

    /// <summary>The reactor's thread; once for each request counts.</summary>
    void LeaveLane(HostRequest slot)
    {
        if (!slot.IsInLane)
            return;
        slot.IsInLane = false;
        _lanes.End(slot.Request.Lane);
    }

    /// <summary>
    /// As Dispose and Release, but after the last request that the host has. Nothing may be submitted any more.
    /// </summary>
    /// <param name="onIdle">Called before the release, on the reactor's thread.</param>
    public void DisposeWhenIdle(Action onIdle)
    {
        Base.Check.That(InFlightCount > 0);
        _onIdle = onIdle;
        _queue?.RemoveCaller(this);
        // What the host has not been asked yet, it is not asked any more.
        while (_calls.TryTake(out uint index))
            _ = TryComplete(_requests[index].Token, Status.Canceled, 0);
        while (_lanes.TryDrop(out BlockRequest request))
            request.Owner.OnBlockCompleted(request.UserData, new BlockResult(new Fault(FaultKind.Canceled)));
    }

    void End()
    {
        _onIdle!();
        _zeroes.Dispose();
        Release();
    }

    /// <summary>The reactor has ended, the host has requests for ever: they may use what they were given.</summary>
    public void Abandon()
    {
        _zeroes.Leak();
        Release();
    }

    public void Dispose()
    {
        Base.Check.That(InFlightCount == 0 || _loop.HasFailed);
        _queue?.RemoveCaller(this);
        _zeroes.Dispose();
    }

    /// <summary>Tells the host that no call comes any more, once.</summary>
    public unsafe void Release()
    {
        if (Interlocked.Exchange(ref _isReleased, 1) == 0 && _ops.Release != null)
            _ops.Release(_ops.Context); // SAFETY: the host's function, called once
    }
}
