using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Tests.Unit.Bitmaps;

/// <summary>The model: one bool per granule, and every operation in its most obvious form.</summary>
sealed class NaiveBitmap(ulong sizeBytes, ulong granularityBytes)
{
    public bool[] Bits = new bool[Units.DivCeil(sizeBytes, granularityBytes)];
    public ulong SizeBytes = sizeBytes;

    public ulong GranularityBytes { get; } = granularityBytes;

    public void Set(ulong offset, ulong length, bool value)
    {
        if (length == 0)
            return;
        for (ulong bit = offset / GranularityBytes; bit <= (offset + length - 1) / GranularityBytes; bit++)
            Bits[bit] = value;
    }

    public bool IsDirty(ulong offset) => Bits[offset / GranularityBytes];

    public ulong CountBits()
    {
        ulong count = 0;
        foreach (bool bit in Bits)
            count += bit ? 1UL : 0UL;
        return count;
    }

    public ulong CountBytes()
    {
        ulong count = 0;
        for (ulong bit = 0; bit < (ulong)Bits.Length; bit++)
        {
            if (Bits[bit])
                count += Math.Min(SizeBytes, (bit + 1) * GranularityBytes) - bit * GranularityBytes;
        }
        return count;
    }

    /// <summary>The first byte of [start, end) in a state, or ulong.MaxValue.</summary>
    public ulong Next(ulong start, ulong end, bool isDirty)
    {
        while (start < end)
        {
            if (IsDirty(start) == isDirty)
                return start;
            start = (start / GranularityBytes + 1) * GranularityBytes;
        }
        return ulong.MaxValue;
    }

    public List<(ulong First, ulong Count)> Runs()
    {
        List<(ulong, ulong)> runs = [];
        for (ulong bit = 0; bit < (ulong)Bits.Length; bit++)
        {
            ulong first = bit;
            while (bit < (ulong)Bits.Length && Bits[bit])
                bit++;
            if (bit > first)
                runs.Add((first, bit - first));
        }
        return runs;
    }

    public void Truncate(ulong sizeBytes)
    {
        Array.Resize(ref Bits, (int)Units.DivCeil(sizeBytes, GranularityBytes));
        SizeBytes = sizeBytes;
    }

    /// <summary>False when a dirty byte of the source lies past the end.</summary>
    public bool Fits(NaiveBitmap source) =>
        source.SizeBytes <= SizeBytes || source.Next(SizeBytes, source.SizeBytes, true) == ulong.MaxValue;

    public void Merge(NaiveBitmap source)
    {
        for (ulong bit = 0; bit < (ulong)source.Bits.Length; bit++)
        {
            if (!source.Bits[bit])
                continue;
            ulong first = bit * source.GranularityBytes;
            Set(first, Math.Min(source.SizeBytes, first + source.GranularityBytes) - first, true);
        }
    }

    public byte[] Serialize()
    {
        byte[] bytes = new byte[(Bits.Length + 63) / 64 * 8];
        for (int bit = 0; bit < Bits.Length; bit++)
        {
            if (Bits[bit])
                bytes[bit / 8] |= (byte)(1 << (bit % 8));
        }
        return bytes;
    }
}
