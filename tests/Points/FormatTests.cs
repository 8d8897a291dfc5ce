// Documents, packs and compression: what is written is read back, and whatever bytes are given, nothing but a refusal
// comes of those that are none.
using System;
using System.Collections.Generic;
using System.Text;
using FastBackup.Repositories;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class FormatTests
{
    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Compressed_IsReadByTheOther(bool writesBySystem, bool readsBySystem)
    {
        using ZstdCodec writer = new(writesBySystem);
        using ZstdCodec reader = new(readsBySystem);
        foreach (int length in new[] { 0, 1, 1000, 300_000 })
        {
            byte[] text = Text(length);
            byte[] room = new byte[ZstdCodec.BoundBytes(length)];
            int count = writer.Compress(text, room);
            byte[] back = new byte[length];
            Assert.True(reader.TryDecompress(room.AsSpan(0, count), back));
            Assert.Equal(text, back);
            Assert.False(reader.TryDecompress(room.AsSpan(0, count), new byte[length + 1]));
            Assert.Equal(text, ZstdCodec.DecompressDocument(room[..count], 0));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CompressedThatIsCutOrChanged_NeverThrows(bool isBySystem)
    {
        using ZstdCodec codec = new(isBySystem);
        Random random = new((int)TestSeed.Next());
        byte[] text = Text(5000);
        byte[] room = new byte[ZstdCodec.BoundBytes(text.Length)];
        int count = codec.Compress(text, room);
        byte[] back = new byte[text.Length];
        for (int i = 0; i < 500; i++)
        {
            byte[] bad = room[..count];
            bad[random.Next(count)] ^= (byte)(1 << random.Next(8));
            _ = codec.TryDecompress(bad, back);
            _ = codec.TryDecompress(bad.AsSpan(0, random.Next(count)), back);
        }
        Assert.True(codec.TryDecompress(room.AsSpan(0, count), back));
    }

    [Fact]
    public void Polynomial_ThatResticMade_IsIrreducible()
    {
        Assert.True(ChunkerPolynomial.IsIrreducible(0x3d9d21f98f1f37)); // by restic 0.14
        Assert.True(ChunkerPolynomial.IsIrreducible(0x25b468838dcb75)); // of restic's doc/design.rst
        Assert.False(ChunkerPolynomial.IsIrreducible(0x3d9d21f98f1f36)); // x divides it
        Assert.False(ChunkerPolynomial.IsIrreducible(0b10001)); // (x + 1)^4
        Assert.True(ChunkerPolynomial.IsIrreducible(0b111));
        ulong made = Convert.ToUInt64(ChunkerPolynomial.Random(), 16);
        Assert.Equal(53, System.Numerics.BitOperations.Log2(made));
    }

    [Fact]
    public void Tree_IsReadBack()
    {
        TreeNode[] nodes =
        [
            new()
            {
                Name = "disk.img",
                Type = "file",
                SizeBytes = 12345678901,
                Time = "2026-01-31T00:00:00Z",
                Content = [Id(1), Id(2), Id(1)],
            },
            new()
            {
                Name = "folder",
                Type = "dir",
                Time = "2026-01-31T00:00:00Z",
                Subtree = Id(3),
            },
        ];
        byte[] bytes = TreeDocument.Write(nodes);
        List<TreeNode> read = TreeDocument.Read(bytes)!;
        Assert.Equal(2, read.Count);
        Assert.Equal(nodes[0].Content, read[0].Content);
        Assert.Equal(nodes[0] with { Content = [] }, read[0] with { Content = [] });
        Assert.Equal(nodes[1].Subtree, read[1].Subtree);
    }

    [Fact]
    public void Index_IsReadBack()
    {
        PackedBlob plain = new(Id(1), new(0, 0, 100, 68, false, BlobKind.Content));
        PackedBlob compressed = new(Id(2), new(0, 100, 50, 1000, true, BlobKind.Tree));
        IndexedPack read = Assert.Single(
            IndexDocument.Read(IndexDocument.Write([new IndexedPack(Id(9), [plain, compressed])]))!
        );
        Assert.Equal(Id(9), read.Pack);
        Assert.Equal([plain, compressed], read.Blobs);
    }

    [Fact]
    public void DocumentThatIsNone_IsRefused()
    {
        Random random = new((int)TestSeed.Next());
        byte[][] good =
        [
            TreeDocument.Write(
                [
                    new()
                    {
                        Name = "a",
                        Type = "file",
                        Content = [Id(1)],
                    },
                ]
            ),
            IndexDocument.Write([new IndexedPack(Id(9), [new(Id(1), new(0, 0, 100, 68, false, BlobKind.Content))])]),
            "{}"u8.ToArray(),
            "[]"u8.ToArray(),
            "{\"nodes\":[{\"content\":[1]}]}"u8.ToArray(),
            "{\"packs\":[{\"blobs\":[{\"length\":-1}]}]}"u8.ToArray(),
            "{\"nodes\":{}}"u8.ToArray(),
        ];
        foreach (byte[] bytes in good)
            for (int i = 0; i < 400; i++)
            {
                byte[] bad = bytes[..random.Next(bytes.Length + 1)];
                if (bad.Length > 0)
                    bad[random.Next(bad.Length)] = (byte)random.Next(256);
                _ = TreeDocument.Read(bad);
                _ = IndexDocument.Read(bad);
            }
        Assert.Null(TreeDocument.Read("[]"u8));
        Assert.Null(IndexDocument.Read("{\"packs\":3}"u8));
    }

    [Fact]
    public void PackHeader_IsReadBack_AndNoOther()
    {
        using BlobCipher cipher = new(MasterKey.Random());
        PackedBlob[] blobs =
        [
            new(Id(1), new(0, 0, 100, 68, false, BlobKind.Content)),
            new(Id(2), new(0, 100, 60, 1000, true, BlobKind.Content)),
        ];
        byte[] pack = new byte[160 + PackHeader.BoundBytes(2)];
        int header = PackHeader.Write(blobs, cipher, pack.AsSpan(160));
        pack = pack[..(160 + header)];
        Assert.Equal(blobs, PackHeader.Read(pack, cipher));
        Assert.Null(PackHeader.Read(pack.AsSpan(1), cipher)); // blobs that are not there
        for (int length = 0; length < pack.Length; length++)
            Assert.Null(PackHeader.Read(pack.AsSpan(0, length), cipher));
    }

    [Theory]
    [InlineData("2026-01-31T22:00:00.123456789+01:00", "2026-01-31T21:00:00.1234567Z")]
    [InlineData("2026-01-31T22:00:00Z", "2026-01-31T22:00:00.0000000Z")]
    [InlineData("2015-01-02T18:10:13.48307196+01:00", "2015-01-02T17:10:13.4830719Z")]
    public void Time_OfOthers_IsRead(string text, string utc)
    {
        Assert.True(RepositoryTime.TryParse(text, out DateTime time));
        Assert.Equal(utc, RepositoryTime.Format(time));
    }

    [Theory]
    [InlineData("vm-1.local", null)]
    [InlineData("", "empty")]
    [InlineData("..", "no name")]
    [InlineData("a/b", "letter")]
    [InlineData("a\"b", "letter")]
    [InlineData("ä", "letter")]
    public void DiskName_IsOfPlainLetters(string name, string? wrong) =>
        Assert.True(
            wrong == null
                ? DiskNames.Check(name) == null
                : DiskNames.Check(name)!.Contains(wrong, StringComparison.Ordinal)
        );

    static byte[] Text(int length) =>
        Encoding.ASCII.GetBytes(new string('a', length / 2) + new string('b', length - length / 2));

    static BlobId Id(byte value) => BlobId.Of([value]);
}
