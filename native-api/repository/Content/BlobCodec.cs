// One thread's means for blobs: cipher, zstd and the memory between them.
using System;
using System.Security.Cryptography;

namespace FastBackup.Repositories;

/// <summary>Threads: one at a time.</summary>
sealed class BlobCodec(MasterKey key) : IDisposable
{
    byte[] _sealed = [];
    byte[] _compressed = [];

    public BlobCipher Cipher { get; } = new(key);

    public ZstdCodec Zstd { get; } = new();

    /// <summary>Room for a blob as it is stored.</summary>
    public Span<byte> Sealed(int bytes)
    {
        if (_sealed.Length < bytes)
            _sealed = GC.AllocateUninitializedArray<byte>(bytes);
        return _sealed.AsSpan(0, bytes);
    }

    /// <returns>The text compressed, or empty: that is not shorter.</returns>
    public ReadOnlySpan<byte> Compress(ReadOnlySpan<byte> text)
    {
        // Longer than the text is not wanted: there is no room for it.
        if (_compressed.Length < text.Length)
            _compressed = GC.AllocateUninitializedArray<byte>(text.Length);
        int count = Zstd.Compress(text, _compressed.AsSpan(0, text.Length));
        return count > 0 && count < text.Length ? _compressed.AsSpan(0, count) : default;
    }

    /// <summary>Opens a blob, and looks whether it is what its name says.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="place">How it is stored.</param>
    /// <param name="sealedBlob">As stored.</param>
    /// <param name="text">Of exactly its length.</param>
    /// <returns>False: it is damaged.</returns>
    public bool TryOpen(BlobId id, in BlobPlace place, ReadOnlySpan<byte> sealedBlob, Span<byte> text)
    {
        if (!place.IsCompressed)
            return Cipher.TryOpen(sealedBlob, text) && Is(id, text);
        int count = sealedBlob.Length - BlobCipher.OverheadBytes;
        if (_compressed.Length < count)
            _compressed = GC.AllocateUninitializedArray<byte>(count);
        Span<byte> compressed = _compressed.AsSpan(0, count);
        return Cipher.TryOpen(sealedBlob, compressed) && Zstd.TryDecompress(compressed, text) && Is(id, text);
    }

    public void Dispose()
    {
        Cipher.Dispose();
        Zstd.Dispose();
    }

    static bool Is(BlobId id, ReadOnlySpan<byte> text)
    {
        Span<byte> hash = stackalloc byte[BlobId.Bytes];
        _ = SHA256.HashData(text, hash);
        return BlobId.Read(hash) == id;
    }
}
