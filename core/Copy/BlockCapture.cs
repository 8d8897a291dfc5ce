// Captures only what a guest overwrites: a write that touches few blocks of a cluster waits for a read of those, not of
// the cluster. The blocks stay in memory, and the cluster stays marked: whoever copies it later reads all of it in one
// request, over the guest's new data, and puts the captured blocks over what was read.
//
//   wanted -> being read -> captured -> allowed              of a block: guests may overwrite it
//                |             |
//                v             `-> merged: with its whole cluster, by whoever has read that; its memory goes back
//             stale: the cluster came first, or the snapshot was given up; what was read may be new, and is dropped
//
// A cluster with such blocks has a record from its first capture until nothing protects it any more, so a protected
// cluster without a record is as it was at the point in time, and one with a record may not be. That is what readers
// of the snapshot and of its map go by. Claims, set-backs and outcomes of clusters are as ever: a chunk that could not
// be read is marked again and its captured blocks are still here; one that was read has them in its own memory.
//
// What is in memory leaves when the job comes by. When memory runs short the oldest clusters are copied next
// (CopyEngine.Pump). What does not fit, or would not pay (more than half of a cluster, or block after block), is
// refused and captured as a whole cluster. Which blocks guests may overwrite is the filter's to say: it knows who holds
// them.
//
// Cost: a look and a read a write; a copy in memory of each block. Nothing is allocated after construction.
using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's; <see cref="Allows"/> any.</summary>
sealed class BlockCapture : IBlockOwner, IDisposable
{
    const uint ReadsMax = 256;
    const ushort NoRecord = ushort.MaxValue;

    [InlineArray(BlockMasks.BlocksMax)]
    struct Places
    {
        ushort _first;
    }

    /// <summary>A partly captured cluster.</summary>
    struct Record
    {
        public ulong Cluster;
        public uint BeingRead;
        public uint Captured;
        public uint Allowed;
        public bool IsTaken;
        public bool IsMerged;
        public ushort Previous; // of those that are not merged, in order of age
        public ushort Next;
        public Places Places; // of what is captured
    }

    sealed class BlockRead
    {
        public ulong Cluster;
        public Extent Extent;
        public uint First;
        public uint Count;
        public ushort Place;
        public bool IsStale;
        public ICopyOwner Owner = null!;

        public uint Blocks => ((1u << (int)Count) - 1) << (int)First;
    }

    readonly IBlockDevice _source;
    readonly CopyMap _map;
    readonly BlockMemory _memory;
    readonly Tracer _trace;
    readonly BlockMasks _masks;
    readonly Record[] _records;
    readonly ushort[] _freeRecords;
    readonly SlotTable<BlockRead> _reads = new(ReadsMax);
    readonly ulong _blockBytes;
    readonly BlockGrid _grid;
    uint _freeCount;
    ushort _oldest = NoRecord;
    ushort _youngest = NoRecord;
    ICopyOwner? _owner; // of all of them
    bool _isClosed;
    bool _isOrphaned;

    BlockCapture(IBlockDevice source, CopyMap map, BlockMemory memory, Tracer trace)
    {
        (_source, _map, _memory, _trace) = (source, map, memory, trace);
        _blockBytes = memory.BlockBytes;
        _grid = new BlockGrid(map, _blockBytes);
        _masks = new BlockMasks(memory.Capacity);
        _records = new Record[memory.Capacity];
        _freeRecords = new ushort[memory.Capacity];
        _freeCount = memory.Capacity;
        for (uint i = 0; i < _freeCount; i++)
            _freeRecords[i] = (ushort)(_freeCount - 1 - i);
    }

    /// <summary>Null where it could not be used: not asked for, one block a cluster, or too little memory.</summary>
    public static BlockCapture? Create(
        IBlockDevice source,
        CopyMap map,
        BufferPool pool,
        CopyMemory memory,
        CopyRules rules,
        Tracer trace
    )
    {
        if (rules.BlockBytes == 0 || rules.ReleasePoint != ReleasePoint.Captured)
            return null;
        ulong leastBytes = Math.Max(source.Limits.RequestAlignBytes, map.ClusterBytes / BlockMasks.BlocksMax);
        ulong blockBytes = BitOperations.RoundUpToPowerOf2(Math.Max(rules.BlockBytes, leastBytes));
        if (blockBytes >= map.ClusterBytes || map.ClusterCount >= BlockMasks.ClustersMax)
            return null;
        // What a cluster needs that is copied whole, or comes back from scratch.
        ulong leftBytes = rules.Scratch == null ? 0 : Math.Min(rules.CaptureChunkBytes, pool.BufferBytes);
        leftBytes = Units.AlignUp(Math.Max(leftBytes, map.ClusterBytes), pool.UnitBytes);
        BlockMemory blocks = new(pool, memory, (uint)blockBytes, leftBytes);
        return blocks.Capacity == 0 ? null : new BlockCapture(source, map, blocks, trace);
    }

    /// <summary>Where captured blocks are.</summary>
    public BlockMemory Memory => _memory;

    /// <summary>How its clusters are cut.</summary>
    public BlockGrid Grid => _grid;

    /// <summary>What it protects.</summary>
    public CopyMap Map => _map;

    /// <summary>Reads in flight, those that came too late among them.</summary>
    public uint ReadingCount => _reads.TakenCount;

    public ulong ReadingBytes { get; private set; }

    /// <summary>Memory or records run short: partly captured clusters should be copied next.</summary>
    public bool IsPressed => _memory.IsShort || _masks.Count > _records.Length - _records.Length / 4;

    /// <summary>Whether guests may overwrite all of a range. Threads: any, wait-free.</summary>
    /// <param name="extent">Part of it is protected.</param>
    /// <returns>False also where this look could not tell: the reactor's tells.</returns>
    public bool Allows(in Extent extent)
    {
        _map.Clusters(extent, out ulong first, out ulong count);
        ulong last = first + count - 1;
        return IsAllowed(first, extent)
            && (count == 1 || IsAllowed(last, extent))
            && (count <= 2 || !_map.IsProtected(_map.Bytes(first + 1, count - 2)));
    }

    /// <summary>The same, exactly: whoever waits is waited for by nobody else. The reactor's. Cost: O(1).</summary>
    public bool AllowsNow(in Extent extent)
    {
        _map.Clusters(extent, out ulong first, out ulong count);
        ulong last = first + count - 1;
        return IsAllowedNow(first, extent)
            && (count == 1 || IsAllowedNow(last, extent))
            && (count <= 2 || !_map.IsProtectedNow(_map.Bytes(first + 1, count - 2)));
    }

    /// <summary>Guests may have written to the cluster, although it is protected.</summary>
    public bool HasSome(ulong cluster) => _masks.TryFind(cluster, out _);

    /// <summary>The next cluster of which that is true; or the end.</summary>
    public ulong Next(ulong firstCluster, ulong endCluster) => _masks.Next(firstCluster, endCluster);

    /// <summary>All that a range touches of a cluster is captured, or on its way.</summary>
    public bool IsOnItsWay(ulong cluster, in Extent extent) =>
        _masks.TryFind(cluster, out ushort at)
        && (BlocksOf(cluster, extent) & ~(_records[at].Captured | _records[at].BeingRead)) == 0;

    /// <summary>Captures what a write overwrites of a cluster.</summary>
    /// <param name="cluster">Taken over by the map.</param>
    /// <param name="extent">Of the write; touches the cluster.</param>
    /// <param name="owner">Told what was captured, or could not be.</param>
    /// <returns>False: the cluster is to be captured as a whole, or is being copied.</returns>
    public bool TryCapture(ulong cluster, in Extent extent, ICopyOwner owner)
    {
        if (!_map.Todo.GetBit(cluster))
            return false;
        if (IsOnItsWay(cluster, extent))
            return true;
        uint wanted = BlocksOf(cluster, extent);
        bool isKnown = _masks.TryFind(cluster, out ushort at);
        uint known = isKnown ? _records[at].Captured | _records[at].BeingRead : 0;
        uint missing = wanted & ~known;
        bool isSequential = (known << 1 & missing) != 0;
        uint all = (uint)Units.DivCeil(_map.Bytes(cluster, 1).LengthBytes, _blockBytes);
        if (isSequential || (uint)BitOperations.PopCount(known | wanted) * 2 > all)
            return false;
        if (_isClosed || (!isKnown && _masks.IsFull))
            return false;
        _owner = owner;
        while (missing != 0)
        {
            uint first = (uint)BitOperations.TrailingZeroCount(missing);
            uint count = (uint)BitOperations.TrailingZeroCount(~(missing >> (int)first));
            if (!TryRead(cluster, first, count))
                return false;
            missing &= missing + (1u << (int)first); // the lowest run is gone
        }
        return true;
    }

    /// <summary>In the point in time: the content of a block that is in memory is captured.</summary>
    /// <param name="cluster">Of the block; taken over by the map.</param>
    /// <param name="block">Of the cluster; not captured.</param>
    /// <param name="place">In Memory; ours from here on.</param>
    /// <param name="owner">As of <see cref="TryCapture"/>.</param>
    /// <returns>False: nothing is kept there, or the cluster is to be captured as a whole. The place stays the
    /// caller's.</returns>
    public bool TryAdopt(ulong cluster, uint block, ushort place, ICopyOwner owner)
    {
        bool isKnown = _masks.TryFind(cluster, out ushort at);
        uint captured = isKnown ? _records[at].Captured : 0;
        uint all = (uint)Units.DivCeil(_map.Bytes(cluster, 1).LengthBytes, _blockBytes);
        if (!_map.Todo.GetBit(cluster) || (BitOperations.PopCount(captured) + 1) * 2 > all)
            return false;
        if (!isKnown && _masks.IsFull)
            return false;
        _owner = owner;
        at = isKnown ? at : Add(cluster);
        _records[at].Places[(int)block] = place;
        _records[at].Captured |= 1u << (int)block;
        Allow(cluster, 1u << (int)block);
        _trace.Emit(TracePoint.BlockCapture, Bytes(cluster, block), 1);
        return true;
    }

    /// <summary>What of a cluster is captured and not allowed yet, a bit a block.</summary>
    public uint NotAllowed(ulong cluster) =>
        _masks.TryFind(cluster, out ushort at) ? _records[at].Captured & ~_records[at].Allowed : 0;

    /// <summary>Guests may overwrite these: nobody holds them.</summary>
    public void Allow(ulong cluster, uint blocks)
    {
        Check.That(_masks.TryFind(cluster, out ushort at));
        Check.That((blocks & ~_records[at].Captured) == 0);
        _records[at].Allowed |= blocks;
        _masks.Allow(cluster, blocks);
    }

    /// <summary>A block of a cluster, cut at the disk's end.</summary>
    public Extent Bytes(ulong cluster, uint block) => Bytes(cluster, block, 1);

    /// <summary>
    /// Puts the captured blocks of a chunk's clusters over what was read of them. From here on the chunk has them.
    /// </summary>
    /// <param name="extent">Of the chunk; its clusters are in memory, and not released yet.</param>
    /// <param name="bytes">Their data.</param>
    public void Merge(in Extent extent, Span<byte> bytes)
    {
        _map.Clusters(extent, out ulong first, out ulong count);
        ulong end = first + count;
        for (ulong cluster = Next(first, end); cluster < end; cluster = Next(cluster + 1, end))
        {
            _masks.TryFind(cluster, out ushort at);
            ref Record record = ref _records[at];
            Check.That(!record.IsMerged);
            for (uint rest = record.Captured; rest != 0; rest &= rest - 1)
            {
                int block = BitOperations.TrailingZeroCount(rest);
                Extent part = Bytes(cluster, (uint)block);
                Span<byte> place = bytes.Slice((int)(part.OffsetBytes - extent.OffsetBytes), (int)part.LengthBytes);
                _memory.Span(record.Places[block], part.LengthBytes).CopyTo(place);
            }
            _trace.Emit(TracePoint.BlockMerge, _map.Bytes(cluster, 1), BitOperations.PopCount(record.Captured));
            GiveUp(at);
        }
    }

    /// <summary>Nothing protects these clusters any more, whatever has become of them.</summary>
    /// <remarks>Cost: O(the shorter of the run and all records).</remarks>
    public void Forget(ulong firstCluster, ulong clusterCount)
    {
        if (_masks.Count == 0)
            return;
        if (clusterCount <= (ulong)_records.Length)
        {
            for (ulong cluster = firstCluster; cluster < firstCluster + clusterCount; cluster++)
                if (_masks.TryFind(cluster, out ushort found))
                    Remove(found);
            return;
        }
        for (uint at = 0; at < _records.Length; at++)
            if (_records[at].IsTaken && _records[at].Cluster - firstCluster < clusterCount)
                Remove((ushort)at);
    }

    /// <summary>The snapshot is given up: all memory goes back, and nothing is captured from here on.</summary>
    public void Close()
    {
        _isClosed = true;
        for (uint at = 0; at < _records.Length; at++)
            if (_records[at].IsTaken)
                Remove((ushort)at);
    }

    /// <summary>Nobody is told any more; see <see cref="CopyEngine.Orphan"/>.</summary>
    public void Orphan()
    {
        Check.That(_isClosed);
        _isOrphaned = true;
    }

    /// <summary>The cluster that has waited longest for being copied.</summary>
    public bool TryPeekOldest(out ulong cluster, out ICopyOwner owner)
    {
        (cluster, owner) = (0, _owner!);
        if (_oldest == NoRecord)
            return false;
        cluster = _records[_oldest].Cluster;
        return true;
    }

    /// <summary>Up to where a range of protected clusters is captured here, or is not.</summary>
    /// <param name="offsetBytes">Where it begins.</param>
    /// <param name="endBytes">Where it ends.</param>
    /// <param name="isCaptured">Which of the two.</param>
    /// <returns>The end of that run, at most endBytes.</returns>
    public ulong EndOfRun(ulong offsetBytes, ulong endBytes, out bool isCaptured)
    {
        isCaptured = false;
        ulong cluster = offsetBytes / _map.ClusterBytes;
        ulong next = Next(cluster, Units.DivCeil(endBytes, _map.ClusterBytes));
        if (next > cluster)
            return Math.Min(endBytes, next * _map.ClusterBytes);
        _masks.TryFind(cluster, out ushort at);
        uint captured = _records[at].IsMerged ? 0 : _records[at].Captured;
        int block = (int)(offsetBytes % _map.ClusterBytes / _blockBytes);
        isCaptured = (captured >> block & 1) != 0;
        uint others = (isCaptured ? ~captured : captured) >> block;
        ulong end = (ulong)(block + BitOperations.TrailingZeroCount(others)) * _blockBytes;
        return Math.Min(endBytes, cluster * _map.ClusterBytes + Math.Min(end, _map.ClusterBytes));
    }

    /// <summary>Copies old data that is captured here.</summary>
    /// <returns>Bytes: up to the end of a block; 0 when it is not here.</returns>
    public ulong Read(ulong offsetBytes, Span<byte> destination)
    {
        ulong cluster = offsetBytes / _map.ClusterBytes;
        if (!_masks.TryFind(cluster, out ushort at) || _records[at].IsMerged)
            return 0;
        uint block = (uint)(offsetBytes % _map.ClusterBytes / _blockBytes);
        if ((_records[at].Captured >> (int)block & 1) == 0)
            return 0;
        Extent part = Bytes(cluster, block);
        int start = (int)(offsetBytes - part.OffsetBytes);
        Span<byte> bytes = _memory.Span(_records[at].Places[(int)block], part.LengthBytes)[start..];
        int length = Math.Min(bytes.Length, destination.Length);
        bytes[..length].CopyTo(destination);
        return (ulong)length;
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        BlockRead read = _reads.Get(userData);
        (ulong cluster, uint blocks, Extent extent) = (read.Cluster, read.Blocks, read.Extent);
        (uint first, uint count, ushort place) = (read.First, read.Count, read.Place);
        (ICopyOwner owner, bool isStale) = (read.Owner, read.IsStale);
        _reads.Free(userData);
        ReadingBytes -= extent.LengthBytes;
        if (isStale)
        {
            _memory.Return(place, count);
            if (!_isOrphaned)
                owner.OnBlocksRead(cluster);
            return;
        }
        Check.That(_masks.TryFind(cluster, out ushort at));
        ref Record record = ref _records[at];
        record.BeingRead &= ~blocks;
        Fault fault = result.Fault;
        if (fault.IsNone && !owner.IsSnapshotWhole)
            fault = new Fault(FaultKind.SnapshotLost, 0, extent.OffsetBytes);
        if (fault.IsFault)
        {
            if ((record.BeingRead | record.Captured) == 0)
                Remove(at);
            _memory.Return(place, count);
            owner.OnCopied(new CopyOutcome(extent, CopyLane.CopyBeforeWrite, CopyEnd.SourceFailed, fault, 0));
            return;
        }
        for (uint i = 0; i < count; i++)
            record.Places[(int)(first + i)] = (ushort)(place + i);
        record.Captured |= blocks;
        _trace.Emit(TracePoint.BlockCapture, extent);
        owner.OnBlocksRead(cluster);
    }

    /// <summary>All that was captured is merged, forgotten or given up; reads may still come too late.</summary>
    public void Dispose()
    {
        Check.That(_oldest == NoRecord);
        _masks.Dispose();
    }

    bool TryRead(ulong cluster, uint first, uint count)
    {
        if (_reads.TakenCount == ReadsMax || !_memory.TryTake(count, out ushort place))
            return false;
        Check.That(_reads.TryTake(out ulong key, out BlockRead read));
        (read.Cluster, read.Extent, read.IsStale) = (cluster, Bytes(cluster, first, count), false);
        (read.First, read.Count, read.Place, read.Owner) = (first, count, place, _owner!);
        if (!_masks.TryFind(cluster, out ushort at))
            at = Add(cluster);
        _records[at].BeingRead |= read.Blocks;
        ReadingBytes += read.Extent.LengthBytes;
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        (request.Flags, request.Lane) = (BlockFlags.Padded, IoLane.CopyBeforeWrite);
        (request.OffsetBytes, request.LengthBytes) = (read.Extent.OffsetBytes, read.Extent.LengthBytes);
        (request.Buffer, request.Owner, request.UserData) = (_memory.Address(place), this, key);
        _source.Submit(request);
        return true;
    }

    ushort Add(ulong cluster)
    {
        ushort at = _freeRecords[--_freeCount];
        _records[at] = new Record
        {
            Cluster = cluster,
            IsTaken = true,
            Previous = _youngest,
            Next = NoRecord,
        };
        if (_youngest == NoRecord)
            _oldest = at;
        else
            _records[_youngest].Next = at;
        _youngest = at;
        _masks.Add(cluster, at);
        return at;
    }

    void Remove(ushort at)
    {
        if (!_records[at].IsMerged)
            GiveUp(at);
        _masks.Remove(_records[at].Cluster);
        _records[at] = default;
        _freeRecords[_freeCount++] = at;
    }

    /// <summary>The blocks' memory goes back; reads that are under way have come too late.</summary>
    void GiveUp(ushort at)
    {
        ref Record record = ref _records[at];
        record.IsMerged = true;
        for (uint slot = 0; record.BeingRead != 0 && slot < ReadsMax; slot++)
            if (_reads.TryGetAt(slot, out _, out BlockRead read) && !read.IsStale && read.Cluster == record.Cluster)
                (read.IsStale, record.BeingRead) = (true, record.BeingRead & ~read.Blocks);
        Check.That(record.BeingRead == 0);
        Unlink(record);
        for (uint rest = record.Captured; rest != 0; rest &= rest - 1)
            _memory.Return(record.Places[BitOperations.TrailingZeroCount(rest)], 1);
    }

    void Unlink(in Record record)
    {
        if (record.Previous == NoRecord)
            _oldest = record.Next;
        else
            _records[record.Previous].Next = record.Next;
        if (record.Next == NoRecord)
            _youngest = record.Previous;
        else
            _records[record.Next].Previous = record.Previous;
    }

    // Of a range only the first and the last cluster can pass by their blocks: between them it overwrites whole
    // clusters, and of no cluster are all blocks captured ahead.
    bool IsAllowed(ulong cluster, in Extent extent) =>
        _masks.Allows(cluster, BlocksOf(cluster, extent)) || !_map.IsProtected(_map.Bytes(cluster, 1));

    bool IsAllowedNow(ulong cluster, in Extent extent) =>
        (_masks.TryFind(cluster, out ushort at) && (BlocksOf(cluster, extent) & ~_records[at].Allowed) == 0)
        || !_map.IsProtectedNow(_map.Bytes(cluster, 1));

    uint BlocksOf(ulong cluster, in Extent extent) => _grid.Touched(cluster, extent);

    Extent Bytes(ulong cluster, uint block, uint count) => _grid.Bytes(cluster, block, count);
}
