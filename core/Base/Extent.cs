// A half-open byte range of a device: [OffsetBytes, OffsetBytes + LengthBytes).
namespace FastBackup.Base;

/// <param name="OffsetBytes">From the device start.</param>
/// <param name="LengthBytes">May be 0; offset plus length never wraps (checked where extents enter).</param>
public readonly record struct Extent(ulong OffsetBytes, ulong LengthBytes)
{
    public ulong EndBytes => OffsetBytes + LengthBytes;

    public bool IsEmpty => LengthBytes == 0;

    public bool Overlaps(in Extent other) => OffsetBytes < other.EndBytes && other.OffsetBytes < EndBytes;

    /// <summary>True when the whole range lies within [0, capacityBytes), also for sums that would wrap.</summary>
    public bool IsWithin(ulong capacityBytes) =>
        OffsetBytes <= capacityBytes && LengthBytes <= capacityBytes - OffsetBytes;
}
