// The folder of a disk in a point: its file or its segments, and disk.json beside them, whoever has found the chunks.
using System;
using System.Collections.Generic;
using System.Text.Json;

namespace FastBackup.Repositories;

/// <summary>Threads: one.</summary>
/// <param name="draft">Takes the disk.</param>
/// <param name="layout">How it is cut.</param>
sealed class DiskFolder(PointDraft draft, DiskLayout layout)
{
    /// <summary>Of segments and folders: what has not changed shall be the same bytes.</summary>
    public const string NoTime = "1970-01-01T00:00:00Z";

    /// <summary>Stores the list of a segment, of a disk that has some. Threads: any.</summary>
    /// <param name="segment">Which one.</param>
    /// <param name="chunks">All of it.</param>
    /// <param name="codec">The thread's.</param>
    /// <returns>Its folder.</returns>
    public BlobId AddSegment(ulong segment, BlobId[] chunks, BlobCodec codec) =>
        draft.AddTree([FileNode(DiskLayout.SegmentName, layout.BytesOf(segment), NoTime, chunks)], codec);

    /// <summary>Adds a disk of segments to the point.</summary>
    /// <param name="segments">The folder of each.</param>
    /// <param name="document">What is said of it.</param>
    /// <param name="codec">The thread's.</param>
    public void Add(BlobId[] segments, DiskDocument document, BlobCodec codec)
    {
        List<TreeNode> nodes = [];
        for (int i = 0; i < segments.Length; i++)
            nodes.Add(PointDraft.FolderNode(DiskLayout.FolderOf((ulong)i), segments[i], NoTime));
        Add(nodes, document, codec);
    }

    /// <summary>Adds a disk of one file to the point.</summary>
    /// <param name="chunks">All of it.</param>
    /// <param name="document">What is said of it.</param>
    /// <param name="codec">The thread's.</param>
    public void AddImage(BlobId[] chunks, DiskDocument document, BlobCodec codec) =>
        Add([FileNode(DiskLayout.ImageName, layout.SizeBytes, document.Time, chunks)], document, codec);

    void Add(List<TreeNode> nodes, DiskDocument document, BlobCodec codec)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(document, Documents.Readable.DiskDocument);
        BlobId id = BlobId.Of(json);
        _ = draft.Sink.Add(id, BlobKind.Content, json, codec);
        nodes.Add(FileNode(DiskLayout.DocumentName, (ulong)json.Length, document.Time, [id]));
        draft.Add(document.Disk, draft.AddTree([.. nodes], codec));
    }

    static TreeNode FileNode(string name, ulong sizeBytes, string time, BlobId[] content) =>
        new()
        {
            Name = name,
            Type = TreeNode.FileType,
            SizeBytes = sizeBytes,
            Time = time,
            Content = content,
        };
}
