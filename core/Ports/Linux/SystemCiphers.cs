// The ciphers of the system's libcrypto for those who seal, where there is one: the calls of interop, by their names.
using System;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any; a context is one's.</summary>
public static class SystemCiphers
{
    /// <inheritdoc cref="LibCrypto.CreateCounterMode"/>
    public static nint CreateCounterMode(ReadOnlySpan<byte> key) => LibCrypto.CreateCounterMode(key);

    public static void FreeCounterMode(nint context) => LibCrypto.FreeCounterMode(context);

    /// <inheritdoc cref="LibCrypto.Combine"/>
    public static bool Combine(nint context, ReadOnlySpan<byte> iv, ReadOnlySpan<byte> from, Span<byte> to) =>
        LibCrypto.Combine(context, iv, from, to);

    /// <inheritdoc cref="LibCrypto.CreatePoly1305"/>
    public static nint CreatePoly1305() => LibCrypto.CreatePoly1305();

    public static void FreePoly1305(nint context) => LibCrypto.FreePoly1305(context);

    /// <inheritdoc cref="LibCrypto.Authenticate"/>
    public static bool Authenticate(nint context, ReadOnlySpan<byte> key, ReadOnlySpan<byte> message, Span<byte> tag) =>
        LibCrypto.Authenticate(context, key, message, tag);

    /// <inheritdoc cref="LibCrypto.DeriveScrypt"/>
    public static bool DeriveScrypt(
        ReadOnlySpan<byte> password,
        ReadOnlySpan<byte> salt,
        uint cost,
        uint blockSize,
        uint parallel,
        Span<byte> key
    ) => LibCrypto.DeriveScrypt(password, salt, cost, blockSize, parallel, key);
}
