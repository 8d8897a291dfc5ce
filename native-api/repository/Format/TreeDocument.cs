// A folder's entries as bytes: the JSON whose SHA-256 is the tree's name. Written and read word by word, since the
// content of a disk's file may be a list of some hundred thousand names.
// Source: restic's doc/design.rst, Trees and Data. Names of nodes are the inside of a quoted Go string there: ours have
// no letter that would be written otherwise (DiskNames).
using System;
using System.Buffers;
using System.Collections.Generic;
using System.Text.Json;

namespace FastBackup.Repositories;

static class TreeDocument
{
    const int FileMode = 0x180; // 0600
    const uint FolderMode = (1u << 31) | 0x1C0; // Go's bit of a folder, 0700

    /// <param name="nodes">By name, in ordinal order.</param>
    public static byte[] Write(IReadOnlyList<TreeNode> nodes)
    {
        ArrayBufferWriter<byte> bytes = new(256 + nodes.Count * 256);
        using (Utf8JsonWriter writer = new(bytes))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("nodes");
            foreach (TreeNode node in nodes)
                Write(writer, node);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        bytes.Write("\n"u8); // as the others do: the same folder has the same name
        return bytes.WrittenSpan.ToArray();
    }

    /// <returns>Null: it is no such document.</returns>
    public static List<TreeNode>? Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            Utf8JsonReader reader = new(bytes);
            List<TreeNode>? nodes = null;
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isNodes = reader.ValueTextEquals("nodes"u8);
                _ = reader.Read();
                if (!isNodes)
                    reader.Skip();
                else if (reader.TokenType == JsonTokenType.Null)
                    nodes = [];
                else
                    nodes = ReadNodes(ref reader);
            }
            return nodes;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    static void Write(Utf8JsonWriter writer, TreeNode node)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, node.Name);
        writer.WriteString("type"u8, node.Type);
        if (node.IsFolder)
            writer.WriteNumber("mode"u8, FolderMode);
        else
            writer.WriteNumber("mode"u8, FileMode);
        writer.WriteString("mtime"u8, node.Time);
        writer.WriteString("atime"u8, node.Time);
        writer.WriteString("ctime"u8, node.Time);
        writer.WriteNumber("uid"u8, 0);
        writer.WriteNumber("gid"u8, 0);
        if (node.IsFolder)
        {
            writer.WriteNull("content"u8);
            writer.WriteString("subtree"u8, node.Subtree.ToString());
        }
        else
        {
            writer.WriteNumber("size"u8, node.SizeBytes);
            writer.WriteNumber("links"u8, 1);
            writer.WriteStartArray("content"u8);
            Span<byte> digits = stackalloc byte[BlobId.Digits];
            foreach (BlobId id in node.Content)
            {
                id.WriteDigits(digits);
                writer.WriteStringValue(digits);
            }
            writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }

    static List<TreeNode> ReadNodes(ref Utf8JsonReader reader)
    {
        List<TreeNode> nodes = [];
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException();
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
            nodes.Add(ReadNode(ref reader));
        return reader.TokenType == JsonTokenType.EndArray ? nodes : throw new JsonException();
    }

    static TreeNode ReadNode(ref Utf8JsonReader reader)
    {
        TreeNode node = new() { Name = "", Type = "" };
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            _ = reader.Read();
            switch (name)
            {
                case "name":
                    node = node with { Name = reader.GetString() ?? "" };
                    break;
                case "type":
                    node = node with { Type = reader.GetString() ?? "" };
                    break;
                case "mtime":
                    node = node with { Time = reader.GetString() ?? "" };
                    break;
                case "size":
                    node = node with { SizeBytes = reader.GetUInt64() };
                    break;
                case "subtree" when reader.TokenType == JsonTokenType.String:
                    node = node with { Subtree = ReadId(ref reader) };
                    break;
                case "content" when reader.TokenType == JsonTokenType.StartArray:
                    List<BlobId> ids = [];
                    while (reader.Read() && reader.TokenType == JsonTokenType.String)
                        ids.Add(ReadId(ref reader));
                    if (reader.TokenType != JsonTokenType.EndArray)
                        throw new JsonException();
                    node = node with { Content = [.. ids] };
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        return node;
    }

    static BlobId ReadId(ref Utf8JsonReader reader) =>
        !reader.HasValueSequence && BlobId.TryParse(reader.ValueSpan, out BlobId id) ? id : throw new JsonException();
}
