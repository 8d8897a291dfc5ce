// A dirty bitmap with summaries: one bit per granule of a device, and above it levels in which one bit tells
// whether one line (8 words, 512 bits, 64 bytes) of the level below has any one bit. So an empty stretch of
// 512 granules costs one bit of level 1 and none of level 0, and a search touches one line per level.
//
//   level 0   1 bit per granule                  2^28 bits: 32 MiB       (16 TiB at 64 KiB)
//   level 1   bit i = line i of level 0 is dirty 2^19 bits: 64 KiB       stays in the second-level cache
//   level 2   bit i = line i of level 1 is dirty 2^10 bits: 128 bytes    the top: at most 64 words, scanned whole
//
// Why 512 and not 64 bits per summary bit: a line is what memory delivers and what one AVX-512 load compares,
// so fetching a line to look for one word of it is free; and the summaries are 8 times smaller (64 KiB, not
// 512 KiB, per 2^28 bits) and half as many, which is what set, clear and iterate pay for.
//
// Cost (n = bits, d = dirty lines): get O(1); set of one granule O(levels), 1..5; next dirty O(levels) lines;
// iterate and merge O(d + n / 2^18); next zero, invert, set all O(n / 512) at the speed of memory.
//
// Worked table: 300,000 granules of 1 byte, levels of 4688, 16 words; the third column is level 1.
//   Set(5, 1)          level 0 word 0    |= 0x20                   word 0 |= 1 << 0   (line 0)
//   Set(6, 1)          level 0 word 0    |= 0x40                   already set: one read, no store
//   Set(511, 2)        word 7 |= 1 << 63, word 8 |= 1 << 0         word 0 |= 1 << 1   (lines 0 and 1)
//   Reset(5, 2)        level 0 word 0    &= ~0x60                  line 0 still has word 7: unchanged
//   Reset(511, 1)      level 0 word 7    &= ~(1 << 63)             line 0 is zero: word 0 &= ~(1 << 0)
//   NextDirty(0)       word 0 of level 0: line zero -> level 1 word 0 has bit 1 -> line 1 -> bit 512
//
// Threads. Two classes of operations:
//   any thread   Set, SetBits, Reset, TryClaim, TryClaimRun, Get, the searches, Status, counts, DrainInto (as
//                its source), MergeLive (as its target), serialising (a mix of before and after per word)
//   exclusive    SetAll, ResetAll, SetExclusive, ResetExclusive, Truncate, Merge, And, AndNot, Invert, CopyFrom,
// deserialising, Dispose: the
//                caller guarantees that no other operation of this bitmap runs at the same time
//
// The concurrency argument. L = a line of level k, b = its bit in level k + 1.
//   Setter:  S1  store into L (atomic)        Clearer: C1  store into L that makes it zero (atomic)
//            S2  load b; S3 set b if 0                 C2  clear b (atomic)
//            then the same for the level above         C3  load L; C4 if not zero, act as a setter from S2 on
// Claim: at rest, L not zero implies b set. S1 and C2 are full fences (interlocked), so this is Dekker's
// pattern: either S2 comes before C2 in the order of b, and then C3 comes after S1 and sees L not zero, and C4
// sets b; or S2 comes after C2, reads 0, and S3 sets b. If C3 were missing, the first case would lose the bit
// for every search. If C4 restored only b and did not go on upwards, it would be lost one level higher: the
// setter has gone past level k + 2 while b was 0 and another clearer was taking b's own line for zero.
// If setters went from the top down, S2 would precede S1 and neither side would see the other.
// x86-64: locked instructions are full fences. arm64: the acquire-release atomics (casal, ldsetal, ldclral) that
// Interlocked compiles to order everything around them; loads that must not pass each other are
// Volatile.Read; a search orders level k + 1 before level k by address dependency.
// The converse is not kept: b may stay set over a zero line (a setter that lost the race with a claim stores S3
// late). Searches step over such lines, and the next clear of the line removes it.
//
// A set of a bit that is already one is a plain read of the word plus one plain read per level: the thread that
// set it may not have stored S3 yet, and when Set returns, the summaries must hold for this caller too.
// It is not a fence: a caller that publishes data by plain stores, not by a system call, fences before it.
//
// While a clearer is between C2 and C3, a search may miss bits of L, at most for that moment. So "nothing found"
// ends a pass, and CountBits() == 0 ends the work: the count never understates (see StripedCount).
// Wait-freedom: no operation waits for another thread. A store is a compare-exchange of one word and is retried
// only when another thread changed that very word: setters alone can cause that 64 times.
//
// What it does not do: keep a history, order sets among each other, or iterate the live bitmap (FrozenGeneration).
using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Bitmaps;

/// <summary>Dirty bits of a byte range, one per granule. Threads: per operation, see the file head.</summary>
/// <remarks>
/// Byte positions come from outside: a bad one is a <see cref="Fault"/> and changes nothing. Bit indices come
/// from our own code: a bad one is a failed <see cref="Check"/>. Owner of the memory: this object.
/// </remarks>
public sealed partial class HierarchicalBitmap : IDisposable
{
    public const ulong BitCountMax = 1UL << 41;
    public const ulong GranularityMaxBytes = 1UL << 31;
    public const ulong SizeLimitBytes = 1UL << 63;

    /// <summary>What a search returns when there is nothing.</summary>
    public const ulong NotFound = ulong.MaxValue;

    const ulong WarmBytes = 8 * Units.KiB;

    // --- changed by exclusive operations only
    AlignedRegion _region;
    BitmapShape _shape;
    StripedCount _count;
    nint _leafStart;
    int _topLevel;
    LevelStarts _levelStarts;
    ulong _sizeBytes;
    ulong _bitCount;

    // --- fixed at construction
    readonly int _granularityShift;
    readonly RegionResidency _residency;

    HierarchicalBitmap(AlignedRegion region, BitmapShape shape, int granularityShift, RegionResidency residency)
    {
        _granularityShift = granularityShift;
        _residency = residency;
        _region = region;
        _shape = shape;
        Adopt(region, shape);
    }

    /// <summary>An all-clean bitmap.</summary>
    /// <param name="sizeBytes">0..2^63; need not be a multiple of anything.</param>
    /// <param name="granularityBytes">A power of two, 1..2^31; sizeBytes / granularityBytes at most 2^41.</param>
    /// <param name="options">Residency and room for growth.</param>
    /// <param name="bitmap">The bitmap, or null after a fault.</param>
    /// <returns>None, Invalid (granularity), Range (size), NoMemory.</returns>
    public static Fault TryCreate(
        ulong sizeBytes,
        ulong granularityBytes,
        in BitmapOptions options,
        out HierarchicalBitmap? bitmap
    )
    {
        bitmap = null;
        if (!BitOperations.IsPow2(granularityBytes) || granularityBytes > GranularityMaxBytes)
            return new Fault(FaultKind.Invalid);
        int shift = BitOperations.TrailingZeroCount(granularityBytes);
        ulong sizeMaxBytes = Math.Max(sizeBytes, options.SizeMaxBytes);
        if (sizeMaxBytes > SizeLimitBytes || BitsFor(sizeMaxBytes, shift) > BitCountMax)
            return new Fault(FaultKind.Range);
        BitmapShape shape = new(BitsFor(sizeMaxBytes, shift));
        Fault fault = AlignedRegion.TryMap(shape.RegionBytes, options.Residency, out AlignedRegion? region);
        if (fault.IsFault)
            return fault;
        ulong warmBytes = options.IsWarm ? Math.Min(WarmBytes, shape.RegionBytes) : 0;
        region!.Touch(shape.RegionBytes - warmBytes, warmBytes); // counts are last, summaries before them
        bitmap = new HierarchicalBitmap(region, shape, shift, options.Residency)
        {
            _sizeBytes = sizeBytes,
            _bitCount = BitsFor(sizeBytes, shift),
        };
        return Fault.None;
    }

    /// <summary>As <see cref="TryCreate"/> with the default options, for sizes that our own code chose.</summary>
    public static HierarchicalBitmap Create(ulong sizeBytes, ulong granularityBytes) =>
        Create(sizeBytes, granularityBytes, default);

    /// <summary>As <see cref="TryCreate"/>; throws InsufficientMemoryException, and checks the arguments.</summary>
    public static HierarchicalBitmap Create(ulong sizeBytes, ulong granularityBytes, in BitmapOptions options)
    {
        Fault fault = TryCreate(sizeBytes, granularityBytes, in options, out HierarchicalBitmap? bitmap);
        if (fault.Kind == FaultKind.NoMemory)
            throw new InsufficientMemoryException($"cannot map a bitmap of {sizeBytes} bytes: {fault}");
        Check.That(fault.IsNone);
        return bitmap!;
    }

    public ulong SizeBytes => _sizeBytes;

    public ulong GranularityBytes => 1UL << _granularityShift;

    /// <summary>Granules, the last one possibly short.</summary>
    public ulong BitCount => _bitCount;

    /// <summary>Marks every granule that the byte range touches.</summary>
    /// <param name="offsetBytes">From the device start, any alignment, at most SizeBytes.</param>
    /// <param name="lengthBytes">May be 0; the sum must not pass SizeBytes.</param>
    /// <returns>None or Range.</returns>
    /// <remarks>Threads: any. Cost: one word per 64 granules; one read per level when all is set already.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Fault Set(ulong offsetBytes, ulong lengthBytes)
    {
        if (!new Extent(offsetBytes, lengthBytes).IsWithin(_sizeBytes))
            return new Fault(FaultKind.Range, 0, offsetBytes);
        if (lengthBytes == 0)
            return Fault.None;
        ulong first = offsetBytes >> _granularityShift;
        ulong last = (offsetBytes + (lengthBytes - 1)) >> _granularityShift;
        if (first == last)
            SetBit(first);
        else
            SetRange(first, last);
        return Fault.None;
    }

    /// <summary>Marks granules by index; the way back for a claim whose copy failed.</summary>
    /// <param name="firstBit">At most BitCount.</param>
    /// <param name="bitCount">May be 0; the sum must not pass BitCount.</param>
    /// <remarks>Threads: any.</remarks>
    public void SetBits(ulong firstBit, ulong bitCount)
    {
        Check.That(firstBit <= _bitCount);
        Check.That(bitCount <= _bitCount - firstBit);
        if (bitCount > 0)
            SetRange(firstBit, firstBit + bitCount - 1);
    }

    /// <summary>As <see cref="Set"/>, at the speed of memory, for a caller that is alone with the bitmap.</summary>
    /// <returns>None or Range.</returns>
    /// <remarks>Threads: exclusive. Parameters as <see cref="Set"/>.</remarks>
    public Fault SetExclusive(ulong offsetBytes, ulong lengthBytes)
    {
        if (!new Extent(offsetBytes, lengthBytes).IsWithin(_sizeBytes))
            return new Fault(FaultKind.Range, 0, offsetBytes);
        if (lengthBytes > 0)
            SetRangeExclusive(offsetBytes >> _granularityShift, BitsFor(offsetBytes + lengthBytes, _granularityShift));
        return Fault.None;
    }

    /// <summary>Cleans the granules of a byte range that covers whole granules.</summary>
    /// <param name="offsetBytes">A multiple of GranularityBytes.</param>
    /// <param name="lengthBytes">A multiple of GranularityBytes, or the range ends at SizeBytes.</param>
    /// <returns>None, Range or Align; after a fault nothing has changed.</returns>
    /// <remarks>
    /// Threads: any; of a set at the same time, either comes last. Cost: one exchange per dirty word.
    /// </remarks>
    public Fault Reset(ulong offsetBytes, ulong lengthBytes)
    {
        Fault fault = CheckReset(offsetBytes, lengthBytes);
        if (fault.IsNone && lengthBytes > 0)
            ResetRange(offsetBytes >> _granularityShift, (offsetBytes + lengthBytes - 1) >> _granularityShift);
        return fault;
    }

    /// <summary>As <see cref="Reset"/>, at the speed of memory, for a caller that is alone with the bitmap.</summary>
    /// <returns>None, Range or Align; after a fault nothing has changed.</returns>
    /// <remarks>Threads: exclusive. Parameters as <see cref="Reset"/>. Cost: dirty lines.</remarks>
    public Fault ResetExclusive(ulong offsetBytes, ulong lengthBytes)
    {
        Fault fault = CheckReset(offsetBytes, lengthBytes);
        if (fault.IsNone && lengthBytes > 0)
            ResetRangeExclusive(
                offsetBytes >> _granularityShift,
                BitsFor(offsetBytes + lengthBytes, _granularityShift)
            );
        return fault;
    }

    /// <summary>Whether the granule of a byte is dirty.</summary>
    /// <param name="offsetBytes">Less than SizeBytes.</param>
    /// <param name="isDirty">False after a fault.</param>
    /// <returns>None or Range.</returns>
    /// <remarks>Threads: any.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Fault Get(ulong offsetBytes, out bool isDirty)
    {
        if (offsetBytes >= _sizeBytes)
        {
            isDirty = false;
            return new Fault(FaultKind.Range, 0, offsetBytes);
        }
        ulong bit = offsetBytes >> _granularityShift;
        isDirty = ((Volatile.Read(ref Leaf(bit >> 6)) >> (int)bit) & 1) != 0;
        return Fault.None;
    }

    /// <summary>Whether one granule is dirty.</summary>
    /// <param name="bit">Less than BitCount.</param>
    /// <remarks>Threads: any.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool GetBit(ulong bit)
    {
        Check.That(bit < _bitCount);
        return ((Volatile.Read(ref Leaf(bit >> 6)) >> (int)bit) & 1) != 0;
    }

    /// <summary>Dirty granules. Exact at rest; never less than the bits set before the call and still set.</summary>
    /// <remarks>Threads: any. Cost: 33 reads.</remarks>
    public ulong CountBits() => Math.Min(_count.Read(), _bitCount);

    /// <summary>Dirty bytes: granules times granularity, less what the last granule is short of.</summary>
    /// <remarks>Threads: any, as exact as <see cref="CountBits"/>.</remarks>
    public ulong CountBytes()
    {
        ulong bits = CountBits();
        if (bits == 0)
            return 0;
        ulong missing = unchecked(0 - _sizeBytes) & (GranularityBytes - 1);
        return (bits << _granularityShift) - (GetBit(_bitCount - 1) ? missing : 0);
    }

    /// <summary>Cleans everything.</summary>
    /// <remarks>Threads: exclusive. Cost: dirty lines only, at the speed of memory.</remarks>
    public void ResetAll()
    {
        ClearDirtyLines();
        _count.Restart(0);
    }

    /// <summary>Marks everything.</summary>
    /// <remarks>Threads: exclusive. Cost: every line, at the speed of memory.</remarks>
    public void SetAll()
    {
        FillOnes(0, _bitCount);
        _count.Restart(_bitCount);
    }

    public void Dispose() => _region.Dispose();

    Fault CheckReset(ulong offsetBytes, ulong lengthBytes)
    {
        if (!new Extent(offsetBytes, lengthBytes).IsWithin(_sizeBytes))
            return new Fault(FaultKind.Range, 0, offsetBytes);
        ulong end = offsetBytes + lengthBytes;
        if (!Units.IsAligned(offsetBytes, GranularityBytes) && lengthBytes > 0)
            return new Fault(FaultKind.Align, 0, offsetBytes);
        if (!Units.IsAligned(end, GranularityBytes) && end != _sizeBytes)
            return new Fault(FaultKind.Align, 0, end);
        return Fault.None;
    }

    static ulong BitsFor(ulong sizeBytes, int shift) =>
        (sizeBytes >> shift) + ((sizeBytes & ((1UL << shift) - 1)) != 0 ? 1UL : 0UL);
}
