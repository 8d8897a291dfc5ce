// Seals and opens what a repository holds: IV (16 random bytes), the text under AES-256 in counter mode, and its
// Poly1305-AES. Both are the system's libcrypto's where it is OpenSSL 3. Elsewhere, the runtime having neither, blocks
// of counters are encrypted 64 KiB at a time and the text is combined with them, at a third of the speed, and Poly1305
// is our own. Opening looks at the authenticator first: what was tampered with is never decrypted.
// Source: restic's doc/design.rst, Keys, Encryption and MAC; NIST SP 800-38A, 6.5.
using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using FastBackup.Interop.Linux;

namespace FastBackup.Repositories;

/// <summary>Threads: one.</summary>
sealed class BlobCipher : IDisposable
{
    /// <summary>What sealing adds.</summary>
    public const int OverheadBytes = IvBytes + Poly1305.TagBytes;

    const int IvBytes = 16;
    const int BatchBytes = 64 << 10;

    readonly Aes _text = Aes.Create();
    readonly Aes _mac = Aes.Create();
    readonly byte[] _point;
    readonly byte[] _counters;
    readonly byte[] _stream;
    nint _counterMode;
    nint _poly1305;

    /// <param name="key">Of the repository.</param>
    /// <param name="isSystems">May use the system's library; the result is the same.</param>
    public BlobCipher(MasterKey key, bool isSystems = true)
    {
        _text.Key = key.Encrypt;
        _mac.Key = key.MacKey;
        _point = key.MacPoint;
        if (isSystems && OperatingSystem.IsLinux())
            (_counterMode, _poly1305) = (LibCrypto.CreateCounterMode(key.Encrypt), LibCrypto.CreatePoly1305());
        int batchBytes = _counterMode == 0 ? BatchBytes : 0;
        (_counters, _stream) = (new byte[batchBytes], new byte[batchBytes]);
    }

    /// <summary>The system's library does all of it.</summary>
    public bool IsSystems => _counterMode != 0 && _poly1305 != 0;

    /// <param name="text">What to seal; no part of where it goes.</param>
    /// <param name="place">Exactly 32 bytes longer.</param>
    public void Seal(ReadOnlySpan<byte> text, Span<byte> place)
    {
        Span<byte> iv = place[..IvBytes];
        RandomNumberGenerator.Fill(iv);
        Span<byte> body = place[IvBytes..^Poly1305.TagBytes];
        Combine(iv, text, body);
        Authenticate(iv, body, place[^Poly1305.TagBytes..]);
    }

    public byte[] Seal(ReadOnlySpan<byte> text)
    {
        byte[] place = new byte[text.Length + OverheadBytes];
        Seal(text, place);
        return place;
    }

    /// <param name="sealedText">As sealed.</param>
    /// <param name="text">Exactly 32 bytes shorter; no part of the other.</param>
    /// <returns>False: it was not sealed with this key, or is damaged. Nothing was decrypted.</returns>
    public bool TryOpen(ReadOnlySpan<byte> sealedText, Span<byte> text)
    {
        if (sealedText.Length < OverheadBytes)
            return false;
        Span<byte> tag = stackalloc byte[Poly1305.TagBytes];
        ReadOnlySpan<byte> body = sealedText[IvBytes..^Poly1305.TagBytes];
        Authenticate(sealedText[..IvBytes], body, tag);
        if (!CryptographicOperations.FixedTimeEquals(tag, sealedText[^Poly1305.TagBytes..]))
            return false;
        Combine(sealedText[..IvBytes], body, text);
        return true;
    }

    /// <returns>Null: as false.</returns>
    public byte[]? Open(ReadOnlySpan<byte> sealedText)
    {
        if (sealedText.Length < OverheadBytes)
            return null;
        byte[] text = new byte[sealedText.Length - OverheadBytes];
        return TryOpen(sealedText, text) ? text : null;
    }

    public void Dispose()
    {
        _text.Dispose();
        _mac.Dispose();
        if (_counterMode != 0)
            LibCrypto.FreeCounterMode(_counterMode);
        if (_poly1305 != 0)
            LibCrypto.FreePoly1305(_poly1305);
        (_counterMode, _poly1305) = (0, 0);
    }

    void Authenticate(ReadOnlySpan<byte> iv, ReadOnlySpan<byte> body, Span<byte> tag)
    {
        Span<byte> both = stackalloc byte[Poly1305.KeyBytes + IvBytes];
        _point.CopyTo(both);
        Span<byte> pad = both[Poly1305.KeyBytes..];
        _ = _mac.EncryptEcb(iv, pad, PaddingMode.None);
        if (_poly1305 == 0 || !LibCrypto.Authenticate(_poly1305, both, body, tag))
            Poly1305.Compute(_point, pad, body, tag);
    }

    void Combine(ReadOnlySpan<byte> iv, ReadOnlySpan<byte> from, Span<byte> to)
    {
        if (_counterMode != 0)
        {
            if (!LibCrypto.Combine(_counterMode, iv, from, to))
                throw new CryptographicException("AES-256-CTR failed in libcrypto");
            return;
        }
        UInt128 counter = BinaryPrimitives.ReadUInt128BigEndian(iv);
        while (from.Length > 0)
        {
            int count = Math.Min(from.Length, BatchBytes);
            int blocks = (count + IvBytes - 1) / IvBytes * IvBytes;
            for (int at = 0; at < blocks; at += IvBytes)
                BinaryPrimitives.WriteUInt128BigEndian(_counters.AsSpan(at), counter++);
            _ = _text.EncryptEcb(_counters.AsSpan(0, blocks), _stream.AsSpan(0, blocks), PaddingMode.None);
            Xor(from[..count], _stream.AsSpan(0, count), to[..count]);
            from = from[count..];
            to = to[count..];
        }
    }

    static void Xor(ReadOnlySpan<byte> from, ReadOnlySpan<byte> stream, Span<byte> to)
    {
        int wide = from.Length / Vector256<byte>.Count * Vector256<byte>.Count;
        ReadOnlySpan<Vector256<byte>> left = MemoryMarshal.Cast<byte, Vector256<byte>>(from[..wide]);
        ReadOnlySpan<Vector256<byte>> right = MemoryMarshal.Cast<byte, Vector256<byte>>(stream[..wide]);
        Span<Vector256<byte>> result = MemoryMarshal.Cast<byte, Vector256<byte>>(to[..wide]);
        for (int i = 0; i < result.Length; i++)
            result[i] = left[i] ^ right[i];
        for (int i = wide; i < from.Length; i++)
            to[i] = (byte)(from[i] ^ stream[i]);
    }
}
