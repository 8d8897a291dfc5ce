// The smallest chunk that is worth its while: found by chunks that are alone in flight. The read and the write of one
// should each take about twice as long as a small request: below that, a larger one costs a guest hardly more and
// brings much more (a seek costs 1 MiB of transfer). Some votes of the same kind in a row double or halve it.
// Cost: O(1) a chunk.
using System;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's.</summary>
sealed class ChunkUnit
{
    const double ShrinkAbove = 3;
    const uint VotesNeeded = 4;

    readonly uint _chunkBytesMin;
    readonly uint _chunkBytesMax;
    readonly GuestPulse _pulse;
    ulong _startedNs;
    bool _isAlone;
    uint _aloneLeft; // so many chunks are to be alone, to see how long they take
    int _votes;

    /// <param name="chunkBytesMin">At least one cluster.</param>
    /// <param name="chunkBytesMax">One buffer.</param>
    /// <param name="pulse">What small requests take.</param>
    public ChunkUnit(uint chunkBytesMin, uint chunkBytesMax, GuestPulse pulse)
    {
        (_chunkBytesMin, _chunkBytesMax, _pulse) = (chunkBytesMin, chunkBytesMax, pulse);
        Bytes = chunkBytesMin;
    }

    public uint Bytes { get; private set; }

    /// <summary>How long a chunk takes with no other in flight.</summary>
    public ulong AloneNs { get; private set; }

    /// <summary>The next chunk is to be alone in flight.</summary>
    public bool MustBeAlone => _aloneLeft > 0;

    /// <summary>Other guests, another rule: from the smallest on.</summary>
    public void Reset() => Bytes = _chunkBytesMin;

    /// <summary>The next chunks are to be alone.</summary>
    public void LookAgain() => _aloneLeft = VotesNeeded;

    public void OnStarted(bool isAlone, ulong nowNs) => (_startedNs, _isAlone) = (nowNs, isAlone);

    /// <param name="lengthBytes">Of the chunk that is done.</param>
    /// <param name="growBelow">See GovernorTuning.UnitGrowBelow.</param>
    /// <param name="nowNs">Now.</param>
    public void OnDone(ulong lengthBytes, double growBelow, ulong nowNs)
    {
        if (_isAlone)
            SeeAlone(lengthBytes, growBelow, nowNs - _startedNs);
        _isAlone = false;
    }

    void SeeAlone(ulong lengthBytes, double growBelow, ulong durationNs)
    {
        AloneNs = durationNs;
        _aloneLeft -= Math.Min(1, _aloneLeft);
        double smallNs = SmallNs;
        if (smallNs <= 0 || _pulse.IsHostMode)
            return;
        double ratio = durationNs / 2.0 / smallNs;
        if (ratio < growBelow && lengthBytes >= Bytes && Bytes * 2 <= _chunkBytesMax)
            _votes = Math.Max(1, _votes + 1);
        else if (ratio > ShrinkAbove && lengthBytes <= Bytes && Bytes / 2 >= _chunkBytesMin)
            _votes = Math.Min(-1, _votes - 1);
        else
            _votes = 0;
        if (Math.Abs(_votes) < VotesNeeded)
            return;
        Bytes = _votes > 0 ? Bytes * 2 : Bytes / 2;
        (_votes, _aloneLeft) = (0, VotesNeeded);
    }

    /// <summary>A small request on the idle disk; 0 = not known.</summary>
    double SmallNs => Math.Max(_pulse.Idle(GuestClass.SmallRead).MedianNs, _pulse.Idle(GuestClass.SmallWrite).MedianNs);
}
