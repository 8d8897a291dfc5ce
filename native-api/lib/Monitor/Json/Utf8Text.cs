// UTF-8 as QMP takes it: strict, but for the two bytes C0 80, which mean NUL; and no surrogates and no noncharacters.
// Source: QEMU 7.2 util/unicode.c.
using System;
using System.Text;

namespace FastBackup.Native.Monitor.Json;

static class Utf8Text
{
    public const int Invalid = -1;

    /// <summary>One character.</summary>
    /// <param name="bytes">At least one.</param>
    /// <param name="length">Bytes of it, or of what is wrong.</param>
    /// <returns>The code point, or Invalid.</returns>
    public static int Read(ReadOnlySpan<byte> bytes, out int length)
    {
        length = 1;
        byte first = bytes[0];
        if (first < 0x80)
            return first;
        (int count, int codePoint, int smallest) =
            first is >= 0xC0 and < 0xE0 ? (2, first & 0x1F, 0x80)
            : first is >= 0xE0 and < 0xF0 ? (3, first & 0x0F, 0x800)
            : first is >= 0xF0 and < 0xF8 ? (4, first & 0x07, 0x10000)
            : (1, Invalid, 0);
        if (codePoint == Invalid)
            return Invalid;
        for (; length < count; length++)
        {
            if (length == bytes.Length || (bytes[length] & 0xC0) != 0x80)
                return Invalid;
            codePoint = codePoint << 6 | bytes[length] & 0x3F;
        }
        bool isLongNul = codePoint == 0 && count == 2;
        return (codePoint >= smallest || isLongNul) && IsCharacter(codePoint) ? codePoint : Invalid;
    }

    public static bool IsCharacter(int codePoint) =>
        codePoint is >= 0 and <= 0x10FFFF
        && codePoint is not (>= 0xD800 and <= 0xDFFF)
        && codePoint is not (>= 0xFDD0 and <= 0xFDEF)
        && (codePoint & 0xFFFE) != 0xFFFE;

    /// <summary>Text for a message; what is wrong becomes U+FFFD.</summary>
    public static string Decode(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new();
        while (bytes.Length > 0)
        {
            int codePoint = Read(bytes, out int length);
            Append(text, codePoint == Invalid ? 0xFFFD : codePoint);
            bytes = bytes[length..];
        }
        return text.ToString();
    }

    public static void Append(StringBuilder text, int codePoint)
    {
        if (codePoint < 0x10000)
            _ = text.Append((char)codePoint);
        else
            _ = text.Append(char.ConvertFromUtf32(codePoint));
    }
}
