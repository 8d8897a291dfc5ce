// Where a disk's only watcher lets every write pass: its regions are open and its granules marked already. Two reads of
// bits in this process's memory, without a call through an interface, say what IWriteWatcher.Protects and TryMark would
// say; a no means that these must be asked.
//
// Given by the watcher for as long as its answers are those of the two bitmaps; taken back before they are others. A
// guest that has found it just before then passes as if it had asked then.
using System.Numerics;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Filter;

/// <summary>Threads: any.</summary>
/// <param name="open">One bit a region of the disk; the watcher's.</param>
/// <param name="marked">One bit a granule of the disk, none larger than a region; the watcher's.</param>
sealed class MarkedGround(HierarchicalBitmap open, HierarchicalBitmap marked)
{
    readonly int _regionShift = BitOperations.Log2(open.GranularityBytes);
    readonly int _granuleShift = BitOperations.Log2(marked.GranularityBytes);

    /// <param name="extent">Within the disk.</param>
    /// <returns>True: it is all of one granule that is marked and lies in an open region.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Has(in Extent extent)
    {
        ulong granule = extent.OffsetBytes >> _granuleShift;
        return !extent.IsEmpty
            && (extent.EndBytes - 1) >> _granuleShift == granule
            && open.GetBit(extent.OffsetBytes >> _regionShift)
            && marked.GetBit(granule);
    }
}
