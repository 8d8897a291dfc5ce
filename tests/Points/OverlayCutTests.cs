// What a power cut can leave of a kept overlay: sectors that were not flushed are there or not, each by itself.
// Whatever is left opens again, holds all that was flushed, and is nowhere anything that was never written.
using System;
using System.IO;
using FastBackup.Repositories;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class OverlayCutTests : IDisposable
{
    const int SizeBytes = (20 << 20) + 1; // more granules than a sector of bits has
    const int SectorBytes = 512;
    const int GranuleBytes = 4096;
    const int BitsAt = 4096; // the bits lie from here on, the disk from the next MiB
    const int DataAt = 1 << 20;

    static readonly BlobId s_point = BlobId.Of("point"u8);

    readonly TempFolder _folder = new();
    readonly byte[] _below = new byte[SizeBytes];
    readonly byte[] _model = new byte[SizeBytes];
    readonly Random _random = new((int)TestSeed.Next());

    public OverlayCutTests()
    {
        _random.NextBytes(_below);
        _below.CopyTo(_model, 0);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Cut_BetweenFlushes_LeavesWhatWasFlushed()
    {
        for (int round = 0; round < 4; round++)
        {
            (byte[] flushed, byte[] after, byte[] model, byte[] later) = Write(isFlushedAgain: false);
            Mix(flushed, after, _ => _random.Next(2) == 0);
            AssertIsEither(model, later);
        }
    }

    [Fact]
    public void Cut_InTheMiddleOfAFlush_LeavesOneOrTheOther()
    {
        for (int round = 0; round < 4; round++)
        {
            (byte[] flushed, byte[] after, byte[] model, byte[] later) = Write(isFlushedAgain: true);
            // The data is durable before the first bit: so either some data and the old bits ...
            Mix(flushed, after, at => at >= DataAt && _random.Next(2) == 0);
            AssertIsEither(model, later);
            // ... or all of it and some bits.
            Mix(flushed, after, at => at >= DataAt || _random.Next(2) == 0);
            AssertIsEither(model, later);
        }
    }

    /// <summary>The file as it was flushed, and as it is later; and what the disk is then, each time.</summary>
    (byte[] Flushed, byte[] After, byte[] Model, byte[] Later) Write(bool isFlushedAgain)
    {
        using OverlayFile overlay = Open();
        for (int i = 0; i < 12; i++)
            WriteOne(overlay);
        overlay.Flush();
        byte[] flushed = ReadFile();
        byte[] model = [.. _model];
        for (int i = 0; i < 12; i++)
            WriteOne(overlay);
        if (isFlushedAgain)
            overlay.Flush();
        return (flushed, ReadFile(), model, [.. _model]);
    }

    void WriteOne(OverlayFile overlay)
    {
        int offset = _random.Next(SizeBytes);
        byte[] bytes = new byte[Math.Min(SizeBytes - offset, 1 + _random.Next(100_000))];
        if (_random.Next(4) == 0)
            overlay.WriteZeroes((ulong)offset, (ulong)bytes.Length, ReadBelow);
        else
        {
            _random.NextBytes(bytes);
            overlay.Write((ulong)offset, bytes, ReadBelow);
        }
        bytes.CopyTo(_model, offset);
    }

    /// <summary>The file becomes one of sectors of both.</summary>
    void Mix(byte[] before, byte[] after, Func<int, bool> isAfter)
    {
        byte[] mixed = new byte[after.Length];
        for (int at = 0; at < mixed.Length; at += SectorBytes)
        {
            int count = Math.Min(SectorBytes, mixed.Length - at);
            byte[] from = at < BitsAt || isAfter(at) ? after : before;
            from.AsSpan(at, count).CopyTo(mixed.AsSpan(at));
        }
        File.WriteAllBytes(_folder["over"], mixed);
    }

    /// <summary>Opens what is left; from here on the disk is what that says.</summary>
    void AssertIsEither(byte[] flushed, byte[] later)
    {
        using OverlayFile overlay = Open();
        byte[] now = ReadAll(overlay);
        for (int at = 0; at < SizeBytes; at += SectorBytes)
        {
            Range range = at..Math.Min(SizeBytes, at + SectorBytes);
            bool isOne =
                now.AsSpan(range).SequenceEqual(flushed.AsSpan(range))
                || now.AsSpan(range).SequenceEqual(later.AsSpan(range));
            Assert.True(isOne, $"sector {at} of granule {at / GranuleBytes}");
        }
        now.CopyTo(_model, 0);
    }

    OverlayFile Open() => OverlayFile.Open(_folder["over"], SizeBytes, s_point, "vm/disk");

    /// <summary>By another program: the overlay has it locked against readers of .NET.</summary>
    byte[] ReadFile()
    {
        _ = Tool.Run("cp", _folder["over"], _folder["copy"]);
        return File.ReadAllBytes(_folder["copy"]);
    }

    void ReadBelow(ulong offset, Span<byte> bytes) => _below.AsSpan((int)offset, bytes.Length).CopyTo(bytes);

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
}
