// Changes to an image that somebody hostile, or a broken disk, can make: fields of the header, entries of tables set to
// values that mean something, bits, whole pieces, a cut. What was changed can be said.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Base;

namespace FastBackup.Tests.Unit.Formats;

static class ImageMutation
{
    static readonly int[] HeaderFields =
    [
        4,
        8,
        12,
        16,
        20,
        24,
        28,
        32,
        36,
        40,
        44,
        48,
        52,
        56,
        60,
        64,
        68,
        72,
        76,
        80,
        88,
        92,
        96,
        100,
        104,
    ];

    /// <returns>A changed copy.</returns>
    public static byte[] Make(byte[] original, Prng chance, List<string> words)
    {
        byte[] image = (byte[])original.Clone();
        int count = 1 + (int)chance.Below(3);
        for (int i = 0; i < count; i++)
            switch (chance.Below(14))
            {
                case 10 or 11:
                    Bitmaps(image, original, chance, words);
                    break;
                case 12 or 13:
                    Counts(image, original, chance, words);
                    break;
                case < 3:
                    Header(image, chance, words);
                    break;
                case < 7:
                    Entry(image, original, chance, words);
                    break;
                case < 8:
                    int flipped = (int)chance.Below((ulong)image.Length);
                    image[flipped] ^= (byte)(1 << (int)chance.Below(8));
                    words.Add(Text($"bit in {flipped}"));
                    break;
                case < 9:
                    int at = (int)chance.Below((ulong)image.Length - 64);
                    chance.Fill(image.AsSpan(at, 1 + (int)chance.Below(64)));
                    words.Add(Text($"bytes from {at}"));
                    break;
                default:
                    if (chance.Below(4) == 0)
                        image = image[..Math.Max(512, (int)chance.Below((ulong)image.Length))];
                    words.Add(Text($"length {image.Length}"));
                    break;
            }
        return image;
    }

    static void Header(byte[] image, Prng chance, List<string> words)
    {
        int field = HeaderFields[(int)chance.Below((ulong)HeaderFields.Length)];
        uint value = chance.Below(6) switch
        {
            0 => 0,
            1 => uint.MaxValue,
            2 => 1u << (int)chance.Below(32),
            3 => (uint)chance.Below((ulong)image.Length),
            4 => BinaryPrimitives.ReadUInt32BigEndian(image.AsSpan(field)) + 1,
            _ => (uint)chance.NextULong(),
        };
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(field), value);
        words.Add(Text($"header {field} = {value:x}"));
    }

    /// <summary>The extension for bitmaps, a field of their directory, or an entry of one of their tables.</summary>
    static void Bitmaps(byte[] image, byte[] original, Prng chance, List<string> words)
    {
        int extension = original
            .AsSpan(0, Math.Min(original.Length, 1024))
            .IndexOf((ReadOnlySpan<byte>)[0x23, 0x85, 0x28, 0x75, 0, 0, 0, 24]);
        if (extension < 0)
            return;
        int directory = (int)BinaryPrimitives.ReadUInt64BigEndian(original.AsSpan(extension + 24));
        int entry = directory;
        bool hasSecond = original.Length >= directory + 64 && original[extension + 11] > 1;
        if (hasSecond && chance.Below(2) == 0)
            entry += (int)Units.AlignUp(24UL + BinaryPrimitives.ReadUInt16BigEndian(original.AsSpan(entry + 18)), 8);
        if (entry + 8 > original.Length)
            return;
        int table = (int)BinaryPrimitives.ReadUInt64BigEndian(original.AsSpan(entry));
        int at = chance.Below(4) switch
        {
            0 => extension + 4 * (int)chance.Below(8),
            1 => entry + 4 * (int)chance.Below(8),
            2 => entry + (int)chance.Below(24),
            _ => table + 8 * (int)chance.Below(3) + 4 * (int)chance.Below(2),
        };
        if (at + 4 <= image.Length)
            Set(image, at, chance, words, "bitmaps");
    }

    /// <summary>An entry of the table of reference counts, or a few counts of its first block.</summary>
    static void Counts(byte[] image, byte[] original, Prng chance, List<string> words)
    {
        int table = (int)BinaryPrimitives.ReadUInt64BigEndian(original.AsSpan(48));
        int block = (int)BinaryPrimitives.ReadUInt64BigEndian(original.AsSpan(table));
        int at = chance.Below(3) == 0 ? table + 4 * (int)chance.Below(6) : block + 2 * (int)chance.Below(100);
        if (at + 4 <= image.Length)
            Set(image, at, chance, words, "counts");
    }

    static void Set(byte[] image, int field, Prng chance, List<string> words, string what)
    {
        uint old = BinaryPrimitives.ReadUInt32BigEndian(image.AsSpan(field));
        uint value = chance.Below(7) switch
        {
            0 => 0,
            1 => uint.MaxValue,
            2 => 1u << (int)chance.Below(32),
            3 => (uint)chance.Below((ulong)image.Length) >> 9 << 9,
            4 => old + 1,
            5 => old ^ 1u << (int)chance.Below(32),
            _ => (uint)chance.NextULong(),
        };
        BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(field), value);
        words.Add(Text($"{what} {field} = {value:x}"));
    }

    /// <summary>An entry of the L1 table, or of the L2 table that one of its entries names.</summary>
    static void Entry(byte[] image, byte[] original, Prng chance, List<string> words)
    {
        int l1 = (int)BinaryPrimitives.ReadUInt64BigEndian(original.AsSpan(40));
        int count = (int)BinaryPrimitives.ReadUInt32BigEndian(original.AsSpan(36));
        int clusterBits = (int)BinaryPrimitives.ReadUInt32BigEndian(original.AsSpan(20));
        int at = l1 + 8 * (int)chance.Below((ulong)count);
        if (chance.Below(4) > 0)
        {
            int table = (int)(BinaryPrimitives.ReadUInt64BigEndian(original.AsSpan(at)) & 0x00ff_ffff_ffff_fe00);
            if (table > 0 && table + (1 << clusterBits) <= image.Length)
                at = table + 8 * (int)chance.Below(1ul << clusterBits - 3);
        }
        if (at + 8 > image.Length)
            return;
        ulong old = BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(at));
        ulong value = chance.Below(9) switch
        {
            0 => 0,
            1 => ulong.MaxValue,
            2 => old ^ 1UL << (int)chance.Below(64),
            3 => chance.Below((ulong)image.Length) >> 9 << 9,
            4 => (uint)l1 | 1UL << 63, // a table as data, or as its own table
            5 => 1UL << 62 | chance.NextULong() >> 2,
            6 => 1UL << 62 | chance.Below((ulong)image.Length),
            7 => chance.NextULong(),
            _ => old + (1UL << clusterBits),
        };
        BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan(at), value);
        words.Add(Text($"entry {at}: {old:x} = {value:x}"));
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
