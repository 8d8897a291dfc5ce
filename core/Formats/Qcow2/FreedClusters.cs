// Clusters that lose a reference, on their way to be free: first the tables on the disk must be without it, then every
// request must have ended that may have found the cluster in the tables before. Until then they count as used: a crash
// leaves a leak, and nobody reads or writes what has become another's.
using System.Collections.Generic;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class FreedClusters
{
    List<(ulong First, uint Count)> _new = [];
    List<(ulong First, uint Count)> _captured = [];
    readonly List<(ulong First, uint Count)> _durable = [];
    ulong _capturedSerial;
    ulong _durableSerial;

    public bool IsEmpty => _new.Count == 0 && _captured.Count == 0 && _durable.Count == 0;

    /// <summary>The tables in memory are without it.</summary>
    public void Add(ulong cluster)
    {
        if (_new.Count > 0 && _new[^1] is var last && last.First + last.Count == cluster)
            _new[^1] = (last.First, last.Count + 1);
        else
            _new.Add((cluster, 1));
    }

    /// <summary>The tables in memory are going to be written as they are now.</summary>
    /// <param name="serial">Of the next request.</param>
    public void Capture(ulong serial)
    {
        (_new, _captured) = (_captured, _new);
        _capturedSerial = serial;
    }

    /// <summary>What was captured is durable.</summary>
    public void OnDurable()
    {
        if (_captured.Count == 0)
            return;
        _durable.AddRange(_captured);
        _captured.Clear();
        _durableSerial = _capturedSerial;
    }

    /// <summary>Gives back what nobody refers to any more.</summary>
    /// <param name="oldestSerial">Of the requests under way.</param>
    /// <param name="allocator">Takes it.</param>
    public void Settle(ulong oldestSerial, ClusterAllocator allocator)
    {
        if (oldestSerial < _durableSerial)
            return;
        foreach ((ulong first, uint count) in _durable)
            for (ulong cluster = first; cluster < first + count; cluster++)
                allocator.Release(cluster);
        _durable.Clear();
    }
}
