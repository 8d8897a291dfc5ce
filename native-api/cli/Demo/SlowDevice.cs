// A device that takes writes only so fast, to show what a slow target does to guests. A write is handed on when what
// was handed on before it is paid for; the others wait here in their order. Everything else passes: reads, flushes
// (which promise nothing for writes that have not completed) and zeroes, which cost a target next to nothing.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Cli;

/// <summary>Threads: the loop's.</summary>
sealed class SlowDevice(IIoLoop loop, IBlockDevice inner, ulong bytesPerSecond) : IBlockDevice, ILoopTask
{
    /// <summary>A timer that comes late is made up for by so much.</summary>
    const ulong CatchUpNs = 20 * Units.NsPerMs;

    readonly Queue<BlockRequest> _waiting = new();
    ulong _freeAtNs; // when everything handed on so far is paid for
    bool _hasTimer;
    bool _isReleased;

    public string Name => inner.Name;

    public StorageIdentity? Storage => inner.Storage;

    public BlockLimits Limits => inner.Limits;

    public uint InFlightCount => inner.InFlightCount + (uint)_waiting.Count;

    public bool ReadsAsZero => inner.ReadsAsZero && _waiting.Count == 0;

    public void Submit(in BlockRequest request)
    {
        if (request.Operation != BlockOperation.Write || _isReleased)
        {
            inner.Submit(request);
            return;
        }
        _waiting.Enqueue(request);
        Pump();
    }

    public void Promote(IBlockOwner owner, ulong userData) => inner.Promote(owner, userData);

    /// <summary>From now on as fast as it can: the work is being given up.</summary>
    public void Release()
    {
        _isReleased = true;
        Pump();
    }

    /// <summary>When nothing waits any more; the inner device is its owner's.</summary>
    public void Dispose() => Check.That(_waiting.Count == 0);

    void ILoopTask.Run(ulong argument)
    {
        _hasTimer = false;
        Pump();
    }

    void Pump()
    {
        while (_waiting.TryPeek(out BlockRequest request))
        {
            ulong nowNs = loop.Clock.NowNs;
            if (!_isReleased && _freeAtNs > nowNs)
                break;
            _waiting.Dequeue();
            UInt128 costNs = (UInt128)request.LengthBytes * Units.NsPerSecond / bytesPerSecond;
            _freeAtNs = Math.Max(_freeAtNs, nowNs - Math.Min(nowNs, CatchUpNs)) + (ulong)costNs;
            inner.Submit(request);
        }
        if (_waiting.Count == 0 || _hasTimer)
            return;
        _hasTimer = true;
        loop.StartTimer(_freeAtNs, this, 0);
    }
}
