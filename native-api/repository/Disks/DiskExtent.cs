// A blob of a disk, and where on the disk its text lies.
namespace FastBackup.Repositories;

/// <param name="OffsetBytes">On the disk.</param>
/// <param name="LengthBytes">Of the text.</param>
/// <param name="Id">The blob.</param>
/// <param name="IsKnown">The repository has it, as far as its index and the lengths of packs tell.</param>
readonly record struct DiskExtent(ulong OffsetBytes, ulong LengthBytes, BlobId Id, bool IsKnown);
