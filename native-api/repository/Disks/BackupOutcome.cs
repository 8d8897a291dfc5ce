// What the backup of one disk of a point has made.
namespace FastBackup.Repositories;

/// <param name="StoredBytes">New in the repository: sealed chunks and lists.</param>
/// <param name="NewBlobCount">New in the repository.</param>
sealed record BackupOutcome(ulong StoredBytes, ulong NewBlobCount);
