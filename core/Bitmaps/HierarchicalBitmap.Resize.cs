// Growing and shrinking with the device. Within the room kept at creation this only moves the end; past it,
// a new region is mapped and the dirty lines are copied.
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    /// <summary>Changes the size. Growth is clean; shrinking drops exactly the granules past the new end.</summary>
    /// <param name="sizeBytes">As at creation. A granule that becomes whole or short keeps its state.</param>
    /// <returns>None, Range, or NoMemory; after a fault nothing has changed.</returns>
    /// <remarks>
    /// Threads: exclusive. Cost: dirty lines dropped, or all dirty lines when a new region is needed.
    /// </remarks>
    public Fault Truncate(ulong sizeBytes)
    {
        if (sizeBytes > SizeLimitBytes || BitsFor(sizeBytes, _granularityShift) > BitCountMax)
            return new Fault(FaultKind.Range, 0, sizeBytes);
        ulong bitCount = BitsFor(sizeBytes, _granularityShift);
        if (bitCount > _shape.BitCountMax)
        {
            Fault fault = Remap(bitCount);
            if (fault.IsFault)
                return fault;
        }
        if (bitCount < _bitCount)
            ResetRangeExclusive(bitCount, _bitCount);
        _bitCount = bitCount;
        _sizeBytes = sizeBytes;
        return Fault.None;
    }

    Fault Remap(ulong bitCountMax)
    {
        BitmapShape shape = new(bitCountMax);
        Fault fault = AlignedRegion.TryMap(shape.RegionBytes, _residency, out AlignedRegion? region);
        if (fault.IsFault)
            return fault;
        HierarchicalBitmap larger = new(region!, shape, _granularityShift, _residency)
        {
            _sizeBytes = _sizeBytes,
            _bitCount = _bitCount,
        };
        larger.TakeBlocks(this);
        ulong count = larger.CountBits();
        _region.Dispose();
        Adopt(region!, shape);
        _count.Restart(count);
        return Fault.None;
    }
}
