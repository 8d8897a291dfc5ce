// The operations of the hot paths on a bitmap that fits the caches; the table (see Program.cs) has the large one.
using System;
using BenchmarkDotNet.Attributes;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Bench.Micro.Bitmaps;

public class BitmapBenchmarks : IDisposable
{
    const ulong BitCount = 1 << 20;

    readonly HierarchicalBitmap _bitmap = HierarchicalBitmap.Create(BitCount * 65_536, 65_536);
    ulong _at;

    [GlobalSetup]
    public void Setup()
    {
        _bitmap.SetAll();
        _bitmap.TryClaim(BitCount / 2);
    }

    [Benchmark]
    public Fault SetAlreadySet() => _bitmap.Set((_at += 4096) & 0xFFFF_FFFF, 4096);

    [Benchmark]
    public bool Get() => _bitmap.GetBit((_at += 37) & (BitCount / 4 - 1));

    [Benchmark]
    public bool ClaimAndSetBack()
    {
        ulong bit = (_at += 37) & (BitCount / 4 - 1);
        bool isClaimed = _bitmap.TryClaim(bit);
        _bitmap.SetBits(bit, 1);
        return isClaimed;
    }

    [Benchmark]
    public ulong ClaimRunOfSixteenAndSetBack()
    {
        ulong from = (_at += 37) & (BitCount / 4 - 1);
        _bitmap.TryClaimRun(from, BitCount, 16, out ulong first, out ulong count);
        _bitmap.SetBits(first, count);
        return first;
    }

    [Benchmark]
    public ulong CountBits() => _bitmap.CountBits();

    public void Dispose()
    {
        _bitmap.Dispose();
        GC.SuppressFinalize(this);
    }
}
