// The list of a pack's blobs at its end: sealed, and behind it its length in four bytes. From it the index can be made
// anew when all of that is lost.
// Source: restic's doc/design.rst, Pack Format.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;

namespace FastBackup.Repositories;

static class PackHeader
{
    /// <summary>The length that stands last.</summary>
    public const int LengthBytes = 4;

    const int EntryBytes = 1 + 4 + BlobId.Bytes;
    const int CompressedEntryBytes = EntryBytes + 4;
    const byte CompressedMark = 2;

    /// <summary>What the list of so many blobs takes at most.</summary>
    public static int BoundBytes(int blobCount) =>
        blobCount * CompressedEntryBytes + BlobCipher.OverheadBytes + LengthBytes;

    /// <summary>Appends the list to a pack.</summary>
    /// <param name="blobs">In the order in which they lie there, without gaps.</param>
    /// <param name="cipher">Seals it.</param>
    /// <param name="place">Where it goes.</param>
    /// <returns>Its bytes.</returns>
    public static int Write(IReadOnlyList<PackedBlob> blobs, BlobCipher cipher, Span<byte> place)
    {
        byte[] list = new byte[blobs.Count * CompressedEntryBytes];
        int at = 0;
        foreach (PackedBlob blob in blobs)
        {
            list[at] = (byte)((byte)blob.Place.Kind | (blob.Place.IsCompressed ? CompressedMark : 0));
            BinaryPrimitives.WriteUInt32LittleEndian(list.AsSpan(at + 1), blob.Place.SealedBytes);
            at += 5;
            if (blob.Place.IsCompressed)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(list.AsSpan(at), blob.Place.TextBytes);
                at += 4;
            }
            blob.Id.Write(list.AsSpan(at));
            at += BlobId.Bytes;
        }
        int sealedBytes = at + BlobCipher.OverheadBytes;
        cipher.Seal(list.AsSpan(0, at), place[..sealedBytes]);
        BinaryPrimitives.WriteUInt32LittleEndian(place[sealedBytes..], (uint)sealedBytes);
        return sealedBytes + LengthBytes;
    }

    /// <param name="pack">All of it.</param>
    /// <param name="cipher">Opens it.</param>
    /// <returns>Its blobs, or null: the list is damaged, or does not describe these bytes.</returns>
    public static List<PackedBlob>? Read(ReadOnlySpan<byte> pack, BlobCipher cipher)
    {
        if (pack.Length < LengthBytes + BlobCipher.OverheadBytes)
            return null;
        uint sealedBytes = BinaryPrimitives.ReadUInt32LittleEndian(pack[^LengthBytes..]);
        if (sealedBytes > pack.Length - LengthBytes)
            return null;
        int contentBytes = pack.Length - LengthBytes - (int)sealedBytes;
        byte[]? list = cipher.Open(pack.Slice(contentBytes, (int)sealedBytes));
        return list == null ? null : Parse(list, contentBytes);
    }

    static List<PackedBlob>? Parse(ReadOnlySpan<byte> list, int contentBytes)
    {
        List<PackedBlob> blobs = [];
        ulong offset = 0;
        while (list.Length > 0)
        {
            bool isCompressed = (list[0] & CompressedMark) != 0;
            int entryBytes = isCompressed ? CompressedEntryBytes : EntryBytes;
            if (list[0] > 3 || list.Length < entryBytes)
                return null;
            uint blobBytes = BinaryPrimitives.ReadUInt32LittleEndian(list[1..]);
            if (blobBytes < BlobCipher.OverheadBytes || offset + blobBytes > (ulong)contentBytes)
                return null;
            uint textBytes = isCompressed
                ? BinaryPrimitives.ReadUInt32LittleEndian(list[5..])
                : blobBytes - BlobCipher.OverheadBytes;
            BlobKind kind = (BlobKind)(list[0] & 1);
            BlobId id = BlobId.Read(list[(entryBytes - BlobId.Bytes)..]);
            blobs.Add(new(id, new(0, (uint)offset, blobBytes, textBytes, isCompressed, kind)));
            offset += blobBytes;
            list = list[entryBytes..];
        }
        return offset == (ulong)contentBytes ? blobs : null;
    }
}
