// What a repository holds, by name, in memory: about 60 bytes a blob. Also who is about to store one, so that two
// threads with the same chunk store it once.
//
// Only what lies in a pack that is there in its full length counts: an index that names a lost or cut pack is not
// believed, and what it promised is stored anew.
using System.Collections.Generic;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class BlobIndex
{
    readonly Lock _one = new();
    readonly Dictionary<BlobId, BlobPlace> _places = [];
    readonly HashSet<BlobId> _claimed = [];
    readonly List<BlobId> _packs = [];
    readonly Dictionary<BlobId, int> _packIndexes = [];

    public int BlobCount
    {
        get
        {
            lock (_one)
                return _places.Count;
        }
    }

    public int PackCount
    {
        get
        {
            lock (_one)
                return _packs.Count;
        }
    }

    public bool TryFind(BlobId id, out BlobPlace place)
    {
        lock (_one)
            return _places.TryGetValue(id, out place);
    }

    public bool Has(BlobId id, BlobKind kind)
    {
        lock (_one)
            return _places.TryGetValue(id, out BlobPlace place) && place.Kind == kind;
    }

    public BlobId PackOf(in BlobPlace place)
    {
        lock (_one)
            return _packs[place.PackIndex];
    }

    /// <summary>False: it is there, or another one stores it.</summary>
    public bool TryClaim(BlobId id)
    {
        lock (_one)
            return !_places.ContainsKey(id) && _claimed.Add(id);
    }

    /// <summary>The pack is there: what lies in it can be found from now on.</summary>
    public void Add(IndexedPack pack)
    {
        lock (_one)
        {
            if (!_packIndexes.TryGetValue(pack.Pack, out int index))
            {
                index = _packs.Count;
                _packs.Add(pack.Pack);
                _packIndexes.Add(pack.Pack, index);
            }
            foreach (PackedBlob blob in pack.Blobs)
            {
                _ = _places.TryAdd(blob.Id, blob.Place with { PackIndex = index });
                _ = _claimed.Remove(blob.Id);
            }
        }
    }

    /// <summary>All of it, for whoever looks at everything.</summary>
    public List<IndexedPack> ByPack()
    {
        lock (_one)
        {
            List<PackedBlob>[] blobs = new List<PackedBlob>[_packs.Count];
            for (int i = 0; i < blobs.Length; i++)
                blobs[i] = [];
            foreach ((BlobId id, BlobPlace place) in _places)
                blobs[place.PackIndex].Add(new PackedBlob(id, place));
            List<IndexedPack> packs = [];
            for (int i = 0; i < blobs.Length; i++)
                packs.Add(new IndexedPack(_packs[i], blobs[i]));
            return packs;
        }
    }
}
