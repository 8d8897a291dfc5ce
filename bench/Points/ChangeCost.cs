// What an incremental backup has cost.
namespace FastBackup.Bench.Points;

/// <param name="StoredPerByte">Bytes of content stored for a byte changed.</param>
/// <param name="ReadPerByte">Bytes read from the disk for one.</param>
/// <param name="MetadataPerTebi">Bytes of lists and index for a TiB of disk.</param>
/// <param name="Seconds">Of the backup.</param>
sealed record ChangeCost(double StoredPerByte, double ReadPerByte, double MetadataPerTebi, double Seconds);
