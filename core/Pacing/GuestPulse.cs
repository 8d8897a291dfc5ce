// What a disk knows of its guests: how many requests are out, when the last one was, how long they take, and how long
// they take while no backup loads the disk, which is what a backup compares with.
//
// A request that found the disk without a background copy teaches the idle latency of its class, by the time that it
// was at the device. That is always on: it costs one clock read and a few adds per request that passes the reactor.
// The host's own writes (hook mode) cost nothing more, and are known by their mean: see WriteMeter. Hosts that tell
// what each request took (GuestReports) are known as well as those whose I/O is done here: while they do, that counts.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's; Report and the histograms any.</summary>
public sealed class GuestPulse
{
    /// <summary>A write that was answered from memory should land in this time: half of its longest age.</summary>
    public const ulong LandNsWanted = 2 * Units.NsPerMs;

    const ulong LargeBytes = 32 * Units.KiB;
    const ulong LookNs = 200 * Units.NsPerUs;
    const ulong GapNsMax = 200 * Units.NsPerMs;
    const ulong QuietNsMin = 50 * Units.NsPerMs;
    const ulong QuietNsMax = 400 * Units.NsPerMs;
    const ulong QuietGaps = 4;
    const ulong ReportsNsMax = Units.NsPerSecond; // without one for so long hosts report no more
    const int ClassCount = (int)GuestClass.CopiedWrite + 1;

    readonly LatencySketch[] _idle = new LatencySketch[ClassCount];
    readonly List<IGuestListener> _listeners = new(4);
    readonly WriteMeter _meter;
    readonly GuestReports _reports = new();
    ulong _arrivedSumNs;
    ulong _deviceNs;
    ulong _gapNs;
    ulong _arrivalNs;
    ulong _reportedNs;
    ulong _loadedNs; // a background copy was seen at the device
    ulong _loadSeenNs; // and that is known up to here
    bool _hasOnlyIdle = true; // nobody has loaded the disk since the reports were empty

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
    public bool IsGuestOut => InFlightCount > 0 || ((IsHostMode || HasReports) && _meter.InFlightCount > 0);

    /// <summary>Hook mode: what the host's own device took for one request.</summary>
    /// <param name="kind">A read, a write or a flush: see <see cref="ClassOf"/>.</param>
    /// <param name="elapsedNs">From its submission to its end there.</param>
    /// <remarks>Threads: any, wait-free. Cost: an atomic add and a store.</remarks>
    public void Report(GuestClass kind, ulong elapsedNs) => _reports.Add(kind, elapsedNs);

    /// <summary>Hosts do the I/O, and tell what each request takes.</summary>
    public bool HasReports => _reportedNs != 0 && LastNs - Math.Min(LastNs, _reportedNs) <= ReportsNsMax;

    /// <summary>
    /// Without a request for so long the guests are gone: 50 ms, more for guests whose requests are far apart.
    /// </summary>
    public ulong QuietNs => Math.Clamp(QuietGaps * _gapNs, QuietNsMin, QuietNsMax);

    /// <summary>The hosts do the I/O, and are known by counts alone: none passed through the engine lately.</summary>
    public bool IsHostMode =>
        !HasReports && (_deviceNs == 0 || LastNs - Math.Min(LastNs, _deviceNs) > Units.NsPerSecond);

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
        _reports.Clear(); // those of a loaded disk are not to be taken for others later
        _hasOnlyIdle = _listeners.Count == 0;
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

    /// <summary>The class of a read or write.</summary>
    /// <param name="isWrite">Else a read.</param>
    /// <param name="lengthBytes">Its size.</param>
    public static GuestClass ClassOf(bool isWrite, ulong lengthBytes) =>
        (isWrite, lengthBytes > LargeBytes) switch
        {
            (false, false) => GuestClass.SmallRead,
            (false, true) => GuestClass.LargeRead,
            (true, false) => GuestClass.SmallWrite,
            (true, true) => GuestClass.LargeWrite,
        };

    /// <summary>A read, a write or a flush was carried out.</summary>
    /// <param name="kind">Its class.</param>
    /// <param name="arrivedNs">When it came.</param>
    /// <param name="submittedNs">When it went to the device.</param>
    /// <param name="nowNs">Now.</param>
    /// <param name="wasQuiet">No background copy was at the device when it came.</param>
    public void Sample(GuestClass kind, ulong arrivedNs, ulong submittedNs, ulong nowNs, bool wasQuiet)
    {
        _deviceNs = nowNs;
        wasQuiet &= !IsLoaded;
        (wasQuiet ? QuietLatency : LoadedLatency).Add(nowNs - arrivedNs);
        if (wasQuiet)
            Learn(kind, arrivedNs, submittedNs, nowNs);
        Tell(new GuestSample(kind, arrivedNs, submittedNs - arrivedNs, nowNs - arrivedNs, nowNs));
    }

    /// <summary>A write whose guest was told before has landed.</summary>
    /// <param name="kind">Its class.</param>
    /// <param name="arrivedNs">When it came.</param>
    /// <param name="answeredNs">When its guest was told.</param>
    /// <param name="submittedNs">When it went to the device.</param>
    /// <param name="nowNs">Now.</param>
    /// <param name="wasQuiet">No background copy was at the device when it came.</param>
    public void SampleLanded(
        GuestClass kind,
        ulong arrivedNs,
        ulong answeredNs,
        ulong submittedNs,
        ulong nowNs,
        bool wasQuiet
    )
    {
        if (wasQuiet && !IsLoaded)
            Learn(kind, arrivedNs, submittedNs, nowNs);
        ulong landNs = nowNs - answeredNs;
        Tell(new GuestSample(GuestClass.LandedWrite, answeredNs, landNs, landNs, nowNs));
    }

    /// <summary>Such a write has landed, and a flush or a read has waited for it.</summary>
    /// <param name="kind">Its class.</param>
    /// <param name="arrivedNs">When it came.</param>
    /// <param name="submittedNs">When it went to the device.</param>
    /// <param name="nowNs">Now.</param>
    public void SampleAwaited(GuestClass kind, ulong arrivedNs, ulong submittedNs, ulong nowNs) =>
        Tell(new GuestSample(kind, arrivedNs, submittedNs - arrivedNs, nowNs - arrivedNs, nowNs));

    /// <summary>A request was answered from memory: it says nothing of the device.</summary>
    /// <param name="isWrite">Else a read.</param>
    /// <param name="arrivedNs">When it came.</param>
    /// <param name="nowNs">Now.</param>
    /// <param name="wasQuiet">No background copy was at the device when it came.</param>
    public void SampleAnswered(bool isWrite, ulong arrivedNs, ulong nowNs, bool wasQuiet)
    {
        _deviceNs = nowNs;
        (wasQuiet && !IsLoaded ? QuietLatency : LoadedLatency).Add(nowNs - arrivedNs);
        ulong waitNs = nowNs - arrivedNs;
        if (isWrite)
            Tell(new GuestSample(GuestClass.AnsweredWrite, arrivedNs, waitNs, waitNs, nowNs));
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
        if (_listeners.Count > 0)
        {
            SeeReports(nowNs);
            _hasOnlyIdle = false;
        }
        (_loadedNs, _loadSeenNs) = (IsLoaded ? nowNs : _loadedNs, nowNs);
        if (!_meter.Look(nowNs, out ulong newCount))
            return;
        LastNs = nowNs;
        if (newCount > 0 && IsHostMode)
            SeeArrivals(newCount, nowNs);
    }

    /// <summary>
    /// Requests of hosts that have ended since the last look: their end is taken to be now. One counts for the idle
    /// disk if no copy was seen there since before it began, and somebody has looked.
    /// </summary>
    void SeeReports(ulong nowNs)
    {
        ulong count = 0;
        while (_reports.TryTake(out GuestClass kind, out ulong elapsedNs))
        {
            ulong begunNs = nowNs - Math.Min(nowNs, elapsedNs);
            ulong sinceNs = begunNs - Math.Min(begunNs, LookNs);
            bool wasQuiet = !IsLoaded && (_hasOnlyIdle || (_loadedNs < sinceNs && _loadSeenNs >= sinceNs));
            (wasQuiet ? QuietLatency : LoadedLatency).Add(elapsedNs);
            if (wasQuiet)
                _idle[(int)kind].Add(elapsedNs);
            (LastNs, _reportedNs) = (nowNs, nowNs);
            count++;
            Tell(new GuestSample(kind, begunNs, 0, elapsedNs, nowNs));
        }
        if (count > 0)
            SeeArrivals(count, nowNs);
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

    /// <summary>What a request on the idle disk took.</summary>
    void Learn(GuestClass kind, ulong arrivedNs, ulong submittedNs, ulong nowNs)
    {
        ulong waitNs = submittedNs - arrivedNs;
        // A write that was copied first has its own copy on the device beside it: second choice.
        if (waitNs == 0 || !_idle[(int)kind].IsKnown)
            _idle[(int)kind].Add(nowNs - submittedNs);
        if (waitNs > 0 && kind != GuestClass.Flush)
            _idle[(int)GuestClass.CopiedWrite].Add(nowNs - arrivedNs);
    }

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
