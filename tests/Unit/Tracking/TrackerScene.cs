// Trackers of a small disk, for tests of their format.
using System;
using FastBackup.Base;
using FastBackup.Tracking.Format;

namespace FastBackup.Tests.Unit.Tracking;

static class TrackerScene
{
    public const ulong MapId = 7;

    /// <summary>129 MiB and a bit, in granules of 64 KiB: 33 regions, the last one a part of one.</summary>
    public static TrackerShape Shape { get; } = new(129 * Units.MiB + 700, 16, TrackerShape.RegionShiftUsual);

    public static UInt128 Boot { get; } = new(0x1122334455667788, 0x99AABBCCDDEEFF00);

    public static TrackerHeader Header(TrackerShape shape, TrackerState state = TrackerState.Closed) =>
        new()
        {
            TrackerId = new UInt128(0x0706050403020100, 0xF7F6F5F4F3F2F1F0),
            Sequence = 5,
            Shape = shape,
            DiskId = new Digest32(1, 2),
            State = state,
            BootId = Boot,
            Home = (2049, 131),
            Stamp = new DiskStamp(1000, 2000, new Digest32(3, 4)),
            MapId = MapId,
            LastMapId = MapId + 2,
            Areas = HeaderRules.Place(shape, MapId),
        };

    public static byte[] Bytes(TrackerHeader header)
    {
        byte[] bytes = new byte[HeaderBytes.LengthBytes];
        HeaderBytes.Write(header, bytes);
        return bytes;
    }

    /// <summary>The whole file, with nothing changed and nothing open.</summary>
    public static byte[] NewFile(TrackerHeader header)
    {
        byte[] file = new byte[header.Areas[^1].EndBytes];
        HeaderBytes.Write(header, file.AsSpan(0, HeaderBytes.LengthBytes));
        HeaderBytes.Write(header, file.AsSpan((int)HeaderBytes.SecondCopyAt, HeaderBytes.LengthBytes));
        foreach (TrackerArea area in header.Areas)
        {
            if (area.Kind == AreaKind.Live)
                continue;
            ulong blockCount = IsFine(area) ? header.Shape.FinePageCount : header.Shape.IntentSectorCount;
            for (ulong index = 0; index < blockCount; index++)
                Seal(file, header.TrackerTag, area, index);
        }
        return file;
    }

    /// <summary>Sets one bit of an area of blocks.</summary>
    public static void SetBit(byte[] file, in TrackerArea area, ulong bit)
    {
        ulong bitsPerBlock = (ulong)(BlockBytes(area) - SealedBlock.HeadBytes) * 8;
        ulong index = bit / bitsPerBlock;
        bit %= bitsPerBlock;
        SealedBlock.BitsOf(BlockAt(file, area, index))[(int)(bit / 8)] |= (byte)(1 << (int)(bit % 8));
        Seal(file, Header(Shape).TrackerTag, area, index);
    }

    static void Seal(byte[] file, ulong tag, in TrackerArea area, ulong index)
    {
        BlockKind kind = IsFine(area) ? BlockKind.Fine : BlockKind.Intents;
        SealedBlock.Seal(BlockAt(file, area, index), new BlockPlace(kind, tag, area.MapId, index), 1);
    }

    static Span<byte> BlockAt(byte[] file, in TrackerArea area, ulong index) =>
        file.AsSpan((int)area.OffsetBytes + (int)index * BlockBytes(area), BlockBytes(area));

    static bool IsFine(in TrackerArea area) => area.Kind is AreaKind.FineFirst or AreaKind.FineSecond;

    static int BlockBytes(in TrackerArea area) => IsFine(area) ? TrackerShape.PageBytes : TrackerShape.SectorBytes;
}
