// How fio's two jobs ask for their data.
using System.Globalization;
using System.Linq;
using FastBackup.Base;

namespace FastBackup.Bench.Peers;

/// <param name="BlockBytes">Size of one request.</param>
/// <param name="Depth">Requests in flight of each of the two jobs.</param>
public readonly record struct FioShape(ulong BlockBytes, uint Depth)
{
    /// <summary>Tried in every run.</summary>
    public static FioShape[] Usual =>
        [new(Units.MiB, 8), new(Units.MiB, 2), new(Units.MiB, 4), new(Units.MiB, 16), new(2 * Units.MiB, 8)];

    /// <summary>Tried when there is time.</summary>
    public static FioShape[] Thorough =>
        [
            .. new uint[] { 256, 512, 1024, 2048 }.SelectMany(blockKiB =>
                new uint[] { 2, 4, 8, 16 }.Select(depth => new FioShape(blockKiB * Units.KiB, depth))
            ),
        ];

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"bs {BlockBytes / Units.KiB} KiB, depth {Depth}");
}
