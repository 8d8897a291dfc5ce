// The time before the point in time of some jobs in which guests' writes are looked at, so that much of what they will
// overwrite first is captured in that instant already (WarmSet). It ends by the clock; who has no use for it has none.
using System;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Pacing;
using FastBackup.Ports;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
/// <param name="loop">Of the jobs.</param>
/// <param name="jobs">Created, none begun.</param>
public sealed class WarmUp(IIoLoop loop, Job[] jobs)
{
    /// <summary>Of what may be asked for.</summary>
    public const uint MsMax = 10_000;

    const ulong LookNsMax = 10 * Units.NsPerMs; // whoever ends the jobs waits no longer
    const ulong UsualNs = 200 * Units.NsPerMs;
    const ulong LeastNs = 5 * Units.NsPerMs;
    const ulong LastWriteNsMax = 50 * Units.NsPerMs;
    const ulong StillNs = 20 * Units.NsPerMs;
    const ulong GapNsMax = 10 * Units.NsPerMs;

    /// <summary>What a job copies in the time that is spent for it: a tenth of what it takes at 1 GiB/s.</summary>
    const ulong BytesPerSecond = 10 * Units.GiB;

    ulong _beganNs;
    ulong _untilNs;
    bool _hasBegun;

    /// <summary>Begins with the first call.</summary>
    /// <returns>True: the point in time may come.</returns>
    public bool IsOver()
    {
        if (!_hasBegun)
        {
            _hasBegun = true;
            ulong longestNs = 0;
            foreach (Job job in jobs)
                longestNs = Math.Max(longestNs, job.Warm());
            _beganNs = loop.Clock.NowNs;
            _untilNs = _beganNs + longestNs;
        }
        return loop.Clock.NowNs >= _untilNs || !HasGuests();
    }

    /// <summary>Guests that have stopped, or were frozen, overwrite nothing more.</summary>
    bool HasGuests()
    {
        foreach (Job job in jobs)
            if (job.Disk.Pulse.IsGuestOut || loop.Clock.NowNs - Math.Max(_beganNs, job.Disk.Pulse.LastNs) <= StillNs)
                return true;
        return false;
    }

    /// <summary>When to look again, from now on.</summary>
    public ulong RestNs => Math.Clamp(_untilNs - Math.Min(_untilNs, loop.Clock.NowNs), 1, LookNsMax);

    /// <summary>How long for a job: as long as was asked for, else where its guests write much in device mode, and not
    /// longer than the job would save.</summary>
    /// <param name="askedMs">Null: nobody has.</param>
    /// <param name="disk">Of the job.</param>
    /// <param name="filter">Of the job.</param>
    /// <returns>0: not at all.</returns>
    internal static ulong Begin(uint? askedMs, Disk disk, CopyBeforeWriteFilter filter)
    {
        ulong ns = NsOf(askedMs, disk, filter.Map.SizeBytes);
        return ns > 0 && filter.TryWarm() ? ns : 0;
    }

    static ulong NsOf(uint? askedMs, Disk disk, ulong sizeBytes)
    {
        if (askedMs is { } ms)
            return ms * Units.NsPerMs;
        GuestPulse pulse = disk.Pulse;
        bool isBusy =
            !pulse.IsHostMode && pulse.GapNs <= GapNsMax && disk.Loop.Clock.NowNs - pulse.LastNs <= LastWriteNsMax;
        ulong worthNs = Math.Min(UsualNs, sizeBytes / (BytesPerSecond / 1000) * Units.NsPerMs);
        return isBusy && worthNs >= LeastNs ? worthNs : 0;
    }
}
