// Where a disk has holes, for a thread that goes through it from front to back and may wait for the answer.
using System;
using System.Threading;
using FastBackup.Devices;
using FastBackup.Runtime;

namespace FastBackup.Repositories;

/// <summary>Threads: one.</summary>
sealed class HoleFinder : IDisposable
{
    const int LookMs = 200;

    readonly Reactor _reactor;
    readonly AutoResetEvent _available = new(false);
    readonly MapWalk _map;
    ulong _startBytes;
    ulong _endBytes;
    bool _isHole;

    public HoleFinder(Reactor reactor, IBlockDevice device)
    {
        _reactor = reactor;
        _map = new MapWalk(device, () => _available.Set());
    }

    /// <summary>The whole range is known to read as zeroes.</summary>
    /// <param name="offsetBytes">Never smaller than before.</param>
    /// <param name="lengthBytes">Within the disk.</param>
    public bool IsHole(ulong offsetBytes, ulong lengthBytes)
    {
        bool isFound = offsetBytes >= _startBytes && offsetBytes < _endBytes;
        while (!isFound && !_reactor.HasFailed)
        {
            _reactor.Invoke(() => isFound = _map.TryFind(offsetBytes, out _isHole, out _endBytes));
            _startBytes = offsetBytes;
            if (!isFound)
                _ = _available.WaitOne(LookMs);
        }
        return isFound && _isHole && _endBytes >= offsetBytes + lengthBytes;
    }

    public void Dispose()
    {
        bool isIdle = false;
        while (!isIdle && !_reactor.HasFailed)
        {
            _reactor.Invoke(() =>
            {
                isIdle = !_map.IsQuerying;
                if (isIdle)
                    _map.Dispose();
            });
            if (!isIdle)
                _ = _available.WaitOne(LookMs);
        }
        _available.Dispose();
    }
}
