// An input as short as what it is about: which image, which chance, and what is changed in it.
//
//   0      number of the image
//   1..2   of requests, order and choices
//   then   changes, one after the other: 3 bytes where, 1 what (of its low three bits: 0..3 a number of 1, 2, 4, 8
//          bytes follows and is put there; 4 the file ends there; others as 0..3), the number
//
// A change that is not whole is none. All numbers are big-endian, as those of an image.
using System;
using System.Collections.Generic;

namespace FastBackup.Tests.Fuzz.Images;

static class ImageRecipe
{
    public const int HeadBytes = 3;

    const int PlaceBytes = 4;
    const int Ends = 4;

    public static int ImageOf(byte[] input, int count) => input.Length == 0 ? 0 : input[0] % count;

    public static ulong ChanceOf(byte[] input) => input.Length < HeadBytes ? 0 : (ulong)(input[1] << 8 | input[2]);

    /// <summary>Where changes begin and end.</summary>
    public static List<Range> Changes(byte[] input)
    {
        List<Range> all = [];
        for (int at = HeadBytes; at + PlaceBytes <= input.Length; at = all[^1].End.Value)
        {
            int end = at + PlaceBytes + WidthOf(input[at + 3]);
            if (end > input.Length)
                break;
            all.Add(at..end);
        }
        return all;
    }

    static int WidthOf(byte what) => (what & 7) == Ends ? 0 : 1 << (what & 3);

    public static byte[] Put(int offset, ReadOnlySpan<byte> number)
    {
        byte what = (byte)System.Numerics.BitOperations.Log2((uint)number.Length);
        return [(byte)(offset >> 16), (byte)(offset >> 8), (byte)offset, what, .. number];
    }

    public static byte[] End(int offset) => [(byte)(offset >> 16), (byte)(offset >> 8), (byte)offset, Ends];

    /// <returns>The changed image.</returns>
    public static byte[] Apply(byte[] input, byte[] image)
    {
        byte[] file = [.. image];
        foreach (Range change in Changes(input))
        {
            ReadOnlySpan<byte> bytes = input.AsSpan(change);
            int offset = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
            if ((bytes[3] & 7) == Ends)
                file = file[..Math.Clamp(offset, 1, file.Length)];
            else if (offset + bytes.Length - PlaceBytes <= file.Length)
                bytes[PlaceBytes..].CopyTo(file.AsSpan(offset));
        }
        return file;
    }
}
