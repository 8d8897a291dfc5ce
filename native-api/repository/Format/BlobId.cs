// The name of everything in a repository: the SHA-256 of its content, 64 hexadecimal digits in names and documents.
// Held as four words, so that tables of millions of them are flat memory.
using System;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace FastBackup.Repositories;

/// <param name="A">The first eight bytes, as a number of the machine.</param>
/// <param name="B">The next eight.</param>
/// <param name="C">The next eight.</param>
/// <param name="D">The last eight.</param>
readonly record struct BlobId(ulong A, ulong B, ulong C, ulong D)
{
    public const int Bytes = 32;
    public const int Digits = 64;

    /// <summary>No content has it that anybody will find.</summary>
    public bool IsNone => (A | B | C | D) == 0;

    public static BlobId Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[Bytes];
        _ = SHA256.HashData(content, hash);
        return Read(hash);
    }

    /// <param name="bytes">32 at least.</param>
    public static BlobId Read(ReadOnlySpan<byte> bytes) =>
        new(
            BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..])
        );

    /// <param name="bytes">Room for 32.</param>
    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, A);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], B);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], C);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], D);
    }

    /// <param name="digits">Lower case hexadecimal; anything else is no name.</param>
    /// <param name="id">What it says.</param>
    public static bool TryParse(ReadOnlySpan<byte> digits, out BlobId id)
    {
        id = default;
        if (digits.Length != Digits || digits.IndexOfAnyInRange((byte)'A', (byte)'F') >= 0)
            return false;
        Span<byte> bytes = stackalloc byte[Bytes];
        if (Convert.FromHexString(digits, bytes, out _, out int count) != default || count != Bytes)
            return false;
        id = Read(bytes);
        return true;
    }

    public static bool TryParse(string text, out BlobId id)
    {
        id = default;
        if (text.Length != Digits)
            return false;
        Span<byte> digits = stackalloc byte[Digits];
        for (int i = 0; i < Digits; i++)
            digits[i] = text[i] < 128 ? (byte)text[i] : (byte)'?';
        return TryParse(digits, out id);
    }

    /// <param name="digits">Room for 64.</param>
    public void WriteDigits(Span<byte> digits)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Write(bytes);
        _ = Convert.TryToHexStringLower(bytes, digits, out _);
    }

    /// <summary>The first digits, as people are shown them.</summary>
    public string Short => ToString()[..8];

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    public override int GetHashCode() => unchecked((int)A); // as good as any: it is a hash
}
