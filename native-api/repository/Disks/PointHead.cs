// What all disks of a point have in common.
using System;

namespace FastBackup.Repositories;

/// <param name="Host">Whose disks.</param>
/// <param name="Time">T0, of all of them.</param>
/// <param name="Tags">Words on the point.</param>
sealed record PointHead(string Host, DateTime Time, string[] Tags)
{
    public int PackBytes { get; init; } = PackBytesUsual;

    public const int PackBytesUsual = 64 << 20;
    public const int PackBytesMin = 16 << 20;
    public const int PackBytesMax = 128 << 20;
}
