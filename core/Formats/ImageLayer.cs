// What one file of a chain of images is, as far as its first bytes and its lists tell.
using System.Collections.Generic;
using FastBackup.Formats.Qcow2;

namespace FastBackup.Formats;

/// <param name="Path">As it was opened.</param>
/// <param name="Format">"raw", "qcow2", or what else it looks like.</param>
/// <param name="SizeBytes">Of its disk; of an unknown format of its file.</param>
/// <param name="FileBytes">Of its file.</param>
public sealed record ImageLayer(string Path, string Format, ulong SizeBytes, ulong FileBytes)
{
    /// <summary>Of a qcow2 image.</summary>
    public Qcow2Header? Header { get; init; }

    public IReadOnlyList<Qcow2Snapshot> Snapshots { get; init; } = [];

    public IReadOnlyList<Qcow2Bitmap> Bitmaps { get; init; } = [];
}
