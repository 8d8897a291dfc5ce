// Whether a repository holds what its points need. Structure: every snapshot, its trees, and that each blob they name
// is in the index and in a pack of sufficient length. With content: packs are read whole, each must have the name of
// its content, and each blob must open and have its own. Nothing is written; only Repair writes, an index that no
// longer names what is damaged: so that the next backup stores it anew, and heals the points that need it.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: one, and its own. Used once.</summary>
sealed class Verification(OpenedRepository repository, CancellationToken cancel)
{
    readonly Lock _one = new();
    readonly HashSet<BlobId> _seenTrees = [];
    readonly HashSet<BlobId> _needed = [];
    readonly HashSet<BlobId> _damaged = [];
    readonly HashSet<BlobId> _damagedPacks = [];
    long _readBytes;

    /// <summary>What is wrong, sentences.</summary>
    public List<string> Problems { get; } = [];

    public int PointCount { get; private set; }

    public int BlobCount => _needed.Count;

    public ulong ReadBytes => (ulong)Interlocked.Read(ref _readBytes);

    /// <summary>Blobs that cannot be read: Repair takes them out of the index.</summary>
    public int DamagedCount => _damaged.Count;

    /// <summary>Snapshots and all they name.</summary>
    public void CheckStructure(IReadOnlyList<StoredPoint> snapshots)
    {
        Problems.AddRange(repository.Warnings);
        foreach (StoredPoint snapshot in snapshots)
        {
            cancel.ThrowIfCancellationRequested();
            int before = Problems.Count;
            Walk(snapshot.Tree);
            PointCount++;
            if (Problems.Count > before)
                Say($"point {snapshot.Id.Short} of {snapshot.Document.Time} cannot be restored whole");
        }
    }

    /// <summary>Reads packs.</summary>
    /// <param name="part">1..parts: those whose first byte says so.</param>
    /// <param name="parts">1: all.</param>
    /// <param name="show">Called now and then with bytes done and in total.</param>
    public void ReadPacks(int part, int parts, Action<ulong, ulong> show)
    {
        IndexedPack[] packs = [.. repository.Index.ByPack().Where(one => (byte)one.Pack.A % parts == part - 1)];
        ulong total = (ulong)packs.Sum(pack => pack.Blobs.Sum(blob => (long)blob.Place.SealedBytes));
        int next = -1;
        using Workers workers = new(
            Workers.CountUsual,
            stop =>
            {
                BlobCodec codec = repository.Codecs.Rent();
                for (int i; (i = Interlocked.Increment(ref next)) < packs.Length; )
                {
                    stop.ThrowIfCancellationRequested();
                    Read(packs[i], codec);
                    show(ReadBytes, total);
                }
                repository.Codecs.Return(codec);
            },
            cancel
        );
        workers.Join();
    }

    /// <summary>Writes the index without what is damaged, and then removes the old one. Needs the lock alone.</summary>
    public void Repair()
    {
        if (_damaged.Count == 0 && _damagedPacks.Count == 0)
            return;
        List<StoredFile> old = repository.Store.List(StoreKind.Index);
        List<IndexedPack> left = [];
        foreach (IndexedPack pack in repository.Index.ByPack())
        {
            PackedBlob[] sound = [.. pack.Blobs.Where(blob => !_damaged.Contains(blob.Id))];
            if (sound.Length > 0)
                left.Add(new IndexedPack(pack.Pack, sound));
        }
        HashSet<string> written = [];
        foreach (IndexedPack[] some in left.Chunk(500))
            _ = written.Add(repository.SaveFile(StoreKind.Index, IndexDocument.Write(some)).ToString());
        foreach (StoredFile file in old)
            if (!written.Contains(file.Name))
                repository.Store.Remove(StoreKind.Index, file.Name);
    }

    void Walk(BlobId tree)
    {
        _ = _needed.Add(tree);
        if (!_seenTrees.Add(tree))
        {
            if (_damaged.Contains(tree))
                Say($"tree {tree} is damaged or lost");
            return;
        }
        List<TreeNode> nodes;
        try
        {
            nodes = repository.LoadTree(tree);
        }
        catch (RepositoryException exception) when (exception.Error is RepositoryError.Damaged)
        {
            _ = _damaged.Add(tree);
            Say(exception.Message);
            return;
        }
        foreach (TreeNode node in nodes)
        {
            if (node.IsFolder)
                Walk(node.Subtree);
            else if (node.IsFile)
                CheckFile(node);
        }
    }

    void CheckFile(TreeNode node)
    {
        ulong sum = 0;
        int lost = 0;
        foreach (BlobId id in node.Content)
        {
            _ = _needed.Add(id);
            if (repository.Index.TryFind(id, out BlobPlace place) && place.Kind == BlobKind.Content)
                sum += place.TextBytes;
            else if (lost++ == 0)
                Say(repository.Missing(id, BlobKind.Content).Message);
        }
        if (lost > 1)
            Say(string.Create(CultureInfo.InvariantCulture, $"{lost} blobs of '{node.Name}' are lost"));
        if (lost == 0 && sum != node.SizeBytes)
            Say(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{node.Name}' should have {node.SizeBytes} bytes, and its blobs have {sum}"
                )
            );
    }

    void Read(IndexedPack pack, BlobCodec codec)
    {
        string name = pack.Pack.ToString();
        byte[] bytes;
        try
        {
            bytes = repository.Store.Read(StoreKind.Pack, name);
        }
        catch (RepositoryException exception) when (exception.Error is RepositoryError.NotFound)
        {
            Condemn(pack, pack.Blobs, $"pack {name} is lost");
            return;
        }
        _ = Interlocked.Add(ref _readBytes, bytes.Length);
        List<PackedBlob> bad = [];
        foreach (PackedBlob blob in pack.Blobs)
        {
            BlobPlace place = blob.Place;
            ulong end = place.OffsetBytes + (ulong)place.SealedBytes;
            byte[] text = new byte[place.TextBytes];
            bool isSound =
                end <= (ulong)bytes.Length
                && codec.TryOpen(blob.Id, place, bytes.AsSpan((int)place.OffsetBytes, (int)place.SealedBytes), text);
            if (!isSound)
                bad.Add(blob);
        }
        bool isWhole = BlobId.Of(bytes) == pack.Pack;
        bool hasHeader = PackHeader.Read(bytes, codec.Cipher) != null;
        if (bad.Count > 0)
            Condemn(pack, bad, $"pack {name} is damaged: {bad.Count} of its {pack.Blobs.Count} blobs cannot be read");
        else if (!hasHeader)
            Condemn(pack, [], $"pack {name} is damaged: its list of blobs cannot be read, the blobs themselves can");
        else if (!isWhole)
            Condemn(pack, [], $"pack {name} is damaged in a part that no blob needs");
    }

    void Condemn(IndexedPack pack, IReadOnlyList<PackedBlob> blobs, string sentence)
    {
        lock (_one)
        {
            _ = _damagedPacks.Add(pack.Pack);
            foreach (PackedBlob blob in blobs)
                _ = _damaged.Add(blob.Id);
            Say(
                blobs.Any(blob => _needed.Contains(blob.Id)) ? sentence
                : blobs.Count > 0 ? sentence + ", none of which a point needs"
                : sentence
            );
        }
    }

    void Say(string sentence)
    {
        lock (_one)
            if (!Problems.Contains(sentence))
                Problems.Add(sentence);
    }
}
