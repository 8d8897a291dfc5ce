// Work on a whole bitmap in pieces of bounded cost, for a thread that must be back soon: guests wait for it. A piece
// handles at most PieceLines lines of level 0, which is at most about half a millisecond, whatever the bitmap's size,
// and says whether it was the last. All of them run beside sets by other threads; what is set behind the position in a
// merge's source is not seen, so sources must be at rest for the result to be exact.
using System;
using FastBackup.Base;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    /// <summary>Lines of level 0 that a piece handles at most: 2^20 bits.</summary>
    internal const ulong PieceLines = 2048;

    /// <summary>Dirty areas that a piece takes over at most, where granularities differ.</summary>
    const uint PieceAreas = 4096;

    /// <summary>What a line costs in areas, where granularities are the same.</summary>
    const ulong LineWork = 4;

    /// <summary>Marks the next piece of everything.</summary>
    /// <param name="atBit">0 to begin; moved behind what was marked.</param>
    /// <returns>True when the end was reached.</returns>
    /// <remarks>Threads: any.</remarks>
    public bool SetAllPiece(ref ulong atBit)
    {
        Check.That(atBit <= _bitCount);
        ulong endBit = atBit + Math.Min(_bitCount - atBit, PieceLines << LineShift);
        SetBits(atBit, endBit - atBit);
        atBit = endBit;
        return atBit == _bitCount;
    }

    /// <summary>Adds the next piece of what another bitmap of this size names, rounded outwards.</summary>
    /// <param name="source">At rest, or what is set in it meanwhile may be missed.</param>
    /// <param name="atBytes">0 to begin; moved behind what was taken over.</param>
    /// <returns>True when the end was reached.</returns>
    /// <remarks>Threads: any on this bitmap.</remarks>
    public bool MergePiece(HierarchicalBitmap source, ref ulong atBytes)
    {
        Check.That(source._sizeBytes == _sizeBytes);
        Check.That(atBytes <= _sizeBytes);
        bool isEnd =
            source._granularityShift == _granularityShift
                ? MergeLines(source, ref atBytes)
                : MergeAreas(source, ref atBytes);
        if (isEnd)
            atBytes = _sizeBytes;
        return isEnd;
    }

    /// <summary>Adds what another bitmap of this size names in whole lines of this one, rounded outwards.</summary>
    /// <param name="source">Of any granularity, and at rest.</param>
    /// <param name="firstBit">The first of a line.</param>
    /// <param name="bitCount">Up to the end of a line, or of the bitmap.</param>
    /// <returns>The work that it was: dirty areas, of about 0.1 us each; a line without granules to split counts as
    /// few.</returns>
    /// <remarks>Threads: any on this bitmap.</remarks>
    internal ulong MergeLines(HierarchicalBitmap source, ulong firstBit, ulong bitCount)
    {
        Check.That(source._sizeBytes == _sizeBytes);
        Check.That(firstBit % (LineWords * 64) == 0);
        Check.That(bitCount <= _bitCount - firstBit);
        ulong endBit = firstBit + bitCount;
        Check.That(endBit % (LineWords * 64) == 0 || endBit == _bitCount);
        if (source._granularityShift == _granularityShift)
        {
            ulong endLine = (endBit + (LineWords * 64 - 1)) >> LineShift;
            for (ulong line = firstBit >> LineShift; line < endLine; line++)
                if (!source.IsLineZero(0, line))
                    MergeLine(source, line);
            return LineWork * (endLine - (firstBit >> LineShift));
        }
        ulong work = 0;
        ulong endBytes = endBit == _bitCount ? _sizeBytes : endBit << _granularityShift;
        for (ulong at = firstBit << _granularityShift; at < endBytes; )
        {
            Check.That(source.NextDirtyArea(at, endBytes, ulong.MaxValue, out Extent area).IsNone);
            work++;
            if (area.IsEmpty)
                break;
            SetRange(area.OffsetBytes >> _granularityShift, (area.EndBytes - 1) >> _granularityShift);
            // What else the source has within the last granule set here adds nothing.
            at = Math.Min(Units.AlignUp(area.EndBytes, GranularityBytes), endBytes);
        }
        return work;
    }

    bool MergeLines(HierarchicalBitmap source, ref ulong atBytes)
    {
        ulong line = atBytes >> (_granularityShift + LineShift);
        for (ulong count = 0; count < PieceLines; count++)
        {
            line = source.NextDirtyLine(line, LeafLines);
            if (line == NotFound)
                return true;
            MergeLine(source, line);
            line++;
        }
        atBytes = Math.Min(line << LineShift << _granularityShift, _sizeBytes);
        return atBytes == _sizeBytes;
    }

    bool MergeAreas(HierarchicalBitmap source, ref ulong atBytes)
    {
        // Lines of the finer of the two, looked at or set.
        int shift = Math.Min(_granularityShift, source._granularityShift) + LineShift;
        ulong linesLeft = PieceLines;
        for (uint count = 0; count < PieceAreas && linesLeft > 0; count++)
        {
            Fault fault = source.NextDirtyArea(atBytes, _sizeBytes, linesLeft << shift, out Extent area);
            Check.That(fault.IsNone);
            if (area.IsEmpty)
                return true;
            SetRange(area.OffsetBytes >> _granularityShift, (area.EndBytes - 1) >> _granularityShift);
            linesLeft -= Math.Min(linesLeft, (area.LengthBytes >> shift) + 1);
            // What else the source has within the last granule set here adds nothing.
            ulong granuleEnd = Units.AlignUp(area.EndBytes, GranularityBytes);
            atBytes = Math.Min(granuleEnd, _sizeBytes);
            if (atBytes == _sizeBytes)
                return true;
        }
        return false;
    }
}
