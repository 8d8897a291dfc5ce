// What serves a guest its disk and backs it up meanwhile: FastBackup or QEMU, driven in the same way.
using System;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one. One backup at most in a host's life; Dispose cancels one that still runs.</summary>
interface IBackupHost : IDisposable
{
    string Name { get; }

    /// <summary>Where the guest's disk is served over NBD, as the export "disk".</summary>
    string SocketPath { get; }

    /// <summary>Begins a full backup; returns when it has been accepted.</summary>
    void StartBackup(CancellationToken cancel);

    /// <summary>Whether all has been copied; cheap enough to be asked all the time.</summary>
    /// <exception cref="PeerException">The backup failed.</exception>
    bool HasCopied();

    /// <summary>How far the backup has come.</summary>
    BackupPace Pace();

    /// <summary>Asks the backup to end at once, and waits.</summary>
    /// <param name="limit">No longer than this.</param>
    CancelTimes Cancel(TimeSpan limit);

    /// <summary>From now on no write to the target is answered; only for a limited target.</summary>
    void FreezeTarget();

    void ThawTarget();
}
