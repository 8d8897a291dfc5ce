// A disk at a point in time, as a snapshot has it: its size and, part by part, which blobs it is put together from.
// Also of any file of a snapshot that stock restic has made: then the parts are of any length.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class PointDisk
{
    /// <param name="OffsetBytes">On the disk.</param>
    /// <param name="SizeBytes">Of the file.</param>
    /// <param name="Folder">In which the file is.</param>
    /// <param name="File">Its name there.</param>
    readonly record struct Part(ulong OffsetBytes, ulong SizeBytes, BlobId Folder, string File);

    readonly OpenedRepository _repository;
    readonly List<Part> _parts;
    List<DiskExtent>? _only; // of a disk of one part: it is asked for again

    PointDisk(OpenedRepository repository, StoredPoint snapshot, string path, DiskDocument? document, List<Part> parts)
    {
        (_repository, Snapshot, Path, Document, _parts) = (repository, snapshot, path, document, parts);
        SizeBytes = parts.Count == 0 ? 0 : parts[^1].OffsetBytes + parts[^1].SizeBytes;
    }

    public StoredPoint Snapshot { get; }

    /// <summary>HOST/DISK, or the file's path in the snapshot.</summary>
    public string Path { get; }

    /// <summary>Null: a file that others have stored.</summary>
    public DiskDocument? Document { get; }

    public ulong SizeBytes { get; }

    public int PartCount => _parts.Count;

    /// <summary>All disks of a snapshot; of one without, all its files.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static List<PointDisk> FindAll(OpenedRepository repository, StoredPoint snapshot)
    {
        List<PointDisk> disks = [];
        List<PointDisk> files = [];
        Walk(repository, snapshot, snapshot.Tree, "", disks, files, 0);
        return disks.Count > 0 ? disks : files;
    }

    /// <summary>One disk of a snapshot.</summary>
    /// <param name="repository">Opened, with its index.</param>
    /// <param name="snapshot">Of it.</param>
    /// <param name="name">HOST/DISK, DISK or a file's path; null: there is only one.</param>
    /// <exception cref="RepositoryException">NotFound, Refused (several) or Damaged.</exception>
    public static PointDisk Find(OpenedRepository repository, StoredPoint snapshot, string? name)
    {
        List<PointDisk> all = FindAll(repository, snapshot);
        string wanted = name?.Trim('/') ?? "";
        PointDisk[] fitting =
        [
            .. all.Where(one =>
                wanted.Length == 0
                || one.Path == wanted
                || one.Path.EndsWith("/" + wanted, StringComparison.Ordinal)
                || wanted.EndsWith("/" + one.Path, StringComparison.Ordinal) // restic keeps the last part only
            ),
        ];
        if (fitting.Length == 1)
            return fitting[0];
        string names = string.Join(", ", all.Take(10).Select(one => one.Path)) + (all.Count > 10 ? ", ..." : "");
        throw fitting.Length == 0
            ? new RepositoryException(
                RepositoryError.NotFound,
                $"point {snapshot.Id.Short} has no disk '{name}'; it has {(names.Length > 0 ? names : "none")}"
            )
            : new RepositoryException(
                RepositoryError.Refused,
                $"point {snapshot.Id.Short} has {fitting.Length} disks that could be meant ({names}); give --disk"
            );
    }

    /// <summary>The part that has this byte of the disk, which it has.</summary>
    public int PartAt(ulong offsetBytes)
    {
        int low = 0;
        for (int high = _parts.Count - 1; low < high; )
        {
            int middle = (low + high + 1) / 2;
            if (_parts[middle].OffsetBytes <= offsetBytes)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }

    /// <summary>The list in which a part's file is.</summary>
    public BlobId FolderOf(int part) => _parts[part].Folder;

    /// <summary>Where each blob of a part lies on the disk, in order.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public List<DiskExtent> Load(int part)
    {
        if (_only != null)
            return _only;
        Part wanted = _parts[part];
        TreeNode? node = _repository.LoadTree(wanted.Folder).Find(one => one.Name == wanted.File);
        if (node is not { IsFile: true })
            throw Odd("a file of it is gone from its folder");
        List<DiskExtent> extents = new(node.Content.Length);
        ulong offset = wanted.OffsetBytes;
        ulong end = wanted.OffsetBytes + wanted.SizeBytes;
        foreach (BlobId id in node.Content)
        {
            bool isKnown = _repository.Index.TryFind(id, out BlobPlace place) && place.Kind == BlobKind.Content;
            // Of one that is lost the length is known where all have the same.
            ulong length =
                isKnown ? place.TextBytes
                : Document != null ? Math.Min(Document.ChunkBytes, end - offset)
                : throw _repository.Missing(id, BlobKind.Content);
            if (length == 0 || length > end - offset)
                throw Odd($"its parts do not add up to the {wanted.SizeBytes} bytes of '{wanted.File}'");
            extents.Add(new DiskExtent(offset, length, id, isKnown));
            offset += length;
        }
        if (offset != end)
            throw Odd($"its parts do not add up to the {wanted.SizeBytes} bytes of '{wanted.File}'");
        if (_parts.Count == 1)
            _only = extents;
        return extents;
    }

    RepositoryException Odd(string why) =>
        new(RepositoryError.Damaged, $"disk '{Path}' of point {Snapshot.Id.Short} is damaged: {why}");

    static void Walk(
        OpenedRepository repository,
        StoredPoint snapshot,
        BlobId tree,
        string path,
        List<PointDisk> disks,
        List<PointDisk> files,
        int depth
    )
    {
        List<TreeNode> nodes = repository.LoadTree(tree);
        if (nodes.Find(one => one is { IsFile: true, Name: DiskLayout.DocumentName }) is { } described)
            if (TryMake(repository, snapshot, tree, path, described, nodes) is { } disk)
            {
                disks.Add(disk);
                return;
            }
        if (depth > 64)
            throw new RepositoryException(
                RepositoryError.Damaged,
                $"point {snapshot.Id.Short} has folders without end"
            );
        foreach (TreeNode node in nodes)
        {
            string below = path.Length == 0 ? node.Name : path + "/" + node.Name;
            if (node.IsFolder)
                Walk(repository, snapshot, node.Subtree, below, disks, files, depth + 1);
            else if (node is { IsFile: true, SizeBytes: > 0 })
                files.Add(new PointDisk(repository, snapshot, below, null, [new(0, node.SizeBytes, tree, node.Name)]));
        }
    }

    static DiskDocument? TryReadDocument(OpenedRepository repository, TreeNode node)
    {
        if (node.Content.Length != 1)
            return null;
        try
        {
            byte[] json = repository.LoadBlob(node.Content[0], BlobKind.Content);
            DiskDocument? document = JsonSerializer.Deserialize(json, Documents.Default.DiskDocument);
            return document is { Format: 1, ChunkBytes: > 0 } ? document : null;
        }
        catch (Exception exception)
            when (exception is JsonException or RepositoryException { Error: RepositoryError.Damaged })
        {
            return null;
        }
    }

    /// <summary>From the folder alone, which says all but how the disk was cut and why: so a lost disk.json loses no
    /// disk.</summary>
    /// <returns>Null: it is no disk of ours.</returns>
    static PointDisk? TryMake(
        OpenedRepository repository,
        StoredPoint snapshot,
        BlobId tree,
        string path,
        TreeNode described,
        List<TreeNode> nodes
    )
    {
        DiskDocument? document = TryReadDocument(repository, described);
        List<Part> parts = [];
        if (nodes.Find(one => one is { IsFile: true, Name: DiskLayout.ImageName }) is { } image)
            parts.Add(new Part(0, image.SizeBytes, tree, DiskLayout.ImageName));
        else
            foreach (TreeNode folder in nodes.FindAll(one => one.IsFolder))
            {
                if (folder.Name != DiskLayout.FolderOf((ulong)parts.Count))
                    return null;
                ulong offset = parts.Count == 0 ? 0 : parts[^1].OffsetBytes + parts[^1].SizeBytes;
                ulong size = document != null ? document.SegmentBytes : SizeOf(repository, folder);
                if (document != null)
                    size = Math.Min(size, document.SizeBytes - Math.Min(offset, document.SizeBytes));
                parts.Add(new Part(offset, size, folder.Subtree, DiskLayout.SegmentName));
            }
        if (parts.Count == 0)
            return null;
        PointDisk disk = new(repository, snapshot, path, document, parts);
        return document == null || document.SizeBytes == disk.SizeBytes
            ? disk
            : throw new RepositoryException(
                RepositoryError.Damaged,
                $"disk '{path}' of point {snapshot.Id.Short} is damaged: it has {disk.SizeBytes} bytes of its "
                    + $"{document.SizeBytes}"
            );
    }

    static ulong SizeOf(OpenedRepository repository, TreeNode folder) =>
        repository.LoadTree(folder.Subtree).Find(one => one.Name == DiskLayout.SegmentName)?.SizeBytes ?? 0;
}
