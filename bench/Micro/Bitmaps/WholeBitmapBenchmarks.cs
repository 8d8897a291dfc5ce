// Every operation on a whole bitmap of 2^24 bits (2 MiB, a TiB at 64 KiB), by density, by width, and warm or cold: in
// the caches from being loaded, or after 64 MiB of something else went through them. One call an iteration: most of
// them change the bitmap, which is loaded again before each.
using System;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Bench.Micro.Bitmaps;

[Widths]
public class WholeBitmapBenchmarks : IDisposable
{
    const ulong BitCount = 1 << 24;
    const int EvictBytes = 64 << 20;
    const int Points = 4096;

    readonly HierarchicalBitmap _bitmap = HierarchicalBitmap.Create(BitCount, 1);
    readonly HierarchicalBitmap _other = HierarchicalBitmap.Create(BitCount, 1);
    readonly HierarchicalBitmap _empty = HierarchicalBitmap.Create(BitCount, 1);
    readonly FrozenGeneration _frozen;
    readonly byte[] _serialized = new byte[BitCount / 8];
    readonly byte[] _evicting = new byte[EvictBytes];
    readonly ulong[] _bits = new ulong[FrozenGeneration.BatchMin];
    readonly BitRun[] _runs = new BitRun[FrozenGeneration.BatchMin];
    ulong[] _words = [];
    ulong[] _otherWords = [];

    public WholeBitmapBenchmarks() => _frozen = new FrozenGeneration(_other, default);

    [Params(1e-4, 1e-2, 0.5)]
    public double Density { get; set; }

    [Params(false, true)]
    public bool IsCold { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _words = BitSource.MakeWords(1, Density, BitCount);
        _otherWords = BitSource.MakeWords(1UL << 40, Density, BitCount);
    }

    [IterationSetup]
    public void Prepare()
    {
        if (_frozen.IsFrozen)
            Check.That(_frozen.Complete().IsNone);
        _empty.ResetAll();
        Load(_other, _otherWords);
        Load(_bitmap, _words);
        if (IsCold)
            for (int i = 0; i < EvictBytes; i += 64)
                _evicting[i]++;
    }

    [IterationSetup(Targets = [nameof(IterateBits), nameof(IterateRuns)])]
    public void PrepareFrozen()
    {
        if (_frozen.IsFrozen)
            Check.That(_frozen.Complete().IsNone);
        Load(_other, _otherWords);
        Check.That(_frozen.Freeze().IsNone);
        if (IsCold)
            for (int i = 0; i < EvictBytes; i += 64)
                _evicting[i]++;
    }

    [Benchmark(OperationsPerInvoke = Points)]
    public void SetPoints()
    {
        for (ulong i = 0; i < Points; i++)
            _bitmap.Set(BitSource.Position(7, i, BitCount), 1);
    }

    [Benchmark(OperationsPerInvoke = Points)]
    public ulong GetPoints()
    {
        ulong ones = 0;
        for (ulong i = 0; i < Points; i++)
            ones += _bitmap.GetBit(BitSource.Position(7, i, BitCount)) ? 1UL : 0;
        return ones;
    }

    [Benchmark(OperationsPerInvoke = Points)]
    public ulong ClaimPoints()
    {
        ulong ones = 0;
        for (ulong i = 0; i < Points; i++)
            ones += _bitmap.TryClaim(BitSource.Position(7, i, BitCount)) ? 1UL : 0;
        return ones;
    }

    [Benchmark]
    public void Set() => _bitmap.Set(0, BitCount);

    [Benchmark]
    public void SetExclusive() => _bitmap.SetExclusive(0, BitCount);

    [Benchmark]
    public void SetAll() => _bitmap.SetAll();

    [Benchmark]
    public void Reset() => _bitmap.Reset(0, BitCount);

    [Benchmark]
    public void ResetExclusive() => _bitmap.ResetExclusive(0, BitCount);

    [Benchmark]
    public void ResetAll() => _bitmap.ResetAll();

    [Benchmark]
    public void Merge() => _bitmap.Merge(_other);

    [Benchmark]
    public void MergeLive() => _bitmap.MergeLive(_other);

    [Benchmark]
    public void And() => _bitmap.And(_other);

    [Benchmark]
    public void AndNot() => _bitmap.AndNot(_other);

    [Benchmark]
    public void Invert() => _bitmap.Invert();

    [Benchmark]
    public void CopyFrom() => _empty.CopyFrom(_bitmap);

    [Benchmark]
    public bool Equal() => _bitmap.Equal(_other);

    [Benchmark]
    public ulong PopCount()
    {
        Check.That(_bitmap.PopCount(0, BitCount, out ulong ones).IsNone);
        return ones;
    }

    [Benchmark]
    public ulong Areas()
    {
        ulong sum = 0;
        for (ulong at = 0; ; )
        {
            Check.That(_bitmap.NextDirtyArea(at, BitCount, ulong.MaxValue, out Extent area).IsNone);
            if (area.IsEmpty)
                return sum;
            sum += area.OffsetBytes;
            at = area.EndBytes;
        }
    }

    [Benchmark]
    public ulong CleanRuns()
    {
        ulong sum = 0;
        for (ulong at = 0; at < BitCount; )
        {
            ulong clean = _bitmap.NextCleanBit(at, BitCount);
            if (clean == HierarchicalBitmap.NotFound)
                break;
            sum += clean;
            at = Math.Min(_bitmap.NextDirtyBit(clean, BitCount), BitCount);
        }
        return sum;
    }

    [Benchmark]
    public ulong ClaimRuns()
    {
        ulong sum = 0;
        for (ulong from = 0; _bitmap.TryClaimRun(from, BitCount, 16, out ulong first, out ulong count); )
        {
            sum += count;
            from = first + count;
        }
        return sum;
    }

    [Benchmark]
    public ulong IterateBits()
    {
        ulong sum = 0;
        ulong from = 0;
        for (int count; (count = _frozen.ReadBits(ref from, _bits)) > 0; )
            sum += _bits[count - 1];
        return sum;
    }

    [Benchmark]
    public ulong IterateRuns()
    {
        ulong sum = 0;
        ulong from = 0;
        for (int count; (count = _frozen.ReadRuns(ref from, _runs)) > 0; )
            sum += _runs[count - 1].FirstBit;
        return sum;
    }

    [Benchmark]
    public Fault Freeze() => _frozen.Freeze();

    [Benchmark]
    public Fault Serialize() => _bitmap.SerializePart(0, BitCount, _serialized);

    [Benchmark]
    public void Deserialize() => Load(_bitmap, _words);

    public void Dispose()
    {
        _frozen.Dispose();
        _bitmap.Dispose();
        _other.Dispose();
        _empty.Dispose();
        GC.SuppressFinalize(this);
    }

    static void Load(HierarchicalBitmap bitmap, ulong[] words)
    {
        Check.That(bitmap.DeserializePart(0, BitCount, MemoryMarshal.AsBytes(words.AsSpan())).IsNone);
        Check.That(bitmap.DeserializeFinish().IsNone);
    }
}
