// One call to the storage of a tracker file.
namespace FastBackup.Tracking.Store;

/// <summary>Immutable.</summary>
/// <param name="IsFlush">All steps before it are durable when it ends; else a write.</param>
/// <param name="BufferOffsetBytes">Of what is written, in the batch's buffer.</param>
/// <param name="LengthBytes">Whole pages; 0 for a flush.</param>
/// <param name="OffsetBytes">In the file, a whole page.</param>
readonly record struct TrackerStep(bool IsFlush, int BufferOffsetBytes, int LengthBytes, ulong OffsetBytes);
