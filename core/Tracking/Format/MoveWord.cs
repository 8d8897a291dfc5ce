// What the host that is to take a tracker over gives to the one that has it: which tracker file waits there, and a
// secret of this one move, by which the token is signed. As text it has a checksum, so that a word with a wrong letter
// is found where it is typed, and not when the exporting side has given its tracker away.
using System;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace FastBackup.Tracking.Format;

/// <summary>Immutable.</summary>
/// <param name="TrackerId">Of the tracker that waits; chance.</param>
/// <param name="Secret">Chance.</param>
public readonly record struct MoveWord(UInt128 TrackerId, UInt128 Secret)
{
    internal const int LengthBytes = 32;

    const string Prefix = "fbmove-";
    const int CrcBytes = 4;

    internal void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, TrackerId);
        BinaryPrimitives.WriteUInt128LittleEndian(bytes[16..], Secret);
    }

    internal static MoveWord Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt128LittleEndian(bytes), BinaryPrimitives.ReadUInt128LittleEndian(bytes[16..]));

    /// <summary>Signs a token as it is written or read.</summary>
    internal IncrementalHash BeginSignature()
    {
        Span<byte> key = stackalloc byte[LengthBytes];
        Write(key);
        return IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
    }

    /// <summary>For people to hand on: letters, digits and a hyphen.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[LengthBytes + CrcBytes];
        Write(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[LengthBytes..], Crc32C.Of(bytes[..LengthBytes]));
        return Prefix + Convert.ToHexStringLower(bytes);
    }

    /// <returns>Null: no host gave such a word.</returns>
    public static MoveWord? TryParse(string text)
    {
        Span<byte> bytes = stackalloc byte[LengthBytes + CrcBytes];
        bool isOne =
            text.StartsWith(Prefix, StringComparison.Ordinal)
            && text.Length == Prefix.Length + 2 * bytes.Length
            && Convert.FromHexString(text.AsSpan(Prefix.Length), bytes, out _, out _)
                == System.Buffers.OperationStatus.Done
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes[LengthBytes..]) == Crc32C.Of(bytes[..LengthBytes]);
        return isOne ? Read(bytes) : null;
    }
}
