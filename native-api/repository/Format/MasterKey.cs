// The keys of a repository: 32 bytes for AES-256 in counter mode, 16 and 16 for Poly1305-AES. Also what a password
// gives by scrypt, with which the master key's own document is sealed.
// Source: restic's doc/design.rst, Keys, Encryption and MAC.
using System;
using System.Security.Cryptography;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class MasterKey
{
    const int DerivedBytes = EncryptBytes + 2 * MacBytes;
    const int EncryptBytes = 32;
    const int MacBytes = 16;

    public MasterKey(byte[] encrypt, byte[] macKey, byte[] macPoint) =>
        (Encrypt, MacKey, MacPoint) = (encrypt, macKey, macPoint);

    public byte[] Encrypt { get; }

    /// <summary>Of the AES in Poly1305-AES.</summary>
    public byte[] MacKey { get; }

    /// <summary>Where the polynomial is taken.</summary>
    public byte[] MacPoint { get; }

    /// <summary>All three are there in their lengths: another document is none of ours.</summary>
    public bool IsWhole =>
        Encrypt is { Length: EncryptBytes } && MacKey is { Length: MacBytes } && MacPoint is { Length: MacBytes };

    public static MasterKey Random() =>
        new(
            RandomNumberGenerator.GetBytes(EncryptBytes),
            RandomNumberGenerator.GetBytes(MacBytes),
            RandomNumberGenerator.GetBytes(MacBytes)
        );

    /// <summary>What a password opens a key file with; takes its time on purpose.</summary>
    public static MasterKey Derive(byte[] password, byte[] salt, int cost, int blockSize, int parallel)
    {
        byte[] all = Scrypt.Derive(password, salt, cost, blockSize, parallel, DerivedBytes);
        return new MasterKey(all[..EncryptBytes], all[EncryptBytes..^MacBytes], all[^MacBytes..]);
    }
}
