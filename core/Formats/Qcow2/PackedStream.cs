// Packed clusters, one close behind the other in the file: they are collected in buffers of 1 MiB, each with a place of
// its own, which are written when they are full. Whose cluster was collected is told at once; a flush waits for what
// lies in buffers. A buffer that could not be written fails everything from then on: whose clusters were lost is not
// known any more, and the image never gets its header.
//
// Where two buffers lie one behind the other in the file a cluster may begin in one and end in the next.
// Memory: 4 MiB. Cost: a copy of what is packed.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class PackedStream : IBlockOwner, IDisposable
{
    const int BufferBytes = (int)Units.MiB;
    const int BufferCount = 4;
    const uint ClustersABuffer = BufferBytes / NewImageShape.ClusterBytes;

    readonly IBlockDevice _file;
    readonly NewImageMap _map;
    readonly Action _onWritten;
    readonly AlignedRegion _memory = AlignedRegion.Map(BufferBytes * BufferCount, RegionResidency.Resident);
    readonly BoundedQueue<int> _free = new(BufferCount);
    int _current = -1;
    int _filledBytes; // of the current
    ulong _hostBytes; // where it begins

    /// <param name="file">Written to.</param>
    /// <param name="map">Of the image: has the places.</param>
    /// <param name="onWritten">Told when a buffer is free again, or lost.</param>
    public PackedStream(IBlockDevice file, NewImageMap map, Action onWritten)
    {
        (_file, _map, _onWritten) = (file, map, onWritten);
        for (int i = 0; i < BufferCount; i++)
            _free.Enqueue(i);
    }

    /// <summary>Buffers on their way to the file.</summary>
    public uint InFlightCount { get; private set; }

    /// <summary>What was taken is lost.</summary>
    public Fault Fault { get; private set; }

    /// <summary>Takes a packed cluster.</summary>
    /// <param name="packed">Less than a cluster.</param>
    /// <param name="hostBytes">Where it lies.</param>
    /// <returns>False: not before a buffer is free, or never.</returns>
    public bool TryAppend(ReadOnlySpan<byte> packed, out ulong hostBytes)
    {
        hostBytes = _hostBytes + (ulong)_filledBytes;
        int room = _current < 0 ? 0 : BufferBytes - _filledBytes;
        if (Fault.IsFault || packed.Length > room && _free.Count == 0)
            return false;
        if (packed.Length > room)
        {
            ulong next = _map.TakePlaces(ClustersABuffer);
            if (next == 0)
            {
                Fault = new Fault(FaultKind.NoSpace, Errnos.ENOSPC);
                return false;
            }
            int first = _current >= 0 && next == _hostBytes + BufferBytes ? room : 0;
            if (first == 0)
                hostBytes = next;
            Put(packed[..first]);
            if (_current >= 0)
                WriteCurrent(BufferBytes);
            Check.That(_free.TryDequeue(out _current));
            (_hostBytes, _filledBytes) = (next, 0);
            packed = packed[first..];
        }
        Put(packed);
        return true;
    }

    /// <summary>Writes what is collected; places behind it are given back.</summary>
    public void Close()
    {
        if (_current < 0)
            return;
        ulong clusters = Units.DivCeil((ulong)_filledBytes, NewImageShape.ClusterBytes);
        _map.GiveBack(_hostBytes, clusters, ClustersABuffer);
        WriteCurrent((int)clusters * (int)NewImageShape.ClusterBytes);
    }

    void Put(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length == 0)
            return;
        bytes.CopyTo(_memory.Slice((ulong)(_current * BufferBytes + _filledBytes), bytes.Length));
        _filledBytes += bytes.Length;
    }

    void WriteCurrent(int lengthBytes)
    {
        _memory.Slice((ulong)(_current * BufferBytes + _filledBytes), lengthBytes - _filledBytes).Clear();
        BlockRequest request = default;
        request.Operation = BlockOperation.Write;
        request.Lane = IoLane.Background;
        request.OffsetBytes = _hostBytes;
        request.LengthBytes = (ulong)lengthBytes;
        request.Buffer = _memory.Start + _current * BufferBytes;
        request.Owner = this;
        request.UserData = (ulong)_current;
        _current = -1;
        InFlightCount++;
        _file.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        InFlightCount--;
        _free.Enqueue((int)userData);
        if (result.Fault.IsFault && Fault.IsNone)
            Fault = result.Fault;
        _onWritten();
    }

    public void Dispose()
    {
        if (InFlightCount == 0)
            _memory.Dispose();
        else
            _memory.Leak(); // of a loop that has stopped
    }
}
