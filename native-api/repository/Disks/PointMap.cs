// Where each blob of a point lies on the disk, asked for by place. A point's lists are read when something in them is
// asked for, and the lists that were used last are kept: one of 16384 chunks takes a MiB.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Threading;

namespace FastBackup.Repositories;

/// <summary>Threads: any; Find waits for the store.</summary>
sealed class PointMap(OpenedRepository repository, PointDisk point)
{
    const int PartsMax = 128;

    sealed class Part
    {
        public readonly Lock One = new();
        public DiskExtent[]? Extents;
        public long UsedAt;
    }

    readonly OpenedRepository _repository = repository;
    readonly Lock _one = new();
    readonly Dictionary<int, Part> _parts = [];
    readonly ConcurrentDictionary<ulong, BlobId> _zeroIds = new();
    long _time;

    /// <summary>The blob that has this byte of the disk.</summary>
    /// <exception cref="RepositoryException">Its list cannot be read.</exception>
    public DiskExtent Find(ulong offsetBytes)
    {
        DiskExtent[] extents = Load(point.PartAt(offsetBytes));
        int low = 0;
        for (int high = extents.Length - 1; low < high; )
        {
            int middle = (low + high + 1) / 2;
            if (extents[middle].OffsetBytes <= offsetBytes)
                low = middle;
            else
                high = middle - 1;
        }
        return extents[low];
    }

    /// <summary>It reads as zeroes, and nothing need be fetched.</summary>
    public bool IsZero(in DiskExtent extent)
    {
        if (!_repository.Index.TryFind(extent.Id, out BlobPlace place))
            return false;
        // A hash of zeroes is not free, and restic's chunks are of many lengths: zeroes are stored in next to nothing.
        bool mayBe = point.Document != null || place.SealedBytes < 1024 + extent.LengthBytes / 512;
        return mayBe && extent.Id == _zeroIds.GetOrAdd(extent.LengthBytes, static bytes => BlobId.Of(new byte[bytes]));
    }

    DiskExtent[] Load(int index)
    {
        Part? part;
        lock (_one)
        {
            if (!_parts.TryGetValue(index, out part))
            {
                if (_parts.Count >= PartsMax)
                    _ = _parts.Remove(_parts.MinBy(one => one.Value.UsedAt).Key);
                _parts.Add(index, part = new Part());
            }
            part.UsedAt = ++_time;
        }
        lock (part.One)
            return part.Extents ??= [.. point.Load(index)];
    }
}
