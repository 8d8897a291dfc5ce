// One area of a tracker file: a run of whole pages with one use. The header lists them all, so that later versions add
// areas (tokens) without moving what is there. With checkpoints there are two fine areas for each map, and two for the
// table of points.
namespace FastBackup.Tracking.Format;

enum AreaKind : ushort
{
    /// <summary>The bits of the map that records, as they are in memory: no head, no checksum.</summary>
    Live = 1,
    FineFirst = 2,
    FineSecond = 3,
    IntentsFirst = 4,
    IntentsSecond = 5,

    /// <summary>The table of points; none: there is only the last backup, and the map that records begins at it.
    /// </summary>
    PointsFirst = 6,
    PointsSecond = 7,
}

/// <summary>Immutable.</summary>
/// <param name="Kind">May be one that this version does not know.</param>
/// <param name="Flags">Bit 0: who does not know the kind must leave the whole file alone. Others are ignored.</param>
/// <param name="MapId">Whose bits these are; 0: no map's, or all maps'. Of a table, its own id.</param>
/// <param name="OffsetBytes">A multiple of 4096, behind the two headers.</param>
/// <param name="LengthBytes">A multiple of 4096, above 0; may be more than the disk needs, as room for growth.</param>
readonly record struct TrackerArea(AreaKind Kind, ushort Flags, ulong MapId, ulong OffsetBytes, ulong LengthBytes)
{
    public const ushort MustBeKnown = 1;

    public ulong EndBytes => OffsetBytes + LengthBytes;

    public bool IsKnown => Kind is >= AreaKind.Live and <= AreaKind.PointsSecond;
}
