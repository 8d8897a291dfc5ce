// What is written over a point, against a disk in memory: any ranges, several at a time, and as a power cut leaves it.
using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using FastBackup.Repositories;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class OverlayTests : IDisposable
{
    const int SizeBytes = 300_001;
    static readonly BlobId s_point = BlobId.Of("point"u8);

    readonly TempFolder _folder = new();
    readonly byte[] _below = new byte[SizeBytes];
    readonly byte[] _model;

    public OverlayTests()
    {
        new Random(1).NextBytes(_below);
        _model = [.. _below];
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void RandomWrites_AreReadBack_AndAfterReopening()
    {
        Random random = new((int)TestSeed.Next());
        for (int round = 0; round < 5; round++)
        {
            using OverlayFile overlay = Open();
            AssertIsModel(overlay, _model);
            for (int i = 0; i < 40; i++)
                Write(overlay, random);
            AssertIsModel(overlay, _model);
            overlay.Flush();
        }
    }

    [Fact]
    public void PowerCut_LeavesWhatWasFlushed_OrThePoint()
    {
        Random random = new((int)TestSeed.Next());
        byte[] flushed;
        using (OverlayFile overlay = Open())
        {
            for (int i = 0; i < 10; i++)
                Write(overlay, random, 4096);
            overlay.Flush();
            flushed = [.. _model];
            for (int i = 0; i < 10; i++)
                Write(overlay, random, 4096);
        }
        // Without a flush: each granule is as flushed, as written since, or (never flushed) as the point has it.
        using OverlayFile again = Open();
        byte[] now = ReadAll(again);
        for (int granule = 0; granule * 4096 < SizeBytes; granule++)
        {
            Range range = (granule * 4096)..Math.Min(SizeBytes, (granule + 1) * 4096);
            Assert.True(
                now.AsSpan(range).SequenceEqual(flushed.AsSpan(range))
                    || now.AsSpan(range).SequenceEqual(_model.AsSpan(range)),
                $"granule {granule}"
            );
        }
    }

    [Fact]
    public void NeighboursInOneGranule_WrittenAtOnce_AreAllThere()
    {
        using OverlayFile overlay = Open();
        const int Piece = 700; // six writers in a granule
        Parallel.For(
            0,
            SizeBytes / Piece,
            new ParallelOptions { MaxDegreeOfParallelism = 8 },
            i =>
            {
                byte[] bytes = Enumerable.Repeat((byte)i, Piece).ToArray();
                overlay.Write((ulong)(i * Piece), bytes, ReadBelow);
                bytes.CopyTo(_model, i * Piece);
            }
        );
        AssertIsModel(overlay, _model);
    }

    [Fact]
    public void OverlayCutShort_IsRefused()
    {
        using (OverlayFile overlay = Open())
            Write(overlay, new Random(3));
        using (FileStream file = new(_folder["over"], FileMode.Open))
            file.SetLength(file.Length - 1);
        RepositoryException thrown = Assert.Throws<RepositoryException>(Open);
        Assert.Equal(RepositoryError.Damaged, thrown.Error);
    }

    OverlayFile Open() => OverlayFile.Open(_folder["over"], SizeBytes, s_point, "vm/disk");

    void ReadBelow(ulong offset, Span<byte> bytes) => _below.AsSpan((int)offset, bytes.Length).CopyTo(bytes);

    void Write(OverlayFile overlay, Random random, int unit = 1)
    {
        int offset = random.Next(SizeBytes / unit) * unit;
        int length = Math.Min(SizeBytes - offset, unit * (1 + random.Next(unit > 1 ? 5 : 20_000)));
        byte[] bytes = new byte[length];
        if (random.Next(4) == 0)
            overlay.WriteZeroes((ulong)offset, (ulong)length, ReadBelow);
        else
        {
            random.NextBytes(bytes);
            overlay.Write((ulong)offset, bytes, ReadBelow);
        }
        bytes.CopyTo(_model, offset);
    }

    byte[] ReadAll(OverlayFile overlay)
    {
        byte[] all = new byte[SizeBytes];
        for (ulong offset = 0; offset < SizeBytes; )
        {
            ulong end = overlay.RunFrom(offset, SizeBytes, out bool isWritten);
            Span<byte> run = all.AsSpan((int)offset, (int)(end - offset));
            if (isWritten)
                overlay.Read(offset, run);
            else
                ReadBelow(offset, run);
            offset = end;
        }
        return all;
    }

    void AssertIsModel(OverlayFile overlay, byte[] model) => Assert.Equal(model, ReadAll(overlay));
}
