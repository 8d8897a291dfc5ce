// Our target for the slow and the hung scenarios: a device in memory that takes so many bytes a second and no more,
// or stops answering altogether until it is told to go on. As nbdkit's rate filter does for QEMU, a write waits for
// its turn before it is done; half a second's worth may come at once after a rest.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: the reactor's. Owns the device.</summary>
sealed class LimitedDevice : IBlockDevice, ILoopTask
{
    public const double BurstSeconds = 0.5;

    readonly IIoLoop _loop;
    readonly IBlockDevice _device;
    readonly ulong _bytesPerSecond;
    readonly Queue<(ulong DueNs, BlockRequest Request)> _held = new();
    ulong _workedOffNs; // when the bytes that came so far will have been worked off
    bool _isFrozen;
    bool _hasTimer;

    public LimitedDevice(IIoLoop loop, IBlockDevice device, ulong bytesPerSecond) =>
        (_loop, _device, _bytesPerSecond) = (loop, device, bytesPerSecond);

    public string Name => _device.Name;

    public BlockLimits Limits => _device.Limits;

    public uint InFlightCount => _device.InFlightCount + (uint)_held.Count;

    public bool ReadsAsZero => _device.ReadsAsZero;

    public void Submit(in BlockRequest request)
    {
        ulong nowNs = _loop.Clock.NowNs;
        if (request.Operation == BlockOperation.Write)
        {
            ulong burstNs = (ulong)(BurstSeconds * Units.NsPerSecond);
            _workedOffNs = Math.Max(_workedOffNs, nowNs > burstNs ? nowNs - burstNs : 0);
            _workedOffNs += (ulong)(request.LengthBytes * (double)Units.NsPerSecond / _bytesPerSecond);
        }
        ulong dueNs = request.Operation == BlockOperation.Write ? Math.Max(nowNs, _workedOffNs) : nowNs;
        if (dueNs == nowNs && !_isFrozen && _held.Count == 0)
        {
            _device.Submit(request);
            return;
        }
        _held.Enqueue((dueNs, request));
        StartTimer();
    }

    public void Promote(IBlockOwner owner, ulong userData) => _device.Promote(owner, userData);

    /// <summary>The turn of the first has come.</summary>
    public void Run(ulong argument)
    {
        _hasTimer = false;
        while (!_isFrozen && _held.TryPeek(out var first) && first.DueNs <= _loop.Clock.NowNs)
        {
            _held.Dequeue();
            _device.Submit(first.Request);
        }
        StartTimer();
    }

    /// <summary>From now on nothing is answered.</summary>
    public void Freeze() => _isFrozen = true;

    public void Thaw()
    {
        _isFrozen = false;
        StartTimer();
    }

    /// <summary>Also with requests held: a job that ended without them left their memory to us, for good.</summary>
    public void Dispose()
    {
        _held.Clear();
        _device.Dispose();
    }

    void StartTimer()
    {
        if (_hasTimer || _isFrozen || !_held.TryPeek(out var first))
            return;
        _hasTimer = true;
        _loop.StartTimer(first.DueNs, this, 0);
    }
}
