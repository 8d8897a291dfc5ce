// One guest beside one host: starts the guest, then the backup while it writes, and takes the figures of the time in
// which both were at work. As peers/guest_latency.py does, with two differences: the backup's first 0.3 s count,
// with the moment in which it starts, and what follows its end does not.
//
//   0        0.7 s                              first of: the backup has copied all, the time is over
//   guest ---+----------- the figures ----------+
//            backup
using System;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

static class GuestMeasurement
{
    const int LeadMs = 700; // the guest is connected and writes before the backup starts
    const int QuietLeadMs = 1000;
    const double SpareSeconds = 5; // the guest goes on for longer than it is watched, and is told to end
    const int PollMs = 2;
    const double HungLeadSeconds = 0.5;
    public const double HungSeconds = 4;
    public const double HungShortSeconds = 0.5;
    const double HungGuestSeconds = 30;

    /// <summary>So long a cancelled backup may take to end.</summary>
    public static readonly TimeSpan CancelLimit = TimeSpan.FromSeconds(3);

    static readonly TimeSpan AloneLimit = TimeSpan.FromMinutes(20);

    /// <summary>A guest without a backup.</summary>
    public static GuestFigures Quiet(
        IBackupHost host,
        GuestLoad load,
        ulong sizeBytes,
        double seconds,
        CancellationToken cancel
    )
    {
        using FioGuest guest = new(host.SocketPath, load, sizeBytes, seconds + SpareSeconds);
        Wait(guest, QuietLeadMs / 1000.0, cancel);
        double startMs = NowMs();
        Wait(guest, seconds, cancel);
        double endMs = NowMs();
        guest.RequestEnd();
        return guest.Finish(startMs, endMs, cancel);
    }

    /// <summary>A backup without a guest, until all has been copied.</summary>
    public static BackupPace Alone(IBackupHost host, CancellationToken cancel)
    {
        host.StartBackup(cancel);
        DateTime limit = DateTime.UtcNow + AloneLimit;
        while (!host.HasCopied())
        {
            cancel.ThrowIfCancellationRequested();
            if (DateTime.UtcNow > limit)
                throw new PeerException($"{host.Name}'s backup did not end");
            Thread.Sleep(PollMs);
        }
        return host.Pace();
    }

    /// <summary>A guest beside a backup.</summary>
    public static (GuestFigures Guest, BackupPace Pace) Both(
        IBackupHost host,
        GuestLoad load,
        ulong sizeBytes,
        double seconds,
        CancellationToken cancel
    )
    {
        using FioGuest guest = new(host.SocketPath, load, sizeBytes, seconds + SpareSeconds);
        Wait(guest, LeadMs / 1000.0, cancel);
        host.StartBackup(cancel);
        double startMs = NowMs(); // not before: until the command is accepted the guest is alone
        while (NowMs() < startMs + seconds * 1000 && !host.HasCopied())
        {
            cancel.ThrowIfCancellationRequested(); // first: Ctrl-C ends the guest too
            Require(guest);
            Thread.Sleep(PollMs);
        }
        double endMs = NowMs();
        BackupPace pace = host.Pace();
        guest.RequestEnd();
        return (guest.Finish(startMs, endMs, cancel), pace);
    }

    /// <summary>
    /// A guest beside a backup whose target stops answering; then the backup is cancelled. The target goes on at the
    /// end, so that all can be closed; what a guest's write had waited by then is in its figures.
    /// </summary>
    public static (GuestFigures Guest, BackupPace Pace, CancelTimes Cancel) Hung(
        IBackupHost host,
        GuestLoad load,
        ulong sizeBytes,
        double hungSeconds,
        CancellationToken cancel
    )
    {
        using FioGuest guest = new(host.SocketPath, load, sizeBytes, HungGuestSeconds);
        Wait(guest, LeadMs / 1000.0, cancel);
        host.StartBackup(cancel);
        double startMs = NowMs();
        try
        {
            Wait(guest, HungLeadSeconds, cancel);
            host.FreezeTarget();
            Wait(guest, hungSeconds, cancel);
            BackupPace pace = host.Pace();
            CancelTimes times = host.Cancel(CancelLimit);
            double endMs = NowMs();
            host.ThawTarget();
            guest.RequestEnd();
            return (guest.Finish(startMs, endMs, cancel), pace, times);
        }
        finally
        {
            host.ThawTarget();
        }
    }

    static void Wait(FioGuest guest, double seconds, CancellationToken cancel)
    {
        double endMs = NowMs() + seconds * 1000;
        while (NowMs() < endMs)
        {
            cancel.ThrowIfCancellationRequested(); // first: Ctrl-C ends the guest too
            Require(guest);
            Thread.Sleep((int)Math.Clamp(endMs - NowMs(), 1, 50));
        }
    }

    static void Require(FioGuest guest)
    {
        if (guest.HasEnded)
            throw new PeerException("the guest ended before its time");
    }

    static double NowMs() => (DateTime.UtcNow - DateTime.UnixEpoch).TotalMilliseconds;
}
