// A point in time while it is made: disks come one after the other, each with its folder, and then either all packs,
// the index and the snapshot are stored, in this order, or there is no point.
//
//   HOST/DISK/...   one folder for each disk that came; DiskLayout says what is in it
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: one, but for AddTree and what Sink says.</summary>
sealed class PointDraft : IDisposable
{
    readonly OpenedRepository _repository;
    readonly RepositoryLock _lock;
    readonly CancellationToken _cancel;
    readonly SortedDictionary<string, BlobId> _disks = new(StringComparer.Ordinal);

    /// <param name="repository">With its index.</param>
    /// <param name="held">Shared lock of it.</param>
    /// <param name="head">Of all its disks.</param>
    /// <param name="cancel">Ends it.</param>
    public PointDraft(OpenedRepository repository, RepositoryLock held, PointHead head, CancellationToken cancel)
    {
        (_repository, _lock, Head, _cancel) = (repository, held, head, cancel);
        Sink = new PackSink(repository, head.PackBytes, cancel);
    }

    public PointHead Head { get; private set; }

    public PackSink Sink { get; }

    /// <summary>T0 has come after the draft was made. Before any disk is added.</summary>
    public void SetTime(DateTime time) => Head = Head with { Time = time };

    /// <summary>A disk is whole.</summary>
    /// <param name="disk">Its name; no other one has it.</param>
    /// <param name="folder">The tree with its files.</param>
    public void Add(string disk, BlobId folder) => _disks.Add(disk, folder);

    /// <summary>Stores a folder's list, if it is new. Threads: any.</summary>
    public BlobId AddTree(TreeNode[] nodes, BlobCodec codec)
    {
        Array.Sort(nodes, (left, right) => string.CompareOrdinal(left.Name, right.Name));
        byte[] bytes = TreeDocument.Write(nodes);
        BlobId id = BlobId.Of(bytes);
        _ = Sink.Add(id, BlobKind.Tree, bytes, codec);
        return id;
    }

    /// <summary>Folders, packs, index; and then, if nobody can have removed anything, the snapshot.</summary>
    /// <param name="parent">The point that was gone on from; null: none.</param>
    /// <returns>The point, durable.</returns>
    /// <exception cref="RepositoryException">There is none.</exception>
    public BlobId Finish(BlobId? parent)
    {
        BlobCodec codec = _repository.Codecs.Rent();
        BlobId root;
        try
        {
            string time = RepositoryTime.Format(Head.Time);
            BlobId host = AddTree([.. _disks.Select(disk => FolderNode(disk.Key, disk.Value, time))], codec);
            root = AddTree([FolderNode(Head.Host, host, time)], codec);
        }
        finally
        {
            _repository.Codecs.Return(codec);
        }
        Sink.Finish();
        _cancel.ThrowIfCancellationRequested();
        _lock.Ensure();
        SnapshotDocument document = new(
            RepositoryTime.Format(Head.Time),
            parent?.ToString(),
            root.ToString(),
            [.. _disks.Keys.Select(disk => "/" + Head.Host + "/" + disk)],
            Head.Host,
            Environment.UserName,
            Head.Tags.Length > 0 ? Head.Tags : null
        );
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(document, Documents.Readable.SnapshotDocument);
        BlobId point = _repository.SaveFile(StoreKind.Snapshot, json);
        if (!_lock.IsFresh)
            TakeBackUnlessHeld(point);
        return point;
    }

    /// <summary>Slow at the end: others may have taken the lock away, and then what this needs.</summary>
    void TakeBackUnlessHeld(BlobId point)
    {
        _lock.Refresh();
        try
        {
            _lock.Ensure();
        }
        catch (RepositoryException)
        {
            _repository.Store.Remove(StoreKind.Snapshot, point.ToString());
            throw;
        }
    }

    public void Dispose() => Sink.Dispose();

    public static TreeNode FolderNode(string name, BlobId subtree, string time) =>
        new()
        {
            Name = name,
            Type = TreeNode.FolderType,
            Subtree = subtree,
            Time = time,
        };
}
