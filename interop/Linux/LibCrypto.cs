// The system's libcrypto of OpenSSL 3, where there is one: AES-256 in counter mode and Poly1305, which the runtime's
// classes do not offer. Declarations only: no policy. Looked up at run time, so that nothing depends on it.
// Source: EVP_EncryptInit(3), EVP_MAC(3), EVP_MAC-Poly1305(7).
using System;
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>Threads: any; a context is one's.</summary>
public static unsafe class LibCrypto
{
    // SAFETY: these are the C signatures; a context is made and freed by the same library, and spans outlive the calls.
    static readonly nint s_library = NativeLibrary.TryLoad("libcrypto.so.3", out nint found) ? found : 0;
    static readonly delegate* unmanaged<void*> s_newCipher = (delegate* unmanaged<void*>)Find("EVP_CIPHER_CTX_new");
    static readonly delegate* unmanaged<void*, void> s_freeCipher = (delegate* unmanaged<void*, void>)Find(
        "EVP_CIPHER_CTX_free"
    );
    static readonly delegate* unmanaged<void*> s_counterMode = (delegate* unmanaged<void*>)Find("EVP_aes_256_ctr");
    static readonly delegate* unmanaged<void*, void*, void*, byte*, byte*, int> s_begin = (delegate* unmanaged<
        void*,
        void*,
        void*,
        byte*,
        byte*,
        int>)Find("EVP_EncryptInit_ex");
    static readonly delegate* unmanaged<void*, byte*, int*, byte*, int, int> s_update = (delegate* unmanaged<
        void*,
        byte*,
        int*,
        byte*,
        int,
        int>)Find("EVP_EncryptUpdate");
    static readonly delegate* unmanaged<void*, byte*, byte*, void*> s_fetchMac = (delegate* unmanaged<
        void*,
        byte*,
        byte*,
        void*>)Find("EVP_MAC_fetch");
    static readonly delegate* unmanaged<void*, void> s_freeMacKind = (delegate* unmanaged<void*, void>)Find(
        "EVP_MAC_free"
    );
    static readonly delegate* unmanaged<void*, void*> s_newMac = (delegate* unmanaged<void*, void*>)Find(
        "EVP_MAC_CTX_new"
    );
    static readonly delegate* unmanaged<void*, void> s_freeMac = (delegate* unmanaged<void*, void>)Find(
        "EVP_MAC_CTX_free"
    );
    static readonly delegate* unmanaged<void*, byte*, nuint, void*, int> s_beginMac = (delegate* unmanaged<
        void*,
        byte*,
        nuint,
        void*,
        int>)Find("EVP_MAC_init");
    static readonly delegate* unmanaged<void*, byte*, nuint, int> s_updateMac = (delegate* unmanaged<
        void*,
        byte*,
        nuint,
        int>)Find("EVP_MAC_update");
    static readonly delegate* unmanaged<void*, byte*, nuint*, nuint, int> s_endMac = (delegate* unmanaged<
        void*,
        byte*,
        nuint*,
        nuint,
        int>)Find("EVP_MAC_final");

    static readonly bool s_hasCipher =
        s_newCipher != null && s_freeCipher != null && s_counterMode != null && s_begin != null && s_update != null;

    static readonly bool s_hasMac =
        s_fetchMac != null
        && s_freeMacKind != null
        && s_newMac != null
        && s_freeMac != null
        && s_beginMac != null
        && s_updateMac != null
        && s_endMac != null;

    /// <param name="key">32 bytes.</param>
    /// <returns>0: there is no such library, or no memory.</returns>
    public static nint CreateCounterMode(ReadOnlySpan<byte> key)
    {
        void* context = s_hasCipher && key.Length == 32 ? s_newCipher() : null;
        if (context == null)
            return 0;
        fixed (byte* bytes = key)
            if (s_begin(context, s_counterMode(), null, bytes, null) == 1)
                return (nint)context;
        s_freeCipher(context);
        return 0;
    }

    public static void FreeCounterMode(nint context) => s_freeCipher((void*)context);

    /// <summary>Encrypts or decrypts, which is the same.</summary>
    /// <param name="context">Of <see cref="CreateCounterMode"/>.</param>
    /// <param name="iv">16 bytes: the first counter.</param>
    /// <param name="from">Any length.</param>
    /// <param name="to">As long; no part of the other, or the same.</param>
    /// <returns>False: the library failed, and what was written means nothing.</returns>
    public static bool Combine(nint context, ReadOnlySpan<byte> iv, ReadOnlySpan<byte> from, Span<byte> to)
    {
        if (from.Length == 0)
            return true;
        if (iv.Length != 16 || to.Length < from.Length)
            return false;
        int count = 0;
        fixed (byte* first = iv)
        fixed (byte* source = from)
        fixed (byte* target = to)
            return s_begin((void*)context, null, null, null, first) == 1
                && s_update((void*)context, target, &count, source, from.Length) == 1
                && count == from.Length;
    }

    /// <returns>0: there is no such library, it has no Poly1305, or no memory.</returns>
    public static nint CreatePoly1305()
    {
        if (!s_hasMac)
            return 0;
        fixed (byte* name = "POLY1305\0"u8)
        {
            void* kind = s_fetchMac(null, name, null);
            if (kind == null)
                return 0;
            void* context = s_newMac(kind);
            s_freeMacKind(kind); // the context has its own hold on it
            return (nint)context;
        }
    }

    public static void FreePoly1305(nint context) => s_freeMac((void*)context);

    /// <param name="context">Of <see cref="CreatePoly1305"/>.</param>
    /// <param name="key">32 bytes: r, then s.</param>
    /// <param name="message">Any length.</param>
    /// <param name="tag">Room for 16.</param>
    /// <returns>False: the library failed, and what was written means nothing.</returns>
    public static bool Authenticate(nint context, ReadOnlySpan<byte> key, ReadOnlySpan<byte> message, Span<byte> tag)
    {
        nuint written = 0;
        fixed (byte* secret = key)
        fixed (byte* source = message)
        fixed (byte* target = tag)
            return s_beginMac((void*)context, secret, (nuint)key.Length, null) == 1
                && (message.Length == 0 || s_updateMac((void*)context, source, (nuint)message.Length) == 1)
                && s_endMac((void*)context, target, &written, (nuint)tag.Length) == 1
                && written == 16;
    }

    static nint Find(string name) =>
        s_library != 0 && NativeLibrary.TryGetExport(s_library, name, out nint address) ? address : 0;
}
