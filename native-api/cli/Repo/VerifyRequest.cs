// What 'repo verify' is asked to look at.
namespace FastBackup.Cli;

/// <param name="Part">1..Parts, of the packs; 0: none is read.</param>
/// <param name="Parts">1: all of them.</param>
/// <param name="IsRepaired">The index is rid of what is damaged.</param>
/// <param name="Against">A disk that the point must be; null: none.</param>
/// <param name="At">That point.</param>
/// <param name="Disk">Of it.</param>
/// <param name="IsLockIgnored">Nobody is asked whether that disk is in use.</param>
sealed record VerifyRequest(
    int Part,
    int Parts,
    bool IsRepaired,
    string? Against,
    string At,
    string? Disk,
    bool IsLockIgnored
);
