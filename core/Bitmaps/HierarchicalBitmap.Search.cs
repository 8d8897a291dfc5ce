// Searches. From a position, look at the rest of its line; when that is empty, go up a level and look for the
// next line that is not, then down again: at most one line per level each way. A summary bit over a zero
// line (see the argument in HierarchicalBitmap.cs) only makes the search go up once more.
using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    /// <summary>The first dirty byte of a range.</summary>
    /// <param name="startBytes">At most endBytes.</param>
    /// <param name="endBytes">At most SizeBytes.</param>
    /// <param name="foundBytes">startBytes or the start of a later granule; NotFound when the range is clean.</param>
    /// <returns>None or Range.</returns>
    /// <remarks>Threads: any. May miss a bit while another thread clears in the same line; never for longer.</remarks>
    public Fault NextDirty(ulong startBytes, ulong endBytes, out ulong foundBytes)
    {
        foundBytes = NotFound;
        if (!IsRange(startBytes, endBytes))
            return new Fault(FaultKind.Range, 0, startBytes);
        ulong bit = FindOne(0, startBytes >> _granularityShift, BitsFor(endBytes, _granularityShift));
        if (bit != NotFound && startBytes < endBytes)
            foundBytes = Math.Max(bit << _granularityShift, startBytes);
        return Fault.None;
    }

    /// <summary>The first clean byte of a range; parameters and faults as <see cref="NextDirty"/>.</summary>
    /// <remarks>Threads: any. Cost: dirty words passed, at the speed of memory.</remarks>
    public Fault NextZero(ulong startBytes, ulong endBytes, out ulong foundBytes)
    {
        foundBytes = NotFound;
        if (!IsRange(startBytes, endBytes))
            return new Fault(FaultKind.Range, 0, startBytes);
        ulong endBit = BitsFor(endBytes, _granularityShift);
        ulong bit = FindZero(0, startBytes >> _granularityShift, endBit);
        if (bit < endBit && startBytes < endBytes)
            foundBytes = Math.Max(bit << _granularityShift, startBytes);
        return Fault.None;
    }

    /// <summary>The first run of dirty bytes of a range.</summary>
    /// <param name="startBytes">At most endBytes.</param>
    /// <param name="endBytes">At most SizeBytes; the run is cut here.</param>
    /// <param name="maxBytes">The run is cut at this length; at least 1.</param>
    /// <param name="area">Empty when the range is clean. Starts at startBytes or at a granule.</param>
    /// <returns>None, Range, or Invalid when maxBytes is 0.</returns>
    /// <remarks>
    /// Threads: any. The run may be short or stale when bits change meanwhile; it is never empty by that.
    /// </remarks>
    public Fault NextDirtyArea(ulong startBytes, ulong endBytes, ulong maxBytes, out Extent area)
    {
        area = default;
        if (maxBytes == 0)
            return new Fault(FaultKind.Invalid);
        if (!IsRange(startBytes, endBytes))
            return new Fault(FaultKind.Range, 0, startBytes);
        if (startBytes == endBytes)
            return Fault.None;
        ulong firstBit = NextOne(startBytes >> _granularityShift, BitsFor(endBytes, _granularityShift));
        if (firstBit == NotFound)
            return Fault.None;
        ulong first = Math.Max(firstBit << _granularityShift, startBytes);
        ulong limit = first + Math.Min(maxBytes, endBytes - first);
        ulong end = NextZero(firstBit + 1, BitsFor(limit, _granularityShift)) << _granularityShift;
        area = new Extent(first, Math.Min(end, limit) - first);
        return Fault.None;
    }

    /// <summary>As FindOne in level 0, for walks: most runs begin in the word in which the last one ended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    ulong NextOne(ulong from, ulong end)
    {
        ulong word = Volatile.Read(ref Leaf(from >> 6)) & (ulong.MaxValue << (int)from);
        if (word == 0)
            return NextOneFar(from, end);
        ulong found = (from & ~63UL) + (uint)BitOperations.TrailingZeroCount(word);
        return found < end ? found : NotFound;
    }

    /// <summary>
    /// The rest of the line, then level 1: what it does not name is not looked at, which would be a miss. Where it
    /// leads into another block of lines, those of a block further on are asked for: the walk will want them.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    ulong NextOneFar(ulong from, ulong end)
    {
        if (_topLevel == 0)
            return FindOne(0, from, end);
        ulong found = FindOneInLine(0, from);
        if (found != NotFound)
            return found < end ? found : NotFound;
        ulong line = (from >> LineShift) + 1;
        ulong endLine = ((end - 1) >> LineShift) + 1;
        while (true)
        {
            ulong next = line < endLine ? FindOne(1, line, endLine) : NotFound;
            if (next == NotFound)
                return NotFound;
            if (next / BlockLines != (line - 1) / BlockLines)
                PrefetchBlocks(this, next / BlockLines + PrefetchBlocksAhead, endLine);
            found = FindOneInLine(0, next << LineShift);
            if (found != NotFound)
                return found < end ? found : NotFound;
            line = next + 1; // cleared meanwhile, or a summary that a claim has left
        }
    }

    /// <summary>As FindZero in level 0, for walks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    ulong NextZero(ulong from, ulong end)
    {
        if (from >= end)
            return end;
        ulong zeros = ~Volatile.Read(ref Leaf(from >> 6)) & (ulong.MaxValue << (int)from);
        return zeros == 0
            ? FindZero(0, from, end)
            : Math.Min((from & ~63UL) + (uint)BitOperations.TrailingZeroCount(zeros), end);
    }

    /// <summary>Whether the byte at a position is dirty, and how far that stays so.</summary>
    /// <param name="startBytes">Less than SizeBytes.</param>
    /// <param name="lengthBytes">At least 1; the sum must not pass SizeBytes.</param>
    /// <param name="isDirty">State of the first byte.</param>
    /// <param name="runBytes">1..lengthBytes bytes from startBytes in that state; 0 after a fault.</param>
    /// <returns>None, Range, or Invalid when lengthBytes is 0.</returns>
    /// <remarks>Threads: any.</remarks>
    public Fault Status(ulong startBytes, ulong lengthBytes, out bool isDirty, out ulong runBytes)
    {
        isDirty = false;
        runBytes = 0;
        if (!new Extent(startBytes, lengthBytes).IsWithin(_sizeBytes))
            return new Fault(FaultKind.Range, 0, startBytes);
        if (lengthBytes == 0)
            return new Fault(FaultKind.Invalid);
        ulong endBytes = startBytes + lengthBytes;
        ulong firstBit = startBytes >> _granularityShift;
        ulong endBit = BitsFor(endBytes, _granularityShift);
        isDirty = GetBit(firstBit);
        ulong next = isDirty ? FindZero(0, firstBit + 1, endBit) : FindOne(0, firstBit + 1, endBit);
        runBytes = next >= endBit ? lengthBytes : (next << _granularityShift) - startBytes;
        return Fault.None;
    }

    /// <summary>The first dirty granule of [fromBit, endBit), or NotFound.</summary>
    /// <param name="fromBit">At most endBit.</param>
    /// <param name="endBit">At most BitCount.</param>
    /// <remarks>Threads: any, as <see cref="NextDirty"/>.</remarks>
    public ulong NextDirtyBit(ulong fromBit, ulong endBit)
    {
        Check.That(fromBit <= endBit);
        Check.That(endBit <= _bitCount);
        return FindOne(0, fromBit, endBit);
    }

    /// <summary>The first clean granule of [fromBit, endBit), or NotFound.</summary>
    /// <remarks>Threads: any. Parameters as <see cref="NextDirtyBit"/>.</remarks>
    public ulong NextCleanBit(ulong fromBit, ulong endBit)
    {
        Check.That(fromBit <= endBit);
        Check.That(endBit <= _bitCount);
        ulong found = FindZero(0, fromBit, endBit);
        return found < endBit ? found : NotFound;
    }

    bool IsRange(ulong startBytes, ulong endBytes) => startBytes <= endBytes && endBytes <= _sizeBytes;

    /// <summary>The first line of level 0 in [line, endLine) that may be dirty, or NotFound.</summary>
    ulong NextDirtyLine(ulong line, ulong endLine) =>
        _topLevel > 0 ? FindOne(1, line, endLine)
        : line < endLine ? line
        : NotFound;

    /// <summary>The first one bit of a level in [from, end), or NotFound.</summary>
    ulong FindOne(int bottom, ulong from, ulong end)
    {
        int level = bottom;
        ulong bit = from;
        while (bit << ((level - bottom) * LineShift) < end)
        {
            ulong found = FindOneInLine(level, bit);
            if (found == NotFound)
            {
                if (level == _topLevel)
                    return NotFound;
                bit = (bit >> LineShift) + 1; // the next line, as a bit of the level above
                level++;
            }
            else if (level == bottom)
            {
                return found < end ? found : NotFound;
            }
            else
            {
                level--;
                bit = found << LineShift; // the first bit of the line it stands for
            }
        }
        return NotFound;
    }

    /// <summary>
    /// The first one bit from a position to the end of its line; at the top, to the end of the level.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    ulong FindOneInLine(int level, ulong bit)
    {
        ulong wordIndex = bit >> 6;
        ulong endWord = level == _topLevel ? _shape.WordCount(level) : (wordIndex | (LineWords - 1)) + 1;
        if (wordIndex >= endWord)
            return NotFound;
        ulong word = Volatile.Read(ref Word(level, wordIndex)) & (ulong.MaxValue << (int)bit);
        while (word == 0)
        {
            wordIndex++;
            wordIndex += BitmapKernels.FirstNonZero(in Word(level, wordIndex), (nuint)(endWord - wordIndex));
            if (wordIndex >= endWord)
                return NotFound;
            word = Volatile.Read(ref Word(level, wordIndex)); // may have been cleared since
        }
        return (wordIndex << 6) + (uint)BitOperations.TrailingZeroCount(word);
    }

    /// <summary>The first zero bit of a level in [from, end), or end.</summary>
    ulong FindZero(int level, ulong from, ulong end)
    {
        if (from >= end)
            return end;
        ulong wordIndex = from >> 6;
        ulong endWord = (end + 63) >> 6;
        ulong zeros = ~Volatile.Read(ref Word(level, wordIndex)) & (ulong.MaxValue << (int)from);
        while (zeros == 0)
        {
            wordIndex++;
            wordIndex += BitmapKernels.FirstNotAllOnes(in Word(level, wordIndex), (nuint)(endWord - wordIndex));
            if (wordIndex >= endWord)
                return end;
            zeros = ~Volatile.Read(ref Word(level, wordIndex));
        }
        return Math.Min((wordIndex << 6) + (uint)BitOperations.TrailingZeroCount(zeros), end);
    }
}
