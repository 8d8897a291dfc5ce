// Changes of an input: those of every fuzzer, and those that know that the protocol is made of big-endian numbers.
using System;
using System.Buffers.Binary;
using FastBackup.Base;

namespace FastBackup.Tests.Fuzz;

static class Mutations
{
    const int BytesMax = 16 * 1024;

    static readonly ulong[] s_numbers =
    [
        .. (ulong[])[0, 1, 2, 4, 8, 127, 128, 255, 256, 511, 512, 4095, 4096, 4097, 65535, 65536, 1 << 20],
        .. (ulong[])[(32 << 20) - 1, 32 << 20, (32 << 20) + 1, 64 << 20, int.MaxValue, 1u << 31, uint.MaxValue],
        .. (ulong[])[long.MaxValue, 1ul << 63, ulong.MaxValue - 4095, ulong.MaxValue],
    ];

    /// <summary>One to eight changes.</summary>
    /// <param name="input">Stays as it is.</param>
    /// <param name="other">Another input, parts of which may get in.</param>
    /// <param name="prng">Of all choices.</param>
    public static byte[] Change(byte[] input, byte[] other, Prng prng)
    {
        byte[] bytes = [.. input];
        for (ulong left = 1ul << (int)prng.Below(4); left > 0; left--)
            if (bytes.Length > 0)
                bytes = One(bytes, other, prng);
        return bytes.Length <= BytesMax ? bytes : bytes[..BytesMax];
    }

    static byte[] One(byte[] bytes, byte[] other, Prng prng)
    {
        int at = (int)prng.Below((ulong)bytes.Length);
        int end = Math.Min(bytes.Length, at + 1 + (int)prng.Below(48));
        switch (prng.Below(9))
        {
            case 0:
                bytes[at] ^= (byte)(1 << (int)prng.Below(8));
                return bytes;
            case 1:
                bytes[at] = (byte)prng.NextULong();
                return bytes;
            case 2:
                return [.. bytes[..at], .. bytes[end..]];
            case 3:
                return [.. bytes[..end], .. bytes[at..]];
            case 4:
                return bytes[..at];
            case 5:
                int from = (int)prng.Below((ulong)other.Length);
                return [.. bytes[..at], .. other[from..]];
            case 6:
                int start = (int)prng.Below((ulong)other.Length);
                return [.. bytes[..at], .. other[start..Math.Min(other.Length, start + end - at)], .. bytes[at..]];
            case 7:
                Add(bytes, at, (int)prng.Below(17) - 8, prng);
                return bytes;
            default:
                Put(bytes, at, s_numbers[prng.Below((ulong)s_numbers.Length)], prng);
                return bytes;
        }
    }

    static void Add(byte[] bytes, int at, int value, Prng prng)
    {
        if (at + 8 <= bytes.Length && prng.Chance(1, 2))
        {
            Span<byte> wide = bytes.AsSpan(at, 8);
            BinaryPrimitives.WriteUInt64BigEndian(wide, BinaryPrimitives.ReadUInt64BigEndian(wide) + (ulong)value);
        }
        else if (at + 4 <= bytes.Length)
        {
            Span<byte> narrow = bytes.AsSpan(at, 4);
            BinaryPrimitives.WriteUInt32BigEndian(narrow, BinaryPrimitives.ReadUInt32BigEndian(narrow) + (uint)value);
        }
    }

    static void Put(byte[] bytes, int at, ulong value, Prng prng)
    {
        int width = 1 << (int)prng.Below(4);
        for (int i = 0; i < width && at + i < bytes.Length; i++)
            bytes[at + i] = (byte)(value >> (width - 1 - i) * 8);
    }
}
