// What a disk knows of its guests: how many requests are out, when the last one was, how long they take, and how long
// they take while no backup loads the disk, which is what a backup compares with.
//
// A request that found the disk without a background copy teaches the idle latency of its class, by the time that it
// was at the device. That is always on: it costs one clock read and a few adds per request that passes the reactor.
// The host's own writes (hook mode) cost nothing more: see WriteMeter.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's; the histograms any.</summary>
public sealed class GuestPulse
{
    const ulong LargeBytes = 32 * Units.KiB;
    const ulong LookNs = 200 * Units.NsPerUs;
    const ulong GapNsMax = 200 * Units.NsPerMs;
    const ulong QuietNsMin = 50 * Units.NsPerMs;
    const ulong QuietNsMax = 400 * Units.NsPerMs;
    const ulong QuietGaps = 4;
    const int ClassCount = (int)GuestClass.CopiedWrite + 1;

    readonly LatencySketch[] _idle = new LatencySketch[ClassCount];
    readonly List<IGuestListener> _listeners = new(4);
    readonly WriteMeter _meter;
    ulong _arrivedSumNs;
    ulong _deviceNs;
    ulong _gapNs;
    ulong _arrivalNs;

    /// <param name="counts">The host's own writes.</param>
    public GuestPulse(IWriteCounts counts)
    {
        _meter = new WriteMeter(counts);
        for (int i = 0; i < ClassCount; i++)
            _idle[i] = new LatencySketch();
    }

    /// <summary>Requests out that the reactor knows of: waiting, or at the device.</summary>
    public uint InFlightCount { get; private set; }

    /// <summary>When a guest was last seen, on the reactor's clock; 0 = never.</summary>
    public ulong LastNs { get; private set; }

    /// <summary>A request of a guest is out, as far as is known.</summary>
    public bool IsGuestOut => InFlightCount > 0 || (IsHostMode && _meter.InFlightCount > 0);

    /// <summary>
    /// Without a request for so long the guests are gone: 50 ms, more for guests whose requests are far apart.
    /// </summary>
    public ulong QuietNs => Math.Clamp(QuietGaps * _gapNs, QuietNsMin, QuietNsMax);

    /// <summary>The hosts do the I/O: none passed through the engine lately.</summary>
    public bool IsHostMode => _deviceNs == 0 || LastNs - Math.Min(LastNs, _deviceNs) > Units.NsPerSecond;

    /// <summary>The mean time from one request to the next.</summary>
    public ulong GapNs => _gapNs;

    /// <summary>From arrival to end, while no background copy was at the disk.</summary>
    public LatencyHistogram QuietLatency { get; } = new();

    /// <summary>And while one was.</summary>
    public LatencyHistogram LoadedLatency { get; } = new();

    /// <summary>Whether a background copy has something at the device now.</summary>
    public bool IsLoaded
    {
        get
        {
            foreach (IGuestListener listener in _listeners)
                if (listener.IsLoading)
                    return true;
            return false;
        }
    }

    public void Join(IGuestListener listener) => _listeners.Add(listener);

    /// <summary>By reference: the framework's own search makes a comparer at its first use, inside a job.</summary>
    public void Leave(IGuestListener listener)
    {
        for (int i = _listeners.Count - 1; i >= 0; i--)
            if (ReferenceEquals(_listeners[i], listener))
                _listeners.RemoveAt(i);
    }

    /// <summary>A request has reached the reactor.</summary>
    public void Arrive(ulong nowNs)
    {
        InFlightCount++;
        _arrivedSumNs += nowNs;
        SeeArrivals(1, nowNs);
        LastNs = nowNs;
    }

    /// <summary>A request that arrived is gone: done, granted to its host, or refused.</summary>
    public void Depart(ulong arrivedNs, ulong nowNs)
    {
        InFlightCount--;
        _arrivedSumNs -= arrivedNs;
        LastNs = nowNs;
        if (InFlightCount > 0)
            return;
        foreach (IGuestListener listener in _listeners)
            listener.OnGuestsGone();
    }

    /// <summary>A read or write was carried out.</summary>
    /// <param name="isWrite">Else a read.</param>
    /// <param name="lengthBytes">Its size.</param>
    /// <param name="arrivedNs">When it came.</param>
    /// <param name="submittedNs">When it went to the device.</param>
    /// <param name="nowNs">Now.</param>
    /// <param name="wasQuiet">No background copy was at the device when it came.</param>
    public void Sample(bool isWrite, ulong lengthBytes, ulong arrivedNs, ulong submittedNs, ulong nowNs, bool wasQuiet)
    {
        _deviceNs = nowNs;
        GuestClass kind = (isWrite, lengthBytes > LargeBytes) switch
        {
            (false, false) => GuestClass.SmallRead,
            (false, true) => GuestClass.LargeRead,
            (true, false) => GuestClass.SmallWrite,
            (true, true) => GuestClass.LargeWrite,
        };
        wasQuiet &= !IsLoaded;
        (wasQuiet ? QuietLatency : LoadedLatency).Add(nowNs - arrivedNs);
        ulong waitNs = submittedNs - arrivedNs;
        // A write that was copied first has its own copy on the device beside it: second choice.
        if (wasQuiet && (waitNs == 0 || !_idle[(int)kind].IsKnown))
            _idle[(int)kind].Add(nowNs - submittedNs);
        if (wasQuiet && waitNs > 0)
            _idle[(int)GuestClass.CopiedWrite].Add(nowNs - arrivedNs);
        Tell(new GuestSample(kind, arrivedNs, waitNs, nowNs - arrivedNs, nowNs));
    }

    /// <summary>A write whose guest was told before has landed, and a flush or a read has waited for that.</summary>
    public void SampleAwaited(ulong lengthBytes, ulong arrivedNs, ulong submittedNs, ulong nowNs)
    {
        GuestClass kind = lengthBytes > LargeBytes ? GuestClass.LargeWrite : GuestClass.SmallWrite;
        Tell(new GuestSample(kind, arrivedNs, submittedNs - arrivedNs, nowNs - arrivedNs, nowNs));
    }

    /// <summary>A request was answered from memory: it says nothing of the device.</summary>
    public void SampleAnswered(ulong arrivedNs, ulong nowNs, bool wasQuiet)
    {
        _deviceNs = nowNs;
        (wasQuiet && !IsLoaded ? QuietLatency : LoadedLatency).Add(nowNs - arrivedNs);
    }

    /// <summary>A write of a host was granted after a wait.</summary>
    public void SampleWait(ulong arrivedNs, ulong nowNs, bool wasQuiet)
    {
        ulong waitNs = nowNs - arrivedNs;
        if (wasQuiet && !IsLoaded)
            _idle[(int)GuestClass.CopiedWrite].Add(waitNs);
        Tell(new GuestSample(GuestClass.HostWrite, arrivedNs, waitNs, waitNs, nowNs));
    }

    /// <summary>
    /// When hosts are looked at again, at the earliest. Not by the event of a moment: those that follow a guest's
    /// request would see it more often than it is there.
    /// </summary>
    public ulong NextLookNs { get; private set; }

    /// <summary>Looks whether hosts write; calls before the next look are cheap.</summary>
    public void LookAtHosts(ulong nowNs)
    {
        if (nowNs < NextLookNs)
            return;
        NextLookNs = nowNs + LookNs;
        if (!_meter.Look(nowNs, out ulong newCount))
            return;
        LastNs = nowNs;
        if (newCount > 0 && IsHostMode)
            SeeArrivals(newCount, nowNs);
    }

    /// <summary>
    /// The mean latency of the host's own writes since the last one; none where the engine does the I/O.
    /// </summary>
    public bool TryTakeHostMean(uint countMin, out ulong meanNs) => _meter.TryTake(countMin, out meanNs) && IsHostMode;

    /// <summary>What was counted so far says nothing about what comes.</summary>
    public void RestartHostMean() => _meter.Restart();

    /// <summary>The host's own writes since the restart were on the idle disk.</summary>
    public void LearnHostMean() => _meter.LearnIdle();

    /// <summary>The mean latency of the host's own writes on the idle disk; 0 = not known.</summary>
    public double HostIdleMeanNs => IsHostMode ? _meter.IdleMeanNs : 0;

    /// <summary>Writes of the host since the restart.</summary>
    public ulong HostCount => IsHostMode ? _meter.BegunCount : 0;

    /// <summary>The latency of a class on the idle disk; none for a host's writes.</summary>
    internal LatencySketch Idle(GuestClass kind) => _idle[(int)kind];

    /// <summary>What was learnt of the idle disk counts a quarter from now on: a probe follows.</summary>
    public void FadeIdle()
    {
        foreach (LatencySketch sketch in _idle)
            sketch.FadeAtNext();
    }

    /// <summary>Idle samples of all classes, old ones fading.</summary>
    public uint IdleCount
    {
        get
        {
            uint count = 0;
            foreach (LatencySketch sketch in _idle)
                count += sketch.Count;
            return count;
        }
    }

    /// <summary>How long the requests that are out are out already, in the mean.</summary>
    public ulong MeanAgeNs(ulong nowNs) => InFlightCount == 0 ? 0 : nowNs - _arrivedSumNs / InFlightCount;

    void SeeArrivals(ulong count, ulong nowNs)
    {
        ulong gapNs = (nowNs - _arrivalNs) / count;
        if (gapNs <= GapNsMax) // else they were gone, and have come back
            _gapNs = (7 * _gapNs + gapNs) / 8;
        _arrivalNs = nowNs;
    }

    void Tell(in GuestSample sample)
    {
        foreach (IGuestListener listener in _listeners)
            listener.OnGuestDone(sample);
    }
}
