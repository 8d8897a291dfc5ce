// An index file: packs and what lies in them. Written and read word by word, since it may list a hundred thousand
// blobs.
// Source: restic's doc/design.rst, Indexing.
using System;
using System.Buffers;
using System.Collections.Generic;
using System.Text.Json;

namespace FastBackup.Repositories;

/// <param name="Pack">Its name.</param>
/// <param name="Blobs">What lies in it; their pack index says nothing.</param>
sealed record IndexedPack(BlobId Pack, IReadOnlyList<PackedBlob> Blobs);

static class IndexDocument
{
    public static byte[] Write(IEnumerable<IndexedPack> packs)
    {
        ArrayBufferWriter<byte> bytes = new(64 << 10);
        using (Utf8JsonWriter writer = new(bytes))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("packs");
            foreach (IndexedPack pack in packs)
            {
                writer.WriteStartObject();
                writer.WriteString("id"u8, pack.Pack.ToString());
                writer.WriteStartArray("blobs"u8);
                foreach (PackedBlob blob in pack.Blobs)
                    Write(writer, blob);
                writer.WriteEndArray();
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        return bytes.WrittenSpan.ToArray();
    }

    /// <returns>Null: it is no such document.</returns>
    public static List<IndexedPack>? Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            Utf8JsonReader reader = new(bytes);
            List<IndexedPack>? packs = null;
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isPacks = reader.ValueTextEquals("packs"u8);
                _ = reader.Read();
                if (!isPacks)
                    reader.Skip();
                else
                    packs = ReadPacks(ref reader);
            }
            return packs;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    static void Write(Utf8JsonWriter writer, in PackedBlob blob)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, blob.Id.ToString());
        writer.WriteString("type"u8, blob.Place.Kind == BlobKind.Tree ? "tree"u8 : "data"u8);
        writer.WriteNumber("offset"u8, blob.Place.OffsetBytes);
        writer.WriteNumber("length"u8, blob.Place.SealedBytes);
        if (blob.Place.IsCompressed)
            writer.WriteNumber("uncompressed_length"u8, blob.Place.TextBytes);
        writer.WriteEndObject();
    }

    static List<IndexedPack> ReadPacks(ref Utf8JsonReader reader)
    {
        List<IndexedPack> packs = [];
        if (reader.TokenType == JsonTokenType.Null)
            return packs;
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException();
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            BlobId pack = default;
            List<PackedBlob> blobs = [];
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                _ = reader.Read();
                if (name == "id")
                    pack = ReadId(ref reader);
                else if (name == "blobs" && reader.TokenType == JsonTokenType.StartArray)
                    ReadBlobs(ref reader, blobs);
                else
                    reader.Skip();
            }
            packs.Add(new IndexedPack(pack, blobs));
        }
        return reader.TokenType == JsonTokenType.EndArray ? packs : throw new JsonException();
    }

    static void ReadBlobs(ref Utf8JsonReader reader, List<PackedBlob> blobs)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            blobs.Add(ReadBlob(ref reader));
        if (reader.TokenType != JsonTokenType.EndArray)
            throw new JsonException();
    }

    static PackedBlob ReadBlob(ref Utf8JsonReader reader)
    {
        BlobId id = default;
        (uint offset, uint length, uint text) = (0, 0, 0);
        BlobKind kind = BlobKind.Content;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            _ = reader.Read();
            switch (name)
            {
                case "id":
                    id = ReadId(ref reader);
                    break;
                case "type":
                    kind =
                        reader.ValueTextEquals("tree"u8) ? BlobKind.Tree
                        : reader.ValueTextEquals("data"u8) ? BlobKind.Content
                        : throw new JsonException();
                    break;
                case "offset":
                    offset = reader.GetUInt32();
                    break;
                case "length":
                    length = reader.GetUInt32();
                    break;
                case "uncompressed_length":
                    text = reader.GetUInt32();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        if (length < BlobCipher.OverheadBytes)
            throw new JsonException();
        bool isCompressed = text > 0;
        uint textBytes = isCompressed ? text : length - BlobCipher.OverheadBytes;
        return new PackedBlob(id, new(0, offset, length, textBytes, isCompressed, kind));
    }

    static BlobId ReadId(ref Utf8JsonReader reader) =>
        BlobId.TryParse(reader.ValueSpan, out BlobId id) ? id : throw new JsonException();
}
