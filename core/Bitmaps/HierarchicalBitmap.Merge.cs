// Bringing bitmaps together: merge, copy, drain. All walk the source's level 1, a word of it (a block of 64
// lines, 4 KiB of level 0) at a time: a block with many dirty lines is done in one go at the speed of memory, one with
// few line by line.
//
// Rules. Granularities and sizes may differ; every dirty byte of the source is dirty in the result, rounded outwards
// to the result's granules. A source with a dirty byte past the result's end is a Range fault, and nothing
// changes: dropping it would lose a dirty bit. An empty source is fine. The result may be one of the sources.
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    const ulong BlockLines = 64;

    /// <summary>
    /// From this many dirty lines of 64 on, a block is combined whole: 4 KiB in a row beat 24 single lines.
    /// </summary>
    const int DenseLineCount = 24;

    /// <summary>
    /// How far misses are started ahead: at 1e-4 a block has 3 dirty lines, so 30 to 60 are in flight.
    /// </summary>
    const ulong PrefetchBlocksAhead = 10;

    /// <summary>Adds the dirty bytes of another bitmap; see the rules in the file head.</summary>
    /// <returns>None or Range; after a fault nothing has changed.</returns>
    /// <remarks>Threads: exclusive on this bitmap; sets of the source meanwhile may be missed.</remarks>
    public Fault Merge(HierarchicalBitmap source) => Merge(this, source, this);

    /// <summary>result = left | right. The result may be either source; else its old content is dropped.</summary>
    /// <returns>None or Range; after a fault nothing has changed.</returns>
    /// <remarks>Threads: exclusive on the result; sets of the sources meanwhile may be missed.</remarks>
    public static Fault Merge(HierarchicalBitmap left, HierarchicalBitmap right, HierarchicalBitmap result)
    {
        Fault fault = result.CheckFits(left);
        if (fault.IsNone)
            fault = result.CheckFits(right);
        if (fault.IsFault)
            return fault;
        if (!ReferenceEquals(left, result) && !ReferenceEquals(right, result))
            result.ResetAll();
        if (!ReferenceEquals(left, result))
            result.Take(left);
        if (!ReferenceEquals(right, result) && !ReferenceEquals(right, left))
            result.Take(right);
        return Fault.None;
    }

    /// <summary>Makes this bitmap cover exactly the source's dirty bytes, rounded outwards.</summary>
    /// <returns>None or Range; after a fault nothing has changed.</returns>
    /// <remarks>Threads: exclusive on this bitmap.</remarks>
    public Fault CopyFrom(HierarchicalBitmap source) => Merge(source, source, this);

    /// <summary>
    /// As <see cref="Merge(HierarchicalBitmap)"/>, beside sets and claims of this bitmap by other threads.
    /// </summary>
    /// <returns>None or Range; after a fault nothing has changed.</returns>
    /// <remarks>Threads: any on this bitmap. Cost: one compare-exchange per word that gains bits.</remarks>
    public Fault MergeLive(HierarchicalBitmap source)
    {
        Fault fault = CheckFits(source);
        if (fault.IsFault || ReferenceEquals(source, this))
            return fault;
        if (source._granularityShift != _granularityShift)
        {
            TakeAreas(source, isLive: true);
            return Fault.None;
        }
        ulong lineCount = System.Math.Min(source.LeafLines, LeafLines); // past it the source has no dirty bit
        for (ulong line = source.NextDirtyLine(0, lineCount); line != NotFound; )
        {
            ulong block = line / BlockLines;
            ulong end = System.Math.Min(lineCount, (block + 1) * BlockLines);
            PrefetchBlocks(source, block + PrefetchBlocksAhead, lineCount);
            ulong merged = 0;
            for (ulong rest = source.BlockMask(block) & MaskBetween(line, end - 1); rest != 0; rest &= rest - 1)
                if (StoreLine(source, block * BlockLines + (uint)BitOperations.TrailingZeroCount(rest)))
                    merged |= rest & (0 - rest);
            RaiseBlock(block, merged);
            line = source.NextDirtyLine(end, lineCount);
        }
        return Fault.None;
    }

    /// <summary>A part of <see cref="MergeLive"/>, for callers that have other things to do between two.</summary>
    /// <param name="source">Not larger than this bitmap, of any granularity; may be set by others meanwhile.</param>
    /// <param name="fromBytes">0, or what the part before returned.</param>
    /// <param name="stepsMax">Dirty lines, or runs where granularities differ.</param>
    /// <returns>Where to go on; the source's size when all was taken.</returns>
    /// <remarks>Threads: any on both.</remarks>
    public ulong MergeLivePart(HierarchicalBitmap source, ulong fromBytes, uint stepsMax)
    {
        Check.That(source._sizeBytes <= _sizeBytes);
        Check.That(fromBytes <= source._sizeBytes);
        if (source._granularityShift != _granularityShift)
            return TakeAreasLive(source, fromBytes, stepsMax);
        int shift = _granularityShift + LineShift;
        ulong lineCount = Units.DivCeil(source._bitCount, LineWords * 64);
        ulong line = source.NextDirtyLine(fromBytes >> shift, lineCount);
        for (uint step = 0; line != NotFound; step++)
        {
            if (step == stepsMax)
                return line << shift;
            MergeLine(source, line);
            line = source.NextDirtyLine(line + 1, lineCount);
        }
        return source._sizeBytes;
    }

    ulong TakeAreasLive(HierarchicalBitmap source, ulong fromBytes, uint stepsMax)
    {
        for (uint step = 0; step < stepsMax; step++)
        {
            Fault fault = source.NextDirtyArea(fromBytes, source._sizeBytes, ulong.MaxValue, out Extent area);
            Check.That(fault.IsNone);
            if (area.IsEmpty)
                return source._sizeBytes;
            Check.That(Set(area.OffsetBytes, area.LengthBytes).IsNone);
            fromBytes = area.EndBytes;
        }
        return fromBytes;
    }

    /// <summary>Adds one line of a bitmap of the same granularity, beside other threads.</summary>
    void MergeLine(HierarchicalBitmap source, ulong line)
    {
        if (StoreLine(source, line))
            RaiseSummaries(1, line);
    }

    /// <summary>As MergeLine, without the summaries: they are the caller's.</summary>
    /// <returns>False when the source's line is zero.</returns>
    bool StoreLine(HierarchicalBitmap source, ulong line)
    {
        uint words = BitmapKernels.NonZeroWords(in source.Leaf(line * LineWords));
        if (words == 0)
            return false;
        Line fresh = default; // of each word, what it gains; read once, for others may set more meanwhile
        Line seen = default;
        ulong gained = 0;
        for (uint rest = words; rest != 0; rest &= rest - 1)
        {
            int word = BitOperations.TrailingZeroCount(rest);
            seen[word] = Volatile.Read(ref Leaf(line * LineWords + (uint)word));
            fresh[word] = Volatile.Read(ref source.Leaf(line * LineWords + (uint)word)) & ~seen[word];
            gained += (uint)BitOperations.PopCount(fresh[word]);
        }
        if (gained == 0)
            return true;
        _count.Add(line, gained); // before any store: it never understates
        ulong tooMany = 0;
        for (uint rest = words; rest != 0; rest &= rest - 1)
        {
            int word = BitOperations.TrailingZeroCount(rest);
            if (fresh[word] == 0)
                continue;
            ref ulong target = ref Leaf(line * LineWords + (uint)word);
            ulong before = Interlocked.CompareExchange(ref target, seen[word] | fresh[word], seen[word]);
            if (before == seen[word])
                continue;
            tooMany += (uint)BitOperations.PopCount(fresh[word]);
            StoreOnes(line * LineWords + (uint)word, fresh[word], before); // counts for itself
        }
        if (tooMany > 0)
            _count.Subtract(line, tooMany);
        return true;
    }

    [InlineArray((int)LineWords)]
    struct Line
    {
        ulong _first;
    }

    /// <summary>Moves every dirty bit into another bitmap while other threads go on setting bits here.</summary>
    /// <param name="target">Same size and granularity; gains the bits, keeps its own.</param>
    /// <returns>None, or Invalid when the shapes differ or the target is this bitmap.</returns>
    /// <remarks>
    /// A bit whose Set returned before the call is in the target afterwards; one set meanwhile is in the target or
    /// still here; none is in neither. That needs no claim, reset or other drain of this bitmap at the same time.
    /// Threads: any on this bitmap within that rule, exclusive on the target. Cost: one exchange per dirty word.
    /// </remarks>
    public Fault DrainInto(HierarchicalBitmap target)
    {
        if (ReferenceEquals(target, this) || !HasShapeOf(target))
            return new Fault(FaultKind.Invalid);
        ulong added = 0;
        ulong moved = 0;
        for (ulong line = NextDirtyLine(0, LeafLines); line != NotFound; )
        {
            ulong block = line / BlockLines;
            PrefetchBlocks(target, block + PrefetchBlocksAhead, LeafLines);
            for (ulong lines = BlockMask(block); lines != 0; lines &= lines - 1)
                added += DrainLine(
                    target,
                    block * BlockLines + (uint)BitOperations.TrailingZeroCount(lines),
                    ref moved
                );
            line = NextDirtyLine((block + 1) * BlockLines, LeafLines);
        }
        _count.SubtractFromBase(moved);
        target._count.Restart(target.CountBits() + added);
        return Fault.None;
    }

    /// <summary>Moves one line; returns what the target gained, and adds what was moved.</summary>
    ulong DrainLine(HierarchicalBitmap target, ulong line, ref ulong moved)
    {
        ulong added = 0;
        ulong movedBefore = moved;
        uint words = BitmapKernels.NonZeroWords(in Leaf(line * LineWords));
        for (; words != 0; words &= words - 1)
        {
            ulong word = line * LineWords + (uint)BitOperations.TrailingZeroCount(words);
            ulong bits = Interlocked.Exchange(ref Leaf(word), 0);
            ref ulong targetWord = ref target.Leaf(word);
            added += (uint)BitOperations.PopCount(bits & ~targetWord);
            moved += (uint)BitOperations.PopCount(bits);
            targetWord |= bits;
        }
        if (moved == movedBefore)
            return 0;
        target.RaiseSummaries(1, line);
        LowerSummaries(1, line);
        return added;
    }

    internal bool HasShapeOf(HierarchicalBitmap other) =>
        _sizeBytes == other._sizeBytes && _granularityShift == other._granularityShift;

    /// <summary>Range when the source has a dirty byte at or past the end of this bitmap.</summary>
    Fault CheckFits(HierarchicalBitmap source)
    {
        if (source._sizeBytes <= _sizeBytes)
            return Fault.None;
        Fault fault = source.NextDirty(_sizeBytes, source._sizeBytes, out ulong lost);
        Check.That(fault.IsNone);
        return lost == NotFound ? Fault.None : new Fault(FaultKind.Range, 0, lost);
    }

    /// <summary>this |= source, which was checked to fit.</summary>
    void Take(HierarchicalBitmap source)
    {
        if (source._granularityShift == _granularityShift)
            TakeBlocks(source);
        else
            TakeAreas(source, isLive: false);
    }

    void TakeBlocks(HierarchicalBitmap source)
    {
        // The shapes may differ: words that only one of the two has hold no dirty bit of the source.
        ulong lineCount = System.Math.Min(source._shape.WordCount(0), _shape.WordCount(0)) / LineWords;
        ulong added = 0;
        for (ulong line = source.NextDirtyLine(0, lineCount); line != NotFound; )
        {
            ulong block = line / BlockLines;
            ulong first = block * BlockLines;
            ulong count = System.Math.Min(BlockLines, lineCount - first);
            PrefetchBlocks(source, block + PrefetchBlocksAhead, lineCount);
            ulong dirty = source.BlockMask(block) & (ulong.MaxValue >> (int)(BlockLines - count));
            if (BitOperations.PopCount(dirty) >= DenseLineCount)
            {
                nuint words = (nuint)(count * LineWords);
                added += BitmapKernels.Or(ref Leaf(first * LineWords), in source.Leaf(first * LineWords), words);
            }
            else
            {
                for (ulong rest = dirty; rest != 0; rest &= rest - 1)
                {
                    ulong word = (first + (uint)BitOperations.TrailingZeroCount(rest)) * LineWords;
                    added += BitmapKernels.Or(ref Leaf(word), in source.Leaf(word), (nuint)LineWords);
                }
            }
            if (_topLevel > 0)
                Word(1, block) |= dirty;
            RaiseSummaries(2, first >> LineShift);
            line = source.NextDirtyLine(first + BlockLines, lineCount);
        }
        _count.Restart(CountBits() + added);
    }

    /// <summary>Between different granularities: run by run of the source, in bytes.</summary>
    void TakeAreas(HierarchicalBitmap source, bool isLive)
    {
        ulong at = 0;
        while (true)
        {
            Fault fault = source.NextDirtyArea(at, source._sizeBytes, ulong.MaxValue, out Extent area);
            Check.That(fault.IsNone);
            if (area.IsEmpty)
                break;
            ulong first = area.OffsetBytes >> _granularityShift;
            ulong last = (area.EndBytes - 1) >> _granularityShift;
            if (isLive)
                SetRange(first, last);
            else
                FillOnes(first, last + 1);
            // What else the source has within this bitmap's last granule adds nothing.
            ulong granuleEnd = (last + 1) << _granularityShift;
            at = System.Math.Min(System.Math.Max(area.EndBytes, granuleEnd), source._sizeBytes);
        }
        if (!isLive)
            _count.Restart(PopCountBits(0, _bitCount));
    }

    /// <summary>
    /// Asks for the lines of this and another bitmap that the other's block calls dirty, if it exists.
    /// </summary>
    unsafe void PrefetchBlocks(HierarchicalBitmap other, ulong block, ulong lineCount)
    {
        if (_topLevel == 0 || other._topLevel == 0 || block * BlockLines >= lineCount)
            return;
        // SAFETY: the block lies within the line count of both, and prefetches fault on no address.
        ulong lines = Word(1, block) | other.Word(1, block);
        LinePrefetch.Lines((ulong*)_leafStart + block * BlockLines * LineWords, lines);
        LinePrefetch.Lines((ulong*)other._leafStart + block * BlockLines * LineWords, lines);
    }

    /// <summary>For a walk over the blocks that has come to this one.</summary>
    internal unsafe void PrefetchAhead(ulong block)
    {
        ulong ahead = block + PrefetchBlocksAhead;
        if (_topLevel > 0 && ahead * BlockLines < LeafLines) // SAFETY: as in PrefetchBlocks.
            LinePrefetch.Lines((ulong*)_leafStart + ahead * BlockLines * LineWords, Word(1, ahead));
    }

    /// <summary>Which of the 64 lines of a block may be dirty.</summary>
    internal ulong BlockMask(ulong block)
    {
        if (_topLevel > 0)
            return Volatile.Read(ref Word(1, block));
        ulong lineCount = _shape.WordCount(0) / LineWords;
        Check.That(block == 0);
        Check.That(lineCount <= BlockLines);
        return BitmapKernels.NonZeroLines(in Leaf(0), (nuint)lineCount);
    }
}
