// What a token says before its maps: for which waiting tracker it is, of which disk as it was when, and how much
// follows.
//
//   offset  bytes
//        0  8      46 42 4D 4F 56 45 0D 0A, "FBMOVE"
//        8  4      version, 1
//       12  4      flags; bit 0: the other host has the same disk, not a copy of it
//       16  16     id of the tracker that waits
//       32  16     id of the tracker that was exported
//       48  8      sequence of the header that it had
//       56  8      pages of the token, with this one and the signature
//       64  32     disk id on the exporting host
//       96  8      bytes of the disk
//      104  1+1    granule and region, as powers of two
//      108  4      pages of the table of points
//      112  8      the last map id that was given
//      144  8+8    the disk's modified and changed times, ns
//      160  32     digest of the disk's places
//      192  32     digest of all of the disk; zeroes where the other host has the same
using System;
using System.Buffers.Binary;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Move;

/// <summary>Immutable.</summary>
sealed record TokenHead
{
    const ulong Magic = 0x0A0D45564F4D4246;
    const uint Version = 1;
    const uint SharedFlag = 1;

    /// <summary>The other host sees the same disk: no copy was made.</summary>
    public required bool IsShared { get; init; }

    public required UInt128 TakerId { get; init; }

    public required UInt128 GiverId { get; init; }

    /// <summary>Sequence of the giver's header: which state of it this is.</summary>
    public required ulong Generation { get; init; }

    public required ulong PageCount { get; init; }

    public required Digest32 DiskId { get; init; }

    public required TrackerShape Shape { get; init; }

    public required int TablePageCount { get; init; }

    public required ulong LastMapId { get; init; }

    public required DiskStamp Stamp { get; init; }

    /// <summary>Of every byte of the disk; zero for a shared one.</summary>
    public required Digest32 Whole { get; init; }

    /// <summary>Whether the disk that is here is the one that the token is of.</summary>
    public bool IsOf(Digest32 diskId) => !IsShared || diskId == DiskId;

    /// <summary>What is seen at once: the same disk is as it was left; a copy may be it.</summary>
    public bool MayBeAsLeft(in DiskStamp stamp) => IsShared ? stamp == Stamp : stamp.Places == Stamp.Places;

    /// <summary>Of a copy whatever it is: it is the disk as it was left, to the byte.</summary>
    public bool IsWhole(Digest32 digest) => digest == Whole;

    public void Write(Span<byte> page)
    {
        page.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(page, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(page[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(page[12..], IsShared ? SharedFlag : 0);
        BinaryPrimitives.WriteUInt128LittleEndian(page[16..], TakerId);
        BinaryPrimitives.WriteUInt128LittleEndian(page[32..], GiverId);
        BinaryPrimitives.WriteUInt64LittleEndian(page[48..], Generation);
        BinaryPrimitives.WriteUInt64LittleEndian(page[56..], PageCount);
        WriteDigest(page[64..], DiskId);
        BinaryPrimitives.WriteUInt64LittleEndian(page[96..], Shape.DiskBytes);
        (page[104], page[105]) = ((byte)Shape.GranuleShift, (byte)Shape.RegionShift);
        BinaryPrimitives.WriteInt32LittleEndian(page[108..], TablePageCount);
        BinaryPrimitives.WriteUInt64LittleEndian(page[112..], LastMapId);
        BinaryPrimitives.WriteUInt64LittleEndian(page[144..], Stamp.ModifiedNs);
        BinaryPrimitives.WriteUInt64LittleEndian(page[152..], Stamp.ChangedNs);
        WriteDigest(page[160..], Stamp.Places);
        WriteDigest(page[192..], Whole);
    }

    /// <returns>Null: no token begins like this, or one of another version.</returns>
    public static TokenHead? TryRead(ReadOnlySpan<byte> page)
    {
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(page[12..]);
        TrackerShape shape = new(BinaryPrimitives.ReadUInt64LittleEndian(page[96..]), page[104], page[105]);
        int tablePageCount = BinaryPrimitives.ReadInt32LittleEndian(page[108..]);
        bool isLegal =
            BinaryPrimitives.ReadUInt64LittleEndian(page) == Magic
            && BinaryPrimitives.ReadUInt32LittleEndian(page[8..]) == Version
            && (flags & ~SharedFlag) == 0
            && shape.IsLegal
            && tablePageCount is > 0 and <= (int)(PointTable.LengthMaxBytes / TrackerShape.PageBytes);
        if (!isLegal)
            return null;
        return new TokenHead
        {
            IsShared = flags != 0,
            TakerId = BinaryPrimitives.ReadUInt128LittleEndian(page[16..]),
            GiverId = BinaryPrimitives.ReadUInt128LittleEndian(page[32..]),
            Generation = BinaryPrimitives.ReadUInt64LittleEndian(page[48..]),
            PageCount = BinaryPrimitives.ReadUInt64LittleEndian(page[56..]),
            DiskId = ReadDigest(page[64..]),
            Shape = shape,
            TablePageCount = tablePageCount,
            LastMapId = BinaryPrimitives.ReadUInt64LittleEndian(page[112..]),
            Stamp = new DiskStamp(
                BinaryPrimitives.ReadUInt64LittleEndian(page[144..]),
                BinaryPrimitives.ReadUInt64LittleEndian(page[152..]),
                ReadDigest(page[160..])
            ),
            Whole = ReadDigest(page[192..]),
        };
    }

    static void WriteDigest(Span<byte> bytes, Digest32 digest)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, digest.First);
        BinaryPrimitives.WriteUInt128LittleEndian(bytes[16..], digest.Second);
    }

    static Digest32 ReadDigest(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt128LittleEndian(bytes), BinaryPrimitives.ReadUInt128LittleEndian(bytes[16..]));
}
