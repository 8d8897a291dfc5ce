// When a backup may start its next chunk: the rate limit, the governor, and the timer for the time when either will let
// it. It listens to the disk's guests from T0 to the end, and says to the copy engine when captured data may go out.
// Cost: O(1) per chunk and per guest request. Does not know what is copied.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Pacing;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
sealed class BackupPacer : IGuestListener, ICopyPacer
{
    readonly IBackupWork _work;
    readonly CopyEngine _engine;
    readonly GuestPulse _pulse;
    readonly JobTimer _timer;
    readonly LatencyGovernor _governor;
    readonly RateLimit _rate = new();

    /// <param name="work">Told when guests have gone.</param>
    /// <param name="timer">The job's: due when something may start that may not now.</param>
    /// <param name="engine">Whose chunks these are.</param>
    /// <param name="bufferBytes">Of the pool: the longest chunk.</param>
    /// <param name="pulse">The guests of the source.</param>
    /// <param name="options">The job's.</param>
    public BackupPacer(
        IBackupWork work,
        JobTimer timer,
        CopyEngine engine,
        uint bufferBytes,
        GuestPulse pulse,
        BackupOptions options
    )
    {
        (_work, _timer, _engine, _pulse) = (work, timer, engine, pulse);
        uint chunkBytesMin = Math.Max(options.Filter.ClusterBytes, (uint)(64 * Units.KiB));
        _governor = new LatencyGovernor(
            Math.Min(bufferBytes, chunkBytesMin),
            bufferBytes,
            engine.BackgroundBytesMax,
            pulse,
            options.GuestPriority
        );
        _rate.Set(options.SpeedBytesPerSecond, timer.NowNs);
    }

    public ulong WindowBytes => _governor.WindowBytes;

    /// <summary>The longest chunk to start now.</summary>
    public uint ChunkBytes => _governor.ChunkBytes;

    /// <summary>0 = no limit.</summary>
    public ulong SpeedBytesPerSecond => _rate.BytesPerSecond;

    public GuestPriority Priority
    {
        get => _governor.Priority;
        set => _governor.Priority = value;
    }

    /// <summary>The point in time is now: guests are listened to.</summary>
    public void Start()
    {
        _pulse.Join(this);
        _governor.Start(_timer.NowNs);
    }

    public void Stop() => _pulse.Leave(this);

    /// <param name="bytesPerSecond">0 = no limit.</param>
    public void SetSpeed(ulong bytesPerSecond)
    {
        _rate.Set(bytesPerSecond, _timer.NowNs);
        Forget();
    }

    /// <summary>What was measured says nothing about what comes.</summary>
    public void Forget() => _governor.Forget(_timer.NowNs);

    /// <summary>Room in the window, a buffer, leave of the rate limit; else the timer is set if that helps.</summary>
    /// <param name="notBeforeNs">Of the back-off after failures.</param>
    public bool MayStart(ulong notBeforeNs)
    {
        if (!_engine.CanStart(CopyLane.Background))
            return false;
        ulong nowNs = _timer.NowNs;
        bool isFree = _rate.IsFree(nowNs, out ulong retryAtNs);
        retryAtNs = Math.Max(isFree ? 0 : retryAtNs, notBeforeNs);
        if (retryAtNs > nowNs)
        {
            _timer.StartBy(retryAtNs);
            return false;
        }
        bool mayStart = _governor.MayStart(_engine.DeviceBytes, nowNs, out retryAtNs);
        if (!mayStart && retryAtNs != 0)
            _timer.StartBy(retryAtNs);
        return mayStart;
    }

    /// <summary>A chunk of data was started.</summary>
    public void OnStarted(ulong lengthBytes) => _rate.Take(lengthBytes, _timer.NowNs);

    /// <summary>And was copied.</summary>
    public void OnCopied(ulong lengthBytes) => _governor.OnChunkDone(lengthBytes, _timer.NowNs);

    bool ICopyPacer.MayWrite(ulong deviceBytes, ulong lengthBytes)
    {
        bool mayWrite = _governor.MayDrain(deviceBytes, lengthBytes, _timer.NowNs, out ulong retryAtNs);
        if (!mayWrite && retryAtNs != 0)
            _timer.StartBy(retryAtNs);
        return mayWrite;
    }

    void ICopyPacer.OnWritten(ulong lengthBytes) => _governor.OnDrained(lengthBytes, _timer.NowNs);

    bool IGuestListener.IsLoading => _engine.DeviceBytes > 0 && !_governor.IsDrained;

    void IGuestListener.OnGuestDone(in GuestSample sample) => _governor.OnGuestDone(sample);

    void IGuestListener.OnGuestsGone()
    {
        if (_governor.IsGated)
            _work.GoOnLater();
    }
}
