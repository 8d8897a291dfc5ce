// The serialised form: level 0 as 64-bit little-endian words, bit i of word w for granule 64 * w + i, nothing
// else. It is what QEMU's dirty bitmaps use on disk and on the wire, so stored bitmaps can be exchanged.
// Every part leaves the bitmap whole (summaries, count), so a load that stops half way is only incomplete.
using System;
using System.Numerics;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    static readonly byte[] ZeroChunk = new byte[64 * 1024];

    bool _isLoading;

    /// <summary>Parts start at multiples of this and end at one or at SizeBytes: 64 granules.</summary>
    public ulong SerializationAlignmentBytes => 64UL << _granularityShift;

    /// <summary>Bytes of the serialised form of a range.</summary>
    /// <param name="offsetBytes">A multiple of SerializationAlignmentBytes.</param>
    /// <param name="lengthBytes">Likewise, or the range ends at SizeBytes.</param>
    /// <param name="serializedBytes">8 per 64 granules; 0 after a fault.</param>
    /// <returns>None, Range or Align.</returns>
    public Fault SerializationSize(ulong offsetBytes, ulong lengthBytes, out ulong serializedBytes)
    {
        Fault fault = PartWords(offsetBytes, lengthBytes, out ulong firstWord, out ulong endWord);
        serializedBytes = (endWord - firstWord) * sizeof(ulong);
        return fault;
    }

    /// <summary>Writes the serialised form of a range.</summary>
    /// <param name="offsetBytes">A multiple of SerializationAlignmentBytes.</param>
    /// <param name="lengthBytes">Likewise, or the range ends at SizeBytes.</param>
    /// <param name="destination">At least SerializationSize bytes; the rest is left alone.</param>
    /// <returns>None, Range, Align, or Invalid when the destination is too short.</returns>
    /// <remarks>Threads: any; of a word that changes meanwhile, one state is written.</remarks>
    public Fault SerializePart(ulong offsetBytes, ulong lengthBytes, Span<byte> destination)
    {
        Fault fault = PartWords(offsetBytes, lengthBytes, out ulong firstWord, out ulong endWord);
        if (fault.IsFault)
            return fault;
        ulong neededBytes = (endWord - firstWord) * sizeof(ulong);
        if ((ulong)destination.Length < neededBytes)
            return new Fault(FaultKind.Invalid);
        if (neededBytes > 0)
            LeafBytes(firstWord, (int)neededBytes).CopyTo(destination);
        return Fault.None;
    }

    /// <summary>Replaces a range by its serialised form. One bits past SizeBytes are dropped.</summary>
    /// <param name="offsetBytes">A multiple of SerializationAlignmentBytes.</param>
    /// <param name="lengthBytes">Likewise, or the range ends at SizeBytes.</param>
    /// <param name="source">At least SerializationSize bytes.</param>
    /// <returns>
    /// None, Range, Align, or Invalid when the source is too short; after a fault nothing has changed.
    /// </returns>
    /// <remarks>Threads: exclusive.</remarks>
    public Fault DeserializePart(ulong offsetBytes, ulong lengthBytes, ReadOnlySpan<byte> source)
    {
        Fault fault = PartWords(offsetBytes, lengthBytes, out ulong firstWord, out ulong endWord);
        if (fault.IsFault)
            return fault;
        if ((ulong)source.Length < (endWord - firstWord) * sizeof(ulong))
            return new Fault(FaultKind.Invalid);
        _isLoading = true;
        ulong count = CountBits();
        for (ulong word = firstWord; word < endWord; )
        {
            ulong blockEnd = Math.Min(endWord, (word / (BlockLines * LineWords) + 1) * BlockLines * LineWords);
            int blockBytes = (int)(blockEnd - word) * sizeof(ulong);
            bool isWholeLines = word % LineWords == 0 && (blockEnd % LineWords == 0);
            if (_topLevel > 0 && isWholeLines)
                count = LoadLines(word, blockEnd, source[..blockBytes], count);
            else
                count = LoadWords(word, blockEnd, source[..blockBytes], count);
            source = source[blockBytes..];
            word = blockEnd;
        }
        _count.Restart(count);
        return Fault.None;
    }

    /// <summary>
    /// Whole lines of one block: one pass that copies, counts and finds the dirty lines. Returns the new count.
    /// </summary>
    ulong LoadLines(ulong firstWord, ulong endWord, ReadOnlySpan<byte> source, ulong count)
    {
        ulong block = firstWord / (BlockLines * LineWords);
        int shift = (int)(firstWord / LineWords % BlockLines);
        nuint lineCount = (nuint)((endWord - firstWord) / LineWords);
        ulong lines = (ulong.MaxValue >> (int)(BlockLines - lineCount)) << shift;
        ulong before = Word(1, block);
        ref readonly ulong words = ref MemoryMarshal.GetReference(MemoryMarshal.Cast<byte, ulong>(source));
        ulong dirtyBefore = (before & lines) >> shift;
        ref ulong target = ref Leaf(firstWord);
        ulong dirty = BitmapKernels.CopyLines(
            ref target,
            in words,
            lineCount,
            dirtyBefore,
            out ulong gained,
            out ulong lost
        );
        if (endWord == LeafWords)
        {
            // What this clears may leave a summary bit over a zero line, which searches step over.
            ref ulong last = ref Leaf(endWord - 1);
            ulong inside = MaskBetween(0, _bitCount - 1);
            gained -= (uint)BitOperations.PopCount(last & ~inside);
            last &= inside;
        }
        ulong after = (before & ~lines) | (dirty << shift);
        Word(1, block) = after;
        if (after != 0)
            RaiseSummaries(2, block * BlockLines >> LineShift);
        else if (before != 0)
            LowerSummaries(2, block * BlockLines >> LineShift);
        return count + gained - lost;
    }

    /// <summary>Words of one block, with parts of lines. Returns the new count.</summary>
    ulong LoadWords(ulong firstWord, ulong endWord, ReadOnlySpan<byte> source, ulong count)
    {
        count -= PopCountBits(firstWord << 6, endWord << 6);
        source.CopyTo(LeafBytes(firstWord, source.Length));
        if (endWord == LeafWords)
            Leaf(endWord - 1) &= MaskBetween(0, _bitCount - 1);
        count += BitmapKernels.PopCount(in Leaf(firstWord), (nuint)(endWord - firstWord));
        if (_topLevel > 0)
            RebuildBlock(firstWord / (BlockLines * LineWords));
        return count;
    }

    /// <summary>
    /// Cleans a range, as if zeroes had been deserialised. Parameters as <see cref="DeserializePart"/>.
    /// </summary>
    /// <returns>None, Range or Align.</returns>
    /// <remarks>Threads: exclusive. Cost: dirty lines.</remarks>
    public Fault DeserializeZeroes(ulong offsetBytes, ulong lengthBytes)
    {
        Fault fault = PartWords(offsetBytes, lengthBytes, out ulong firstWord, out ulong endWord);
        if (fault.IsFault)
            return fault;
        _isLoading = true;
        if (firstWord < endWord)
            ResetRangeExclusive(firstWord << 6, Math.Min(endWord << 6, _bitCount));
        return Fault.None;
    }

    /// <summary>Marks a range, as if ones had been deserialised. Parameters as <see cref="DeserializePart"/>.</summary>
    /// <returns>None, Range or Align.</returns>
    /// <remarks>Threads: exclusive.</remarks>
    public Fault DeserializeOnes(ulong offsetBytes, ulong lengthBytes)
    {
        Fault fault = PartWords(offsetBytes, lengthBytes, out ulong firstWord, out ulong endWord);
        if (fault.IsFault)
            return fault;
        _isLoading = true;
        ulong firstBit = firstWord << 6;
        ulong endBit = Math.Min(endWord << 6, _bitCount);
        if (firstBit < endBit)
            SetRangeExclusive(firstBit, endBit);
        return Fault.None;
    }

    /// <summary>Ends a load.</summary>
    /// <returns>None, or State when no part was loaded since the last end.</returns>
    /// <remarks>Threads: exclusive. Nothing is left to build: parts keep the bitmap whole.</remarks>
    public Fault DeserializeFinish()
    {
        if (!_isLoading)
            return new Fault(FaultKind.State);
        _isLoading = false;
        return Fault.None;
    }

    /// <summary>SHA-256 of the serialised form of the whole bitmap.</summary>
    /// <param name="hash">At least 32 bytes.</param>
    /// <returns>None, or Invalid when hash is too short.</returns>
    /// <remarks>
    /// Threads: any; meaningful at rest. Allocates. Clean stretches are hashed without reading level 0.
    /// </remarks>
    public Fault Sha256(Span<byte> hash)
    {
        if (hash.Length < Base.Sha256.HashBytes)
            return new Fault(FaultKind.Invalid);
        Base.Sha256 sha = new();
        ulong word = 0;
        while (word < LeafWords)
        {
            ulong dirtyLine = NextDirtyLine(word / LineWords, LeafLines);
            ulong dirtyWord = dirtyLine == NotFound ? LeafWords : Math.Max(word, dirtyLine * LineWords);
            for (ulong zeroBytes = (dirtyWord - word) * sizeof(ulong); zeroBytes > 0; )
            {
                int chunk = (int)Math.Min(zeroBytes, (ulong)ZeroChunk.Length);
                sha.Append(ZeroChunk.AsSpan(0, chunk));
                zeroBytes -= (ulong)chunk;
            }
            ulong endWord = Math.Min(LeafWords, dirtyWord + BlockLines * LineWords);
            if (dirtyWord < endWord)
                sha.Append(LeafBytes(dirtyWord, (int)(endWord - dirtyWord) * sizeof(ulong)));
            word = endWord;
        }
        sha.Finish(hash);
        return Fault.None;
    }

    Fault PartWords(ulong offsetBytes, ulong lengthBytes, out ulong firstWord, out ulong endWord)
    {
        firstWord = endWord = 0;
        if (!new Extent(offsetBytes, lengthBytes).IsWithin(_sizeBytes))
            return new Fault(FaultKind.Range, 0, offsetBytes);
        ulong endBytes = offsetBytes + lengthBytes;
        ulong alignment = SerializationAlignmentBytes;
        if (!Units.IsAligned(offsetBytes, alignment) && lengthBytes > 0)
            return new Fault(FaultKind.Align, 0, offsetBytes);
        if (!Units.IsAligned(endBytes, alignment) && endBytes != _sizeBytes)
            return new Fault(FaultKind.Align, 0, endBytes);
        if (lengthBytes == 0)
            return Fault.None;
        firstWord = offsetBytes >> _granularityShift >> 6;
        endWord = (BitsFor(endBytes, _granularityShift) + 63) >> 6;
        return Fault.None;
    }

    Span<byte> LeafBytes(ulong firstWord, int lengthBytes)
    {
        Check.That(BitConverter.IsLittleEndian);
        Check.That((uint)lengthBytes / sizeof(ulong) <= _shape.WordCount(0) - firstWord);
        Span<ulong> words = MemoryMarshal.CreateSpan(ref Leaf(firstWord), lengthBytes / sizeof(ulong));
        return MemoryMarshal.AsBytes(words);
    }

    /// <summary>Makes the summaries of one block of 64 lines exact; upper levels may keep a bit too many.</summary>
    void RebuildBlock(ulong block)
    {
        ulong first = block * BlockLines;
        nuint lines = (nuint)Math.Min(BlockLines, _shape.WordCount(0) / LineWords - first);
        ulong dirty = BitmapKernels.NonZeroLines(in Leaf(first * LineWords), lines);
        Word(1, block) = dirty;
        if (dirty != 0)
            RaiseSummaries(2, first >> LineShift);
        else
            LowerSummaries(2, first >> LineShift);
    }
}
