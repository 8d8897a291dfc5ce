// The header of a tracker file, to bytes and back. Two copies, at 0 and at 65,536; the areas begin at 131,072.
//
//   offset  bytes                                            fixed for all versions: 0..39 and the CRC's reach
//        0  8      46 42 54 52 4B 0D 0A 1A, "FBTRK" and what a copy as text would spoil
//        8  4      CRC-32C of bytes 12..length-1
//       12  4      length of the header, 512..65536, a multiple of 512; 8192 here
//       16  2      version, 1: another one is refused
//       18  2      minor version, 0: a higher one is read
//       20  4      features that must be known; bit 0: the live map is elsewhere
//       24  4      features that must be known to write
//       28  4      features that may be ignored
//       32  8      sequence
//       40  8      zero
//       48  16     tracker id
//       64  32     disk id
//       96  8      bytes of the disk
//      104  1      granule, as a power of two
//      105  1      region, as a power of two
//      106  2      zero
//      108  4      state: 1 closed, 2 open, 3 inconsistent, 4 moved
//      112  16     boot id
//      128  8+8    device and inode of this file
//      144  8+8    disk's modified and changed times, ns
//      160  32     digest of the disk's places
//      192  8      the map that records
//      200  8      the last map id that was given
//      208  4      count of areas
//      212  300    zero
//      512  48     each area: kind 2, flags 2, zero 4, map 8, offset 8, length 8, zero 16
//
// What is zero here is ignored when read: a later version that needs it says so by a feature or by its version.
// A whole copy that cannot be used is not passed over for an older one that could: see Choose.
using System;
using System.Buffers.Binary;
using FastBackup.Base;

namespace FastBackup.Tracking.Format;

static class HeaderBytes
{
    public const ulong SecondCopyAt = 65536;
    public const ulong AreasAt = 131072;
    public const int LengthBytes = 8192;
    public const int LengthMaxBytes = 65536;
    public const int AreasMax = (LengthBytes - AreaTableAt) / AreaBytes;
    public const ushort Version = 1;

    const ulong Magic = 0x1A0A0D4B52544246;
    const uint LiveElsewhere = 1;
    const uint MustKnow = LiveElsewhere;
    const int CrcAt = 8;
    const int LengthAt = 12;
    const int VersionAt = 16;
    const int MustKnowAt = 20;
    const int MustKnowToWriteAt = 24;
    const int SequenceAt = 32;
    const int TrackerIdAt = 48;
    const int DiskIdAt = 64;
    const int DiskBytesAt = 96;
    const int GranuleAt = 104;
    const int RegionAt = 105;
    const int StateAt = 108;
    const int BootIdAt = 112;
    const int HomeAt = 128;
    const int TimesAt = 144;
    const int PlacesAt = 160;
    const int MapIdAt = 192;
    const int LastMapIdAt = 200;
    const int AreaCountAt = 208;
    const int AreaTableAt = 512;
    const int AreaBytes = 48;

    /// <param name="header">Legal: what <see cref="Read"/> would take.</param>
    /// <param name="bytes"><see cref="LengthBytes"/>; all of it is written.</param>
    public static void Write(TrackerHeader header, Span<byte> bytes)
    {
        Check.That(bytes.Length == LengthBytes);
        Check.That(HeaderRules.IsLegal(header));
        bytes.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[LengthAt..], LengthBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[VersionAt..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[MustKnowAt..], header.IsLiveElsewhere ? LiveElsewhere : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[SequenceAt..], header.Sequence);
        BinaryPrimitives.WriteUInt128LittleEndian(bytes[TrackerIdAt..], header.TrackerId);
        WriteDigest(bytes[DiskIdAt..], header.DiskId);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[DiskBytesAt..], header.Shape.DiskBytes);
        bytes[GranuleAt] = (byte)header.Shape.GranuleShift;
        bytes[RegionAt] = (byte)header.Shape.RegionShift;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[StateAt..], (uint)header.State);
        BinaryPrimitives.WriteUInt128LittleEndian(bytes[BootIdAt..], header.BootId);
        WritePair(bytes[HomeAt..], header.Home);
        WritePair(bytes[TimesAt..], (header.Stamp.ModifiedNs, header.Stamp.ChangedNs));
        WriteDigest(bytes[PlacesAt..], header.Stamp.Places);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[MapIdAt..], header.MapId);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[LastMapIdAt..], header.LastMapId);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[AreaCountAt..], (uint)header.Areas.Length);
        for (int i = 0; i < header.Areas.Length; i++)
            WriteArea(bytes.Slice(AreaTableAt + i * AreaBytes, AreaBytes), header.Areas[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[CrcAt..], Crc32C.Of(bytes[LengthAt..]));
    }

    /// <summary>One copy.</summary>
    /// <param name="bytes">From the beginning of the copy, up to <see cref="LengthMaxBytes"/>; fewer where the file
    /// ends or could not be read.</param>
    /// <returns>NotATracker, Waiting, TornHeader, UnknownVersion, UnknownFeature, Impossible, or None with a header.
    /// </returns>
    public static HeaderCopy Read(ReadOnlySpan<byte> bytes)
    {
        if (WaitingPage.IsOne(bytes))
            return new HeaderCopy(TrackerRefusal.Waiting, 0, null);
        if (bytes.Length < AreaTableAt || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic)
            return new HeaderCopy(TrackerRefusal.NotATracker, 0, null);
        uint lengthBytes = BinaryPrimitives.ReadUInt32LittleEndian(bytes[LengthAt..]);
        bool isLength = lengthBytes is >= AreaTableAt and <= LengthMaxBytes && lengthBytes <= bytes.Length;
        if (!isLength || !Units.IsAligned(lengthBytes, TrackerShape.SectorBytes))
            return new HeaderCopy(TrackerRefusal.TornHeader, 0, null);
        bytes = bytes[..(int)lengthBytes];
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[CrcAt..]) != Crc32C.Of(bytes[LengthAt..]))
            return new HeaderCopy(TrackerRefusal.TornHeader, 0, null);
        ulong sequence = BinaryPrimitives.ReadUInt64LittleEndian(bytes[SequenceAt..]);
        if (BinaryPrimitives.ReadUInt16LittleEndian(bytes[VersionAt..]) != Version)
            return new HeaderCopy(TrackerRefusal.UnknownVersion, sequence, null);
        uint mustKnow = BinaryPrimitives.ReadUInt32LittleEndian(bytes[MustKnowAt..]);
        uint mustKnowToWrite = BinaryPrimitives.ReadUInt32LittleEndian(bytes[MustKnowToWriteAt..]);
        if ((mustKnow & ~MustKnow) != 0 || mustKnowToWrite != 0)
            return new HeaderCopy(TrackerRefusal.UnknownFeature, sequence, null);
        uint areaCount = BinaryPrimitives.ReadUInt32LittleEndian(bytes[AreaCountAt..]);
        if (areaCount > (lengthBytes - AreaTableAt) / AreaBytes)
            return new HeaderCopy(TrackerRefusal.Impossible, sequence, null);
        TrackerHeader header = ReadFields(bytes, sequence, (int)areaCount);
        return new HeaderCopy(HeaderRules.Judge(header), sequence, header);
    }

    /// <summary>Which of two copies counts.</summary>
    /// <remarks>
    /// The one with the higher sequence, of those that are whole. If that one cannot be used, neither can the file: the
    /// older one knows nothing of what happened since. Two different headers with one sequence were never written.
    /// </remarks>
    public static HeaderCopy Choose(in HeaderCopy first, in HeaderCopy second)
    {
        if (!first.IsWhole && !second.IsWhole)
            return first.Refusal is TrackerRefusal.TornHeader or TrackerRefusal.Waiting ? first : second;
        if (!first.IsWhole || !second.IsWhole)
            return first.IsWhole ? first : second;
        if (first.Sequence != second.Sequence)
            return first.Sequence > second.Sequence ? first : second;
        return first.Refusal != TrackerRefusal.None ? first : second;
    }

    static TrackerHeader ReadFields(ReadOnlySpan<byte> bytes, ulong sequence, int areaCount)
    {
        TrackerArea[] areas = new TrackerArea[areaCount];
        for (int i = 0; i < areaCount; i++)
            areas[i] = ReadArea(bytes.Slice(AreaTableAt + i * AreaBytes, AreaBytes));
        (ulong modifiedNs, ulong changedNs) = ReadPair(bytes[TimesAt..]);
        return new TrackerHeader
        {
            TrackerId = BinaryPrimitives.ReadUInt128LittleEndian(bytes[TrackerIdAt..]),
            Sequence = sequence,
            Shape = new TrackerShape(
                BinaryPrimitives.ReadUInt64LittleEndian(bytes[DiskBytesAt..]),
                bytes[GranuleAt],
                bytes[RegionAt]
            ),
            DiskId = ReadDigest(bytes[DiskIdAt..]),
            State = (TrackerState)BinaryPrimitives.ReadUInt32LittleEndian(bytes[StateAt..]),
            BootId = BinaryPrimitives.ReadUInt128LittleEndian(bytes[BootIdAt..]),
            Home = ReadPair(bytes[HomeAt..]),
            IsLiveElsewhere = (BinaryPrimitives.ReadUInt32LittleEndian(bytes[MustKnowAt..]) & LiveElsewhere) != 0,
            Stamp = new DiskStamp(modifiedNs, changedNs, ReadDigest(bytes[PlacesAt..])),
            MapId = BinaryPrimitives.ReadUInt64LittleEndian(bytes[MapIdAt..]),
            LastMapId = BinaryPrimitives.ReadUInt64LittleEndian(bytes[LastMapIdAt..]),
            Areas = areas,
        };
    }

    static void WriteArea(Span<byte> bytes, in TrackerArea area)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)area.Kind);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[2..], area.Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], area.MapId);
        WritePair(bytes[16..], (area.OffsetBytes, area.LengthBytes));
    }

    static TrackerArea ReadArea(ReadOnlySpan<byte> bytes)
    {
        (ulong offsetBytes, ulong lengthBytes) = ReadPair(bytes[16..]);
        return new TrackerArea(
            (AreaKind)BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            offsetBytes,
            lengthBytes
        );
    }

    static void WritePair(Span<byte> bytes, (ulong First, ulong Second) pair)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, pair.First);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], pair.Second);
    }

    static (ulong First, ulong Second) ReadPair(ReadOnlySpan<byte> bytes) =>
        (BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));

    static void WriteDigest(Span<byte> bytes, Digest32 digest)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, digest.First);
        BinaryPrimitives.WriteUInt128LittleEndian(bytes[16..], digest.Second);
    }

    static Digest32 ReadDigest(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt128LittleEndian(bytes), BinaryPrimitives.ReadUInt128LittleEndian(bytes[16..]));
}

/// <summary>One copy of a header as it was found. Immutable.</summary>
/// <param name="Refusal">None: it can be used.</param>
/// <param name="Sequence">0 when it is not whole.</param>
/// <param name="Header">Null where it could not be read as far as that.</param>
readonly record struct HeaderCopy(TrackerRefusal Refusal, ulong Sequence, TrackerHeader? Header)
{
    /// <summary>Somebody has written it as it is.</summary>
    public bool IsWhole =>
        Refusal is not (TrackerRefusal.NotATracker or TrackerRefusal.TornHeader or TrackerRefusal.Waiting);
}
