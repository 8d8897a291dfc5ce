// Makes the tables of an image durable, in the one order in which a cut leaves nothing but leaks:
//
//   1  reference counts that went up                  then a flush: data and counts are there
//   2  L2 tables and the L1 table, as they were when this commit began: what they refer to is older than the flush
//                                                     then a flush: nothing on the disk refers to what was freed
//   3  reference counts that went down; not flushed: the next commit's first flush does that
//
// A commit can move the L1 table to a longer place: 2 writes it there as a whole, and between 2 and 3 the header names
// it, durably. Until then the table that the disk has is the old one, so what was freed is free only behind that.
//
// What changes meanwhile changes in memory and belongs to the next commit, so no request waits for a commit but those
// that ask for one: a guest's flush, a durable write, and writes when DirtyMax pages have changed. Who asks waits for
// one that begins later; all who do so together wait for the same.
// Memory: copies of DirtyMax pages. A step that fails is the end of writing: what the tables on the disk are is not
// known.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class MetadataCommit : IBlockOwner, IDisposable
{
    /// <summary>Pages of tables that may have changed and not be durable.</summary>
    public const int DirtyMax = 512;

    const int EagerCount = DirtyMax / 2;
    const int RoundPages = 64;
    const int ReservedMin = 8; // tables that are made, and the page itself

    enum Step
    {
        Idle,
        CountsUp,
        FlushData,
        Tables,
        FlushTables,
        Head,
        CountsDown,
    }

    readonly IBlockDevice _file;
    readonly IBlockDevice? _data;
    readonly Qcow2Parts _parts;
    readonly HeadWriting _head;
    readonly TableCache _tables;
    readonly RefcountMap _counts;
    readonly ClusterAllocator _allocator;
    readonly FreedClusters _freed;
    readonly IImageOwner _owner;
    readonly uint _pageBytes;
    readonly AlignedRegion _copies;
    readonly AlignedRegion _round;
    readonly List<ulong> _captured = new(DirtyMax); // L2 pages, pinned until they are written
    readonly List<ulong> _dirtyTables = new(DirtyMax);
    List<ulong> _dirtyL1 = new(DirtyMax); // pages of the L1 table, by number
    List<ulong> _capturedL1 = new(DirtyMax);
    Step _step;
    int _capturedCount; // of all pages
    uint _left; // requests of this step
    int _countsLeft; // pages of it
    Fault _fault;
    WaitList _waiting; // for a commit that has not begun
    WaitList _served; // by this one
    bool _isWanted;
    L1Move? _nextMove; // by the next commit
    L1Move? _move; // by this one

    /// <param name="parts">Of the image.</param>
    /// <param name="tables">Its L2 tables.</param>
    /// <param name="allocator">Is given what is free.</param>
    /// <param name="freed">What is to become free.</param>
    /// <param name="head">Names a moved table.</param>
    /// <param name="owner">Whose requests wait.</param>
    public MetadataCommit(
        Qcow2Parts parts,
        TableCache tables,
        ClusterAllocator allocator,
        FreedClusters freed,
        HeadWriting head,
        IImageOwner owner
    )
    {
        (_file, _data, _parts, _head) = (parts.File, parts.DataFile, parts, head);
        (_tables, _counts, _allocator, _freed, _owner) = (tables, parts.Writable!.Counts, allocator, freed, owner);
        _pageBytes = _counts.PageBytes;
        _copies = AlignedRegion.Map(DirtyMax * (ulong)_pageBytes, RegionResidency.Lazy);
        _round = AlignedRegion.Map(RoundPages * (ulong)_pageBytes, RegionResidency.Lazy);
    }

    public bool IsRunning => _step != Step.Idle;

    /// <summary>All that the tables in memory say is durable.</summary>
    public bool IsClean => !IsRunning && _dirtyTables.Count + _dirtyL1.Count == 0;

    /// <summary>Room for a page of tables that is going to change.</summary>
    /// <param name="slot">Whose change; waits where there is none.</param>
    /// <param name="reserved">Pages that may change by what is under way.</param>
    public bool TryReserve(Qcow2Slot slot, int reserved)
    {
        if (_dirtyTables.Count + _dirtyL1.Count + reserved + ReservedMin <= DirtyMax)
            return true;
        Wait(slot);
        return false;
    }

    /// <summary>The slot goes on when all is durable that has ended before.</summary>
    public void Wait(Qcow2Slot slot)
    {
        _waiting.Add(slot);
        _isWanted = true;
        StartIfWanted();
    }

    /// <summary>As Wait, and with the L1 table in its new place.</summary>
    public void Move(Qcow2Slot slot, L1Move move)
    {
        _nextMove = move;
        Wait(slot);
    }

    /// <summary>A page of an L2 table was changed; it stays in the cache.</summary>
    public void OnTableChanged(ulong pageHostBytes)
    {
        if (!_tables.TryMarkDirty(pageHostBytes))
            return;
        _dirtyTables.Add(pageHostBytes);
        StartIfMany();
    }

    /// <summary>An entry of the L1 table was changed.</summary>
    public void OnL1Changed(ulong number)
    {
        ulong page = number * sizeof(ulong) / _pageBytes;
        if (_dirtyL1.Contains(page))
            return;
        _dirtyL1.Add(page);
        StartIfMany();
    }

    void StartIfMany()
    {
        _isWanted |= _dirtyTables.Count + _dirtyL1.Count >= EagerCount;
        StartIfWanted();
    }

    void StartIfWanted()
    {
        if (IsRunning || !_isWanted)
            return;
        _isWanted = false;
        _served = _waiting.TakeAll();
        Capture();
        Begin(Step.CountsUp);
    }

    void Capture()
    {
        _capturedCount = 0;
        foreach (ulong hostBytes in _dirtyTables)
        {
            _tables.TakeDirty(hostBytes).CopyTo(Copy(_capturedCount++));
            _captured.Add(hostBytes);
        }
        (_move, _nextMove) = (_nextMove, null);
        (_dirtyL1, _capturedL1) = (_capturedL1, _dirtyL1);
        _dirtyL1.Clear();
        if (_move != null)
        {
            _capturedL1.Clear();
            _capturedCount += _move.Capture(_parts.L1);
        }
        NativeArray<ulong> l1 = _parts.L1;
        foreach (ulong page in _capturedL1)
        {
            Span<byte> copy = Copy(_capturedCount++);
            copy.Clear();
            ulong first = page * _pageBytes / sizeof(ulong);
            int count = (int)Math.Min(_pageBytes / sizeof(ulong), l1.Count - first);
            System.Runtime.InteropServices.MemoryMarshal.AsBytes(l1.AsSpan().Slice((int)first, count)).CopyTo(copy);
        }
        _dirtyTables.Clear();
        _freed.Capture(_owner.NextSerial);
    }

    Span<byte> Copy(int number) => _copies.Slice((ulong)number * _pageBytes, (int)_pageBytes);

    /// <summary>Begins a step; one in which there is nothing to do is over at once.</summary>
    void Begin(Step step)
    {
        _step = step;
        switch (step)
        {
            case Step.CountsUp:
            case Step.CountsDown:
                _countsLeft = _counts.DirtyCount; // more may follow: of another commit
                WriteCounts();
                break;
            case Step.FlushData:
                _left = _data == null ? 1u : 2u;
                Flush(_file);
                if (_data != null)
                    Flush(_data);
                return;
            case Step.Tables:
                WriteTables();
                break;
            case Step.FlushTables:
                _left = 1;
                Flush(_file);
                return;
            case Step.Head:
                _left = 1;
                _head.Write(() => _parts.Writable!.SetL1(_move!.HostBytes, _move.Count), OnCompleted);
                return;
            default:
                End();
                return;
        }
        if (_left == 0)
            Begin(After(step));
    }

    Step After(Step step) =>
        step switch
        {
            Step.CountsUp => Step.FlushData,
            Step.FlushData when _capturedCount > 0 => Step.Tables,
            Step.Tables => Step.FlushTables,
            Step.FlushTables when _move != null => Step.Head,
            Step.CountsDown => Step.Idle,
            _ => Step.CountsDown,
        };

    void WriteCounts()
    {
        _left = 0;
        for (; _left < RoundPages && _countsLeft > 0; _left++, _countsLeft--)
        {
            Span<byte> page = _round.Slice(_left * (ulong)_pageBytes, (int)_pageBytes);
            Check.That(_counts.TryTakeDirty(page, out ulong hostBytes));
            Write(hostBytes, _round.Start + (nint)(_left * (ulong)_pageBytes), _pageBytes);
        }
    }

    void WriteTables()
    {
        _left = (uint)_capturedCount;
        int number = 0;
        Qcow2Header header = _parts.Header;
        foreach (ulong hostBytes in _captured)
            Write(hostBytes, CopyStart(number++), _pageBytes);
        foreach (ulong page in _capturedL1)
        {
            ulong at = page * _pageBytes;
            // Behind what the disk needs there may be more entries, or the rest of a cluster.
            bool isLonger = header.L1Count > _parts.L1.Count;
            ulong bytes = isLonger ? Math.Min(_pageBytes, _parts.L1.Count * sizeof(ulong) - at) : _pageBytes;
            Write(header.L1OffsetBytes + at, CopyStart(number++), bytes);
        }
        for (int i = 0; i < _move?.PieceCount; i++)
        {
            (ulong hostBytes, nint buffer, ulong lengthBytes) = _move.Piece(i);
            Write(hostBytes, buffer, lengthBytes);
        }
    }

    nint CopyStart(int number) => _copies.Start + (nint)((ulong)number * _pageBytes);

    void Write(ulong offsetBytes, nint buffer, ulong lengthBytes)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Write;
        request.OffsetBytes = offsetBytes;
        request.LengthBytes = lengthBytes;
        request.Buffer = buffer;
        request.Owner = this;
        _file.Submit(request);
    }

    void Flush(IBlockDevice device)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Flush;
        request.Owner = this;
        device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) => OnCompleted(result.Fault);

    void OnCompleted(Fault fault)
    {
        if (fault.IsFault && _fault.IsNone)
            _fault = fault;
        if (--_left > 0)
            return;
        if (_fault.IsFault)
        {
            Break();
            return;
        }
        if (_step == Step.Head)
            OnMoved();
        bool isMoving = _step == Step.FlushTables && _move != null;
        if (_step == Step.FlushTables && !isMoving || _step == Step.FlushData && _capturedCount == 0)
            OnDurable();
        if (_step is Step.CountsUp or Step.CountsDown && _countsLeft > 0)
            WriteCounts();
        else
            Begin(After(_step));
    }

    /// <summary>The header names the new table.</summary>
    void OnMoved()
    {
        Qcow2Header before = _parts.Header;
        _parts.SetHeader(before with { L1OffsetBytes = _move!.HostBytes, L1Count = _move.Count });
        OnDurable();
        ulong first = before.L1OffsetBytes >> before.ClusterBits;
        ulong count = Units.DivCeil(before.L1Count * (ulong)sizeof(ulong), before.ClusterBytes);
        for (ulong cluster = first; cluster < first + count; cluster++)
            _freed.Add(cluster);
        _move = null;
    }

    void OnDurable()
    {
        foreach (ulong hostBytes in _captured)
            _tables.Unpin(hostBytes);
        _captured.Clear();
        _freed.OnDurable();
        _freed.Settle(_owner.OldestSerial, _allocator);
    }

    void End()
    {
        WaitList served = _served.TakeAll();
        StartIfWanted();
        _owner.OnWaited(served, Fault.None);
        _owner.OnQuiet();
    }

    /// <summary>Nothing is written any more; who waits is told.</summary>
    void Break()
    {
        Fault fault = _fault;
        _step = Step.Idle;
        _isWanted = false;
        _move = _nextMove = null;
        _owner.OnMetadataFault(fault);
        WaitList served = _served.TakeAll();
        WaitList waiting = _waiting.TakeAll();
        _owner.OnWaited(served, fault);
        _owner.OnWaited(waiting, fault);
        _owner.OnQuiet();
    }

    public void Dispose()
    {
        if (IsRunning) // of a loop that has stopped
        {
            _copies.Leak();
            _round.Leak();
            return;
        }
        _copies.Dispose();
        _round.Dispose();
    }
}
