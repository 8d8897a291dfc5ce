// A block of bits that tells whether it is whole, and whose it is: a fine page (4096 bytes), an intent sector (512) or
// a page of the table of points (4096, its bytes are no bits but PointTable's).
//
//   offset  bytes
//        0  4      CRC-32C of all that follows in the block
//        4  4      kind, "FBTf", "FBTi" or "FBTp"
//        8  8      the tracker's tag: a block of an older tracker in the same place is none of ours
//       16  8      sequence: of two whole copies the higher one counts
//       24  8      map: a block of a map whose place was used before is none of this one's; 0 for intents (all maps)
//       32  8      index in its area: a block that was written to the wrong place is none of that place's
//       40  24     zero; ignored when read
//       64  ...    bits, lowest first; those past the end of the disk are zero; ignored when read
//
// All zeroes is not a clean block: what a file system lost or a discard took reads as zeroes.
// Numbers are little endian, here and in the header.
using System;
using System.Buffers.Binary;
using FastBackup.Base;

namespace FastBackup.Tracking.Format;

enum BlockKind : uint
{
    /// <summary>"FBTf" in the file.</summary>
    Fine = 0x66544246,

    /// <summary>"FBTi" in the file.</summary>
    Intents = 0x69544246,

    /// <summary>"FBTp" in the file.</summary>
    Points = 0x70544246,
}

/// <summary>What a block must say of itself to count. Immutable.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="TrackerTag">The low half of the tracker's id.</param>
/// <param name="MapId">0 for intents.</param>
/// <param name="Index">In its area.</param>
readonly record struct BlockPlace(BlockKind Kind, ulong TrackerTag, ulong MapId, ulong Index);

static class SealedBlock
{
    public const int HeadBytes = 64;

    const int CrcEnd = 4;
    const int KindAt = 4;
    const int TagAt = 8;
    const int SequenceAt = 16;
    const int MapAt = 24;
    const int IndexAt = 32;
    const int RestAt = 40;

    /// <summary>The bits of a block, to read or to fill before <see cref="Seal"/>.</summary>
    public static Span<byte> BitsOf(Span<byte> block) => block[HeadBytes..];

    /// <inheritdoc cref="BitsOf(Span{byte})"/>
    public static ReadOnlySpan<byte> BitsOf(ReadOnlySpan<byte> block) => block[HeadBytes..];

    /// <summary>Writes the head over the bits that are in the block.</summary>
    public static void Seal(Span<byte> block, in BlockPlace place, ulong sequence)
    {
        Check.That(block.Length is TrackerShape.PageBytes or TrackerShape.SectorBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(block[KindAt..], (uint)place.Kind);
        BinaryPrimitives.WriteUInt64LittleEndian(block[TagAt..], place.TrackerTag);
        BinaryPrimitives.WriteUInt64LittleEndian(block[SequenceAt..], sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(block[MapAt..], place.MapId);
        BinaryPrimitives.WriteUInt64LittleEndian(block[IndexAt..], place.Index);
        block[RestAt..HeadBytes].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(block, Crc32C.Of(block[CrcEnd..]));
    }

    /// <summary>Whether the block is whole and belongs where it was found.</summary>
    /// <param name="block">As read.</param>
    /// <param name="place">Where it was read.</param>
    /// <param name="sequence">0 when it does not count.</param>
    public static bool TryOpen(ReadOnlySpan<byte> block, in BlockPlace place, out ulong sequence)
    {
        sequence = 0;
        if (BinaryPrimitives.ReadUInt32LittleEndian(block) != Crc32C.Of(block[CrcEnd..]))
            return false;
        BlockPlace found = new(
            (BlockKind)BinaryPrimitives.ReadUInt32LittleEndian(block[KindAt..]),
            BinaryPrimitives.ReadUInt64LittleEndian(block[TagAt..]),
            BinaryPrimitives.ReadUInt64LittleEndian(block[MapAt..]),
            BinaryPrimitives.ReadUInt64LittleEndian(block[IndexAt..])
        );
        if (found != place)
            return false;
        sequence = BinaryPrimitives.ReadUInt64LittleEndian(block[SequenceAt..]);
        return true;
    }
}
