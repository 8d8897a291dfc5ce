// What 'repo restore' is asked to do.
namespace FastBackup.Cli;

/// <param name="At">Which point.</param>
/// <param name="Disk">Of it; null: the only one.</param>
/// <param name="Target">File, block device or NBD URI.</param>
/// <param name="IsOnto">The target is a disk; only what differs is written.</param>
/// <param name="IsForced">May replace a file or overwrite a block device.</param>
/// <param name="IsResumed">A left-over partial is gone on with.</param>
/// <param name="IsLockIgnored">Nobody is asked whether the target is in use.</param>
sealed record RestoreRequest(
    string At,
    string? Disk,
    string Target,
    bool IsOnto,
    bool IsForced,
    bool IsResumed,
    bool IsLockIgnored
);
