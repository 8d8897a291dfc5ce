// New L2 tables: where the disk has none yet, and in place of one that an internal snapshot shares. The table is
// written whole, empty or as the shared one, and only then named by the L1 table in memory; that goes to the disk with
// the next commit, whose first flush is behind this write. Requests for the same part of the disk wait for the same
// table. Memory: a cluster for each of those that are made at once.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class TableMaking : IBlockOwner
{
    readonly Qcow2Parts _parts;
    readonly ClusterAllocator _allocator;
    readonly FreedClusters _freed;
    readonly MetadataCommit _commit;
    readonly TableCache _tables;
    readonly Action<WaitList, Fault> _onEnd;
    readonly nint _buffer;
    ulong _sharedHostBytes; // 0: the new one is empty
    ulong _hostBytes;
    bool _isRead;
    WaitList _waiting;

    /// <param name="parts">Of the image.</param>
    /// <param name="space">Takes back the place that failed, and what was shared.</param>
    /// <param name="commit">Is told of the change.</param>
    /// <param name="tables">May have kept what was there before.</param>
    /// <param name="onEnd">Told who waits for it, and what went wrong.</param>
    /// <param name="buffer">A cluster.</param>
    public TableMaking(
        Qcow2Parts parts,
        (ClusterAllocator Allocator, FreedClusters Freed) space,
        MetadataCommit commit,
        TableCache tables,
        Action<WaitList, Fault> onEnd,
        nint buffer
    )
    {
        (_parts, _commit, _tables, _onEnd, _buffer) = (parts, commit, tables, onEnd, buffer);
        (_allocator, _freed) = space;
    }

    public bool IsBusy { get; private set; }

    /// <summary>The entry of the L1 table that gets it.</summary>
    public ulong Number { get; private set; }

    public void Wait(Qcow2Slot slot)
    {
        _waiting.Add(slot);
    }

    /// <param name="number">Of the L1 table.</param>
    /// <param name="cluster">Where it is to lie: taken, and from here on this object's.</param>
    /// <param name="sharedHostBytes">Of what it is a copy; 0: it is empty.</param>
    public void Start(ulong number, ulong cluster, ulong sharedHostBytes)
    {
        (IsBusy, Number, _sharedHostBytes, _isRead) = (true, number, sharedHostBytes, sharedHostBytes == 0);
        _hostBytes = cluster << _parts.Header.ClusterBits;
        _parts.Writable!.Counts.SetTable(cluster, isTable: true);
        _tables.Forget(_hostBytes, _parts.Header.ClusterBytes);
        if (_isRead)
            Clear();
        Submit(_isRead ? BlockOperation.Write : BlockOperation.Read, _isRead ? _hostBytes : sharedHostBytes);
    }

    unsafe void Clear() =>
        // SAFETY: a cluster, this object's alone.
        new Span<byte>((void*)_buffer, (int)_parts.Header.ClusterBytes).Clear();

    void Submit(BlockOperation operation, ulong offsetBytes)
    {
        BlockRequest request = default;
        request.Operation = operation;
        request.OffsetBytes = offsetBytes;
        request.LengthBytes = _parts.Header.ClusterBytes;
        request.Buffer = _buffer;
        request.Owner = this;
        _parts.File.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsNone && !_isRead)
        {
            _isRead = true;
            Submit(BlockOperation.Write, _hostBytes);
            return;
        }
        IsBusy = false;
        int bits = _parts.Header.ClusterBits;
        if (result.Fault.IsFault)
            _allocator.Release(_hostBytes >> bits);
        else
        {
            _parts.L1[Number] = Qcow2Device.FromFile(_hostBytes | EntryReader.Copied);
            _commit.OnL1Changed(Number);
            if (_sharedHostBytes != 0)
                _freed.Add(_sharedHostBytes >> bits);
        }
        _onEnd(_waiting.TakeAll(), result.Fault);
    }
}
