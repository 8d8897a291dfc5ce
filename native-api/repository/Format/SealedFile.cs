// Files that are one document: index, snapshots, locks, config. Sealed as a whole; in front of the text a byte says how
// it is to be read: 2, zstd; '{' or '[', the JSON itself. We write the first, but for config, which stays as it is.
// Source: restic's doc/design.rst, Unpacked Data Format.
using System;

namespace FastBackup.Repositories;

static class SealedFile
{
    const byte ZstdMark = 2;

    public static byte[] Write(byte[] json, BlobCipher cipher, ZstdCodec codec)
    {
        byte[] text = new byte[1 + ZstdCodec.BoundBytes(json.Length)];
        text[0] = ZstdMark;
        int count = codec.Compress(json, text.AsSpan(1));
        return cipher.Seal(count > 0 ? text.AsSpan(0, 1 + count) : json);
    }

    /// <returns>The JSON, or null: damaged.</returns>
    public static byte[]? Read(byte[] file, BlobCipher cipher)
    {
        byte[]? text = cipher.Open(file);
        return text is not { Length: > 0 } ? null
            : text[0] is (byte)'{' or (byte)'[' ? text
            : text[0] == ZstdMark ? ZstdCodec.DecompressDocument(text, 1)
            : null;
    }
}
