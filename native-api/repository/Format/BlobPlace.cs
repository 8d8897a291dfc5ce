// Where a blob lies: in which pack, from where, how long sealed, and how long its text is.
namespace FastBackup.Repositories;

enum BlobKind : byte
{
    /// <summary>A part of a file.</summary>
    Content = 0,

    /// <summary>A folder's entries.</summary>
    Tree = 1,
}

/// <param name="PackIndex">In the table of packs of whoever has it.</param>
/// <param name="OffsetBytes">In the pack.</param>
/// <param name="SealedBytes">With IV and authenticator.</param>
/// <param name="TextBytes">Of the text, decompressed.</param>
/// <param name="IsCompressed">What was sealed is compressed.</param>
/// <param name="Kind">What it is.</param>
readonly record struct BlobPlace(
    int PackIndex,
    uint OffsetBytes,
    uint SealedBytes,
    uint TextBytes,
    bool IsCompressed,
    BlobKind Kind
);

/// <summary>A blob of a pack, by name.</summary>
readonly record struct PackedBlob(BlobId Id, BlobPlace Place);
