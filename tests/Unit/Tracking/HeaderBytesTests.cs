// The header of a tracker file: read back as written, refused with every bit that rots, and never passed over for an
// older one.
using System;
using System.Buffers.Binary;
using System.Linq;
using FastBackup.Base;
using FastBackup.Tracking.Format;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class HeaderBytesTests
{
    [Fact]
    public void Crc32C_IsCastagnolis()
    {
        // Source: RFC 3720, B.4.
        Assert.Equal(0x8A9136AAu, Crc32C.Of(new byte[32]));
        Assert.Equal(0x62A8AB43u, Crc32C.Of(Enumerable.Repeat((byte)0xFF, 32).ToArray()));
        Assert.Equal(0x46DD794Eu, Crc32C.Of(Enumerable.Range(0, 32).Select(one => (byte)one).ToArray()));
        Assert.Equal(0xE3069283u, Crc32C.Of("123456789"u8));
    }

    [Theory]
    [InlineData(1ul, 12, 12)]
    [InlineData(700ul, 16, 22)]
    [InlineData(64 * Units.TiB, 16, 22)]
    [InlineData(64 * Units.TiB, 12, 22)]
    [InlineData(64 * Units.TiB, 22, 30)]
    [InlineData(TrackerShape.DiskMaxBytes, 12, 12)]
    public void Write_OfAnyShape_ReadsBack(ulong diskBytes, int granuleShift, int regionShift)
    {
        TrackerHeader header = TrackerScene.Header(new TrackerShape(diskBytes, granuleShift, regionShift));
        HeaderCopy copy = HeaderBytes.Read(TrackerScene.Bytes(header));
        Assert.Equal(TrackerRefusal.None, copy.Refusal);
        Assert.Equal(header.Areas, copy.Header!.Areas);
        Assert.Equal(header, copy.Header with { Areas = header.Areas });
    }

    [Fact]
    public void Shape_OfALargeDisk_IsAsTheHeadSays()
    {
        TrackerShape shape = new(64 * Units.TiB, 16, 22);
        Assert.Equal(33_289ul, shape.FinePageCount);
        Assert.Equal(4_682ul, shape.IntentSectorCount);
        ulong finePageEnd = shape.OfFinePage(shape.FinePageCount - 1).EndBytes;
        Assert.Equal(shape.DiskBytes, finePageEnd);
        Assert.Equal(shape.DiskBytes, shape.OfSector(shape.IntentSectorCount - 1).EndBytes);
    }

    [Fact]
    public void Read_WithAnyBitTurned_IsRefused()
    {
        byte[] bytes = TrackerScene.Bytes(TrackerScene.Header(TrackerScene.Shape));
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << bit % 8);
            HeaderCopy copy = HeaderBytes.Read(bytes);
            Assert.False(copy.IsWhole, $"bit {bit}: {copy.Refusal}");
            bytes[bit / 8] ^= (byte)(1 << bit % 8);
        }
        Assert.Equal(TrackerRefusal.None, HeaderBytes.Read(bytes).Refusal);
    }

    [Fact]
    public void Read_OfAnyPart_IsRefused()
    {
        byte[] bytes = TrackerScene.Bytes(TrackerScene.Header(TrackerScene.Shape));
        for (int length = 0; length < bytes.Length; length += 61)
            Assert.False(HeaderBytes.Read(bytes.AsSpan(0, length)).IsWhole);
        Assert.Equal(TrackerRefusal.NotATracker, HeaderBytes.Read(new byte[HeaderBytes.LengthBytes]).Refusal);
    }

    [Theory]
    [InlineData(16, 2, TrackerRefusal.UnknownVersion)]
    [InlineData(18, 1, TrackerRefusal.None)] // a higher minor version
    [InlineData(20, 2, TrackerRefusal.UnknownFeature)]
    [InlineData(24, 1, TrackerRefusal.UnknownFeature)]
    [InlineData(28, 1, TrackerRefusal.None)] // a feature that may be ignored
    [InlineData(40, 1, TrackerRefusal.None)] // zero, ignored when read
    [InlineData(96, 0, TrackerRefusal.Impossible)] // no disk: 129 MiB and 700 lose their low byte only
    [InlineData(104, 11, TrackerRefusal.Impossible)]
    [InlineData(104, 23, TrackerRefusal.Impossible)]
    [InlineData(105, 15, TrackerRefusal.Impossible)]
    [InlineData(105, 31, TrackerRefusal.Impossible)]
    [InlineData(108, 0, TrackerRefusal.Impossible)]
    [InlineData(108, 4, TrackerRefusal.None)] // moved
    [InlineData(108, 5, TrackerRefusal.Impossible)]
    [InlineData(192, 200, TrackerRefusal.Impossible)] // a map that was never given
    [InlineData(208, 4, TrackerRefusal.Impossible)] // an area is missing
    [InlineData(208, 255, TrackerRefusal.Impossible)]
    [InlineData(512, 99, TrackerRefusal.UnknownFeature)] // an area that must be known
    [InlineData(528, 1, TrackerRefusal.Impossible)] // not on a page
    public void Read_OfWhatIsWholeAndUnknown_SaysWhy(int at, byte value, TrackerRefusal refusal)
    {
        byte[] bytes = TrackerScene.Bytes(TrackerScene.Header(TrackerScene.Shape));
        bytes[at] = value;
        if (at == 96)
            bytes.AsSpan(at, 8).Clear();
        Reseal(bytes);
        HeaderCopy copy = HeaderBytes.Read(bytes);
        Assert.Equal(refusal, copy.Refusal);
        Assert.True(copy.IsWhole);
    }

    [Fact]
    public void Read_OfAreasThatOverlapOrWrap_IsImpossible()
    {
        TrackerHeader header = TrackerScene.Header(TrackerScene.Shape);
        TrackerArea last = header.Areas[^1];
        foreach (ulong offsetBytes in (ulong[])[0, header.Areas[0].OffsetBytes, ulong.MaxValue - 4095, 1UL << 62])
        {
            TrackerArea[] areas = [.. header.Areas[..^1], last with { OffsetBytes = offsetBytes }];
            Assert.Equal(TrackerRefusal.Impossible, HeaderRules.Judge(header with { Areas = areas }));
        }
        TrackerArea[] small = [.. header.Areas[..^1], last with { LengthBytes = 0 }];
        Assert.Equal(TrackerRefusal.Impossible, HeaderRules.Judge(header with { Areas = small }));
        TrackerArea other = new((AreaKind)500, 0, 0, last.EndBytes, 4096);
        Assert.True(HeaderRules.IsLegal(header with { Areas = [.. header.Areas, other] }));
    }

    [Fact]
    public void Choose_TakesTheNewest_AndNeverAnOlderOneInsteadOfIt()
    {
        HeaderCopy older = new(TrackerRefusal.None, 5, TrackerScene.Header(TrackerScene.Shape));
        HeaderCopy newer = older with { Sequence = 6 };
        HeaderCopy torn = new(TrackerRefusal.TornHeader, 0, null);
        HeaderCopy none = new(TrackerRefusal.NotATracker, 0, null);
        HeaderCopy waiting = new(TrackerRefusal.Waiting, 0, null);
        HeaderCopy later = new(TrackerRefusal.UnknownVersion, 7, null);
        (HeaderCopy, HeaderCopy, HeaderCopy)[] rows =
        [
            (older, newer, newer),
            (older, torn, older),
            (newer, none, newer),
            (newer, later, later),
            (torn, none, torn),
            (waiting, older, older), // the import had come as far as its second copy
            (none, none, none),
        ];
        foreach ((HeaderCopy first, HeaderCopy second, HeaderCopy wanted) in rows)
        {
            Assert.Equal(wanted, HeaderBytes.Choose(first, second));
            Assert.Equal(wanted, HeaderBytes.Choose(second, first));
        }
    }

    static void Reseal(byte[] bytes) =>
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Crc32C.Of(bytes.AsSpan(12)));
}
