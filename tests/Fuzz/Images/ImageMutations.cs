// Changes of a recipe that know what an image is made of: a field gets a number that means something, most often one
// that is the place of something else; what has led somewhere is joined with what has led elsewhere.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Tests.Fuzz.Images;

/// <param name="images">That recipes name.</param>
sealed class ImageMutations(IReadOnlyList<SeedImage> images)
{
    const int ChangesMax = 12;

    /// <summary>One to four changes.</summary>
    /// <param name="input">Stays as it is.</param>
    /// <param name="other">Another one, changes of which may get in.</param>
    /// <param name="prng">Of all choices.</param>
    public byte[] Change(byte[] input, byte[] other, Prng prng)
    {
        byte[] bytes = input.Length < ImageRecipe.HeadBytes ? new byte[ImageRecipe.HeadBytes] : [.. input];
        for (ulong left = 1 + prng.Below(4); left > 0; left--)
            bytes = One(bytes, other, prng);
        return bytes;
    }

    byte[] One(byte[] bytes, byte[] other, Prng prng)
    {
        List<Range> changes = ImageRecipe.Changes(bytes);
        if (changes.Count >= ChangesMax)
            return Without(bytes, changes[(int)prng.Below((ulong)changes.Count)]);
        switch (prng.Below(12))
        {
            case 0:
                (bytes[1], bytes[2]) = ((byte)prng.NextULong(), (byte)prng.NextULong());
                return bytes;
            case 1 when changes.Count > 0:
                return Without(bytes, changes[(int)prng.Below((ulong)changes.Count)]);
            case 2 or 3 when changes.Count > 0:
                Range one = changes[(int)prng.Below((ulong)changes.Count)];
                int end = one.End.Value;
                bytes[end - 1 - (int)prng.Below((ulong)(end - one.Start.Value))] ^= (byte)(1 << (int)prng.Below(8));
                return bytes;
            case 4 when other.Length > 0 && other[0] == bytes[0]:
                List<Range> others = ImageRecipe.Changes(other);
                return others.Count == 0 ? bytes : [.. bytes, .. other[others[(int)prng.Below((ulong)others.Count)]]];
            case 5 when prng.Below(8) == 0:
                return [.. bytes, .. ImageRecipe.End((int)prng.Below((ulong)ImageOf(bytes).File.Length))];
            case 6 when prng.Below(4) == 0: // as many changes of another image: fields are at the same places
                bytes[0] = (byte)prng.Below((ulong)images.Count);
                return bytes;
            default:
                return [.. bytes, .. NewChange(ImageOf(bytes), prng)];
        }
    }

    SeedImage ImageOf(byte[] bytes) => images[ImageRecipe.ImageOf(bytes, images.Count)];

    static byte[] Without(byte[] bytes, Range change) => [.. bytes[..change.Start], .. bytes[change.End..]];

    static byte[] NewChange(SeedImage image, Prng prng)
    {
        (int Offset, int Width)[] group = image.Groups[(int)prng.Below((ulong)image.Groups.Count)];
        (int offset, int width) = group[(int)prng.Below((ulong)group.Length)];
        if (width == 8 && prng.Below(8) == 0)
            (offset, width) = (offset + 4 * (int)prng.Below(2), 4);
        Span<byte> number = stackalloc byte[8];
        image.File.AsSpan(offset, width).CopyTo(number[(8 - width)..]);
        ulong old = BinaryPrimitives.ReadUInt64BigEndian(number);
        BinaryPrimitives.WriteUInt64BigEndian(number, NewNumber(old, width, image, prng));
        return ImageRecipe.Put(offset, number[(8 - width)..]);
    }

    static ulong NewNumber(ulong old, int width, SeedImage image, Prng prng)
    {
        ulong place = image.Places[(int)prng.Below((ulong)image.Places.Count)];
        ulong flags = (prng.Below(2) << 63) | (prng.Below(4) == 0 ? 1UL << 62 : 0) | (prng.Below(4) == 0 ? 1u : 0);
        return prng.Below(14) switch
        {
            0 => 0,
            1 => ulong.MaxValue,
            2 or 3 => old ^ 1UL << (int)prng.Below((ulong)width * 8),
            4 => old + 1,
            5 => old - 1,
            6 or 7 => place | flags,
            8 => place | old & 1UL << 63,
            9 => old + (ulong)image.ClusterBytes,
            10 => old << 1,
            11 => (ulong)image.ClusterBytes << (int)prng.Below(24),
            12 => prng.Below((ulong)image.File.Length + 4096),
            _ => prng.NextULong(),
        };
    }

    /// <summary>Of what has led somewhere new: without each of its changes, and each bit of its last one the other way
    /// round.</summary>
    public static IEnumerable<byte[]> Around(byte[] input)
    {
        List<Range> changes = ImageRecipe.Changes(input);
        foreach (Range change in changes)
            yield return Without(input, change);
        if (changes.Count == 0)
            yield break;
        int end = changes[^1].End.Value;
        int start = changes[^1].Start.Value + 4;
        for (int bit = 0; bit < (end - start) * 8; bit++)
        {
            byte[] one = input[..end];
            one[start + bit / 8] ^= (byte)(1 << bit % 8);
            yield return one;
        }
    }
}
