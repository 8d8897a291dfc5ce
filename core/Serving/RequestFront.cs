// A device in front of something that takes only so many requests at once, or may refuse one at the door: what finds no
// room waits here, first come first served, and every request gets its one completion, never inside Submit.
// Cost: O(1) a request; allocates when more wait than ever before.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's.</summary>
public abstract class RequestFront : IBlockDevice, ILoopTask
{
    sealed class Slot
    {
        public IBlockOwner Owner = null!;
        public ulong UserData;
        public BlockResult Result;
    }

    readonly IIoLoop _loop;
    readonly SlotTable<Slot> _slots;
    readonly Queue<BlockRequest> _waiting = new();
    readonly Queue<ulong> _ended = new(); // completions that may not run inside Submit
    bool _isDeferred;
    bool _isLeaving;

    /// <param name="loop">Drives it.</param>
    /// <param name="atOnceMax">Requests that are let through at a time.</param>
    protected RequestFront(IIoLoop loop, uint atOnceMax) => (_loop, _slots) = (loop, new SlotTable<Slot>(atOnceMax));

    public abstract string Name { get; }

    public abstract BlockLimits Limits { get; }

    public virtual StorageIdentity? Storage => null;

    public uint InFlightCount => _slots.TakenCount + (uint)_waiting.Count;

    public bool ReadsAsZero => false;

    public virtual void Submit(in BlockRequest request)
    {
        if (_waiting.Count > 0 || !TryBegin(request))
            _waiting.Enqueue(request);
    }

    public void Promote(IBlockOwner owner, ulong userData) { } // all of them are of one lane

    public void Dispose()
    {
        Check.That(InFlightCount == 0);
        OnClosed();
        GC.SuppressFinalize(this); // nobody has one
    }

    public void DisposeWhenIdle()
    {
        _isLeaving = true;
        OnLeaving();
        if (InFlightCount == 0)
            Dispose();
    }

    /// <summary>What is under way is wanted by nobody any more; <see cref="OnClosed"/> follows its end.</summary>
    protected virtual void OnLeaving() { }

    /// <summary>The end: nothing is in flight.</summary>
    protected virtual void OnClosed() { }

    /// <summary>Hands a request on; its end comes by <see cref="Finish"/>.</summary>
    /// <returns>None; QueueFull: later; else why it is refused.</returns>
    protected abstract Fault HandOn(in BlockRequest request, ulong key);

    /// <summary>As <see cref="Finish"/>, inside <see cref="HandOn"/>.</summary>
    protected void FinishLater(ulong key, in BlockResult result)
    {
        _slots.Get(key).Result = result;
        _ended.Enqueue(key);
        DeferOnce(isWanted: true);
    }

    /// <summary>A request that was handed on has ended.</summary>
    protected void Finish(ulong key, in BlockResult result)
    {
        End(key, result);
        DeferOnce(_waiting.Count > 0);
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        while (_ended.TryDequeue(out ulong key))
            End(key, _slots.Get(key).Result);
        while (_waiting.TryPeek(out BlockRequest request) && TryBegin(request))
            _ = _waiting.Dequeue();
        // Others may have all the room there is: nobody would wake this one.
        DeferOnce(_waiting.Count > 0 && _slots.TakenCount == 0);
    }

    bool TryBegin(in BlockRequest request)
    {
        if (!_slots.TryTake(out ulong key, out Slot slot))
            return false;
        (slot.Owner, slot.UserData) = (request.Owner, request.UserData);
        Fault fault = HandOn(request, key);
        if (fault.Kind == FaultKind.QueueFull)
        {
            _slots.Free(key);
            return false;
        }
        if (fault.IsFault)
            FinishLater(key, new BlockResult(fault));
        return true;
    }

    void End(ulong key, in BlockResult result)
    {
        Slot slot = _slots.Get(key);
        (IBlockOwner owner, ulong userData) = (slot.Owner, slot.UserData);
        _slots.Free(key);
        owner.OnBlockCompleted(userData, result);
        if (_isLeaving && InFlightCount == 0)
            Dispose();
    }

    void DeferOnce(bool isWanted)
    {
        if (!isWanted || _isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }
}
