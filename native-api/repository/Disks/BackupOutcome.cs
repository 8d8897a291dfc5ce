// What a backup into a repository has made.
namespace FastBackup.Repositories;

/// <param name="Point">The snapshot.</param>
/// <param name="IsIncremental">Chunks were taken from the parent.</param>
/// <param name="StoredBytes">New in the repository, metadata too, but for the snapshot.</param>
/// <param name="NewBlobCount">New in the repository.</param>
sealed record BackupOutcome(BlobId Point, bool IsIncremental, ulong StoredBytes, ulong NewBlobCount);
