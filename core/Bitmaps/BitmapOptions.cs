// How much memory a bitmap takes, and when.
using FastBackup.Memory;

namespace FastBackup.Bitmaps;

/// <summary>How the memory of a <see cref="HierarchicalBitmap"/> is taken. The default suits most bitmaps.</summary>
/// <param name="IsResident">
/// True takes every page at once, in huge pages where the kernel grants them. False takes address space only, and
/// pages at the first set, so a sparse bitmap stays small.
/// </param>
/// <param name="SizeMaxBytes">
/// Room for growth: Truncate up to this size maps nothing. 0 = the size at creation. At most 2^41 granules.
/// </param>
/// <param name="IsWarm">
/// True takes the pages at once that nearly every set needs, 8 KiB of counts and summaries: for one of thousands that
/// a guest's write must set one after the other.
/// </param>
public readonly record struct BitmapOptions(bool IsResident = false, ulong SizeMaxBytes = 0, bool IsWarm = false)
{
    internal RegionResidency Residency => IsResident ? RegionResidency.Resident : RegionResidency.Lazy;
}
