// Where the directory of persistent bitmaps lies.
namespace FastBackup.Formats.Qcow2;

/// <param name="Count">Bitmaps, at least 1.</param>
/// <param name="DirectoryBytes">Of the directory.</param>
/// <param name="DirectoryOffsetBytes">On a cluster.</param>
public sealed record Qcow2BitmapTable(uint Count, ulong DirectoryBytes, ulong DirectoryOffsetBytes);
