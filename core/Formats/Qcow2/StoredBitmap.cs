// A bitmap as an image is to have it.
using FastBackup.Bitmaps;

namespace FastBackup.Formats.Qcow2;

/// <summary>Either Kept or Bits.</summary>
/// <param name="Name">1 to 1023 bytes of UTF-8; no other of the image has it.</param>
/// <param name="IsRecording">Whoever opens the image for writing records in it.</param>
/// <param name="Bits">Of the image's disk; what it has behind their end is clean. Owner: the caller.</param>
/// <param name="Kept">It stays as it is in the file.</param>
public sealed record StoredBitmap(string Name, bool IsRecording, HierarchicalBitmap? Bits, Qcow2Bitmap? Kept = null);
