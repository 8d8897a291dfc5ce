// Our target for the slow and the hung scenarios: a device in memory that takes so many bytes a second and no more,
// or stops answering altogether until it is told to go on. As nbdkit's rate filter does for QEMU, a write waits for
// its turn before it is done; half a second's worth may come at once after a rest.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: the reactor's. Owns the device.</summary>
sealed class LimitedDevice : IBlockDevice, ILoopTask
{
    public const double BurstSeconds = 0.5;

    readonly IIoLoop _loop;
    readonly IBlockDevice _device;
    readonly ulong _bytesPerSecond;
    readonly BlockRequest[] _held;
    readonly Stack<uint> _free = new();
    readonly Queue<uint> _frozen = new();
    ulong _freeFromNs; // when the bytes that were let through so far have been worked off
    bool _isFrozen;

    public LimitedDevice(IIoLoop loop, IBlockDevice device, ulong bytesPerSecond)
    {
        (_loop, _device, _bytesPerSecond) = (loop, device, bytesPerSecond);
        _held = new BlockRequest[device.Limits.InFlightMax];
        for (uint i = 0; i < _held.Length; i++)
            _free.Push(i);
    }

    public string Name => _device.Name;

    public BlockLimits Limits => _device.Limits;

    public uint InFlightCount => _device.InFlightCount + (uint)(_held.Length - _free.Count);

    public bool ReadsAsZero => _device.ReadsAsZero;

    public void Submit(in BlockRequest request)
    {
        ulong nowNs = _loop.Clock.NowNs;
        ulong dueNs = nowNs;
        if (request.Operation == BlockOperation.Write)
        {
            ulong burstNs = (ulong)(BurstSeconds * Units.NsPerSecond);
            ulong earliestNs = nowNs > burstNs ? nowNs - burstNs : 0;
            _freeFromNs = Math.Max(_freeFromNs, earliestNs);
            _freeFromNs += (ulong)(request.LengthBytes * (double)Units.NsPerSecond / _bytesPerSecond);
            dueNs = Math.Max(nowNs, _freeFromNs);
        }
        if (dueNs == nowNs && !_isFrozen)
        {
            _device.Submit(request);
            return;
        }
        uint index = _free.Pop();
        _held[index] = request;
        _loop.StartTimer(dueNs, this, index);
    }

    /// <summary>Its turn has come.</summary>
    public void Run(ulong argument)
    {
        if (_isFrozen)
            _frozen.Enqueue((uint)argument);
        else
            Release((uint)argument);
    }

    /// <summary>From now on nothing is answered.</summary>
    public void Freeze() => _isFrozen = true;

    public void Thaw()
    {
        _isFrozen = false;
        while (_frozen.TryDequeue(out uint index))
            Release(index);
    }

    public void Dispose() => _device.Dispose();

    void Release(uint index)
    {
        BlockRequest request = _held[index];
        _held[index] = default;
        _free.Push(index);
        _device.Submit(request);
    }
}
