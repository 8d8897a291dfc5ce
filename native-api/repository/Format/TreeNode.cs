// One entry of a folder as a repository keeps it. Of what others record about files we read what content needs.
using System;

namespace FastBackup.Repositories;

sealed record TreeNode
{
    public const string FileType = "file";
    public const string FolderType = "dir";

    public required string Name { get; init; }

    public required string Type { get; init; }

    /// <summary>Of a file.</summary>
    public ulong SizeBytes { get; init; }

    /// <summary>When it was last changed: RFC 3339.</summary>
    public string Time { get; init; } = "";

    /// <summary>Of a file: what it is put together from, in order.</summary>
    public BlobId[] Content { get; init; } = [];

    /// <summary>Of a folder.</summary>
    public BlobId Subtree { get; init; }

    public bool IsFile => Type == FileType;

    public bool IsFolder => Type == FolderType;
}
