// What has changed, as it is now: bits in this process's memory, which guests read, and a mirror of them that a kill
// leaves behind. The mirror first, then the memory: a bit that is seen in memory is in the mirror. So a write to a
// granule that was written to before costs a read of one word; the first one to it costs a system call (LiveFile).
//
// Why two: an instruction on a mapping of a file is a signal when the file was cut or fails, and a signal is the host's
// end. Nothing in here reads or writes such memory.
// Memory: one bit a granule, and as much in the mirror.
using System.Numerics;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Tracking.Live;

/// <summary>Threads: any.</summary>
/// <param name="bits">One a granule; the caller's, and changed here.</param>
/// <param name="mirror">Has what the bits have; null: a kill is like a power cut.</param>
sealed class LiveMap(HierarchicalBitmap bits, ILiveMirror? mirror)
{
    const ulong OneByOneMax = 64;

    readonly int _shift = BitOperations.Log2(bits.GranularityBytes);

    public ILiveMirror? Mirror => mirror;

    public HierarchicalBitmap Bits => bits;

    /// <summary>Marks all granules of a range that is about to change.</summary>
    /// <returns>False: the mirror may not have it.</returns>
    public bool TryMark(in Extent extent)
    {
        if (extent.IsEmpty)
            return true;
        ulong first = extent.OffsetBytes >> _shift;
        ulong last = (extent.EndBytes - 1) >> _shift;
        if (first == last ? bits.GetBit(first) : bits.NextCleanBit(first, last + 1) == HierarchicalBitmap.NotFound)
            return true;
        ulong end = last + 1;
        if (mirror != null && !TryMirror(first, end))
            return false;
        bits.SetBits(first, end - first);
        return true;
    }

    bool TryMirror(ulong first, ulong end)
    {
        if (end - first > OneByOneMax)
            return mirror!.TrySetRange(first, end - first);
        ulong granule = first;
        while ((granule = bits.NextCleanBit(granule, end)) < end)
            if (!mirror!.TrySet(granule++))
                return false;
        return true;
    }
}
