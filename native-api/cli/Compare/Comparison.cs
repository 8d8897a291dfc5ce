// Compares two disks over their common length with several reads in flight on each side.
//
// A cursor walks both allocation maps. Where both have a hole nothing is read; where one has, only the other is
// read and looked at for zeroes; else both are read into the two buffers of a lane and compared. Chunks end
// out of order: the smallest difference wins, and since the cursor only moves forward, every chunk below a
// difference was started before it and is waited for. After a difference nothing new is started.
//
// Cost: one read a side and one vector compare per chunk; nothing is allocated after construction.
// Holes are cut to GrainBytes, so that reads stay aligned for every disk.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Cli;

/// <summary>Threads: the reactor's, except the picture, which any may read. Dispose after it has ended.</summary>
sealed class Comparison : IBlockOwner, IDisposable
{
    public const ulong NoDifference = ulong.MaxValue;

    const ulong GrainBytes = 64 * Units.KiB;
    const ulong LanesMax = 32;

    sealed class Lane
    {
        public BufferLease Left;
        public BufferLease Right;
        public bool IsLeftRead;
        public bool IsRightRead;
        public ulong OffsetBytes;
        public ulong LengthBytes;
        public int PendingCount;
        public Fault Fault;
    }

    // --- fixed at construction
    readonly IBlockDevice _left;
    readonly IBlockDevice _right;
    readonly BufferPool _pool;
    readonly MapWalk _leftMap;
    readonly MapWalk _rightMap;
    readonly Lane[] _lanes;
    readonly uint[] _freeLanes;
    readonly Action _onEnded;
    readonly ulong _lengthBytes;

    // --- touched only by the reactor's thread
    int _freeCount;
    ulong _cursorBytes;
    bool _isStopping;
    bool _isEnded;
    bool _isPumping;

    // --- written by the reactor's thread, read by any
    ulong _doneBytes;
    ulong _skippedBytes;

    /// <param name="left">Compared with the other over the smaller of both sizes.</param>
    /// <param name="right">The other.</param>
    /// <param name="pool">Two buffers a lane; at least two.</param>
    /// <param name="onEnded">Called once on the reactor's thread.</param>
    public Comparison(IBlockDevice left, IBlockDevice right, BufferPool pool, Action onEnded)
    {
        (_left, _right, _pool, _onEnded) = (left, right, pool, onEnded);
        _lengthBytes = Math.Min(left.Limits.CapacityBytes, right.Limits.CapacityBytes);
        _leftMap = new MapWalk(left, Pump);
        _rightMap = new MapWalk(right, Pump);
        _lanes = new Lane[Math.Min(LanesMax, (uint)(pool.FreeBytes / pool.BufferBytes / 2))];
        _freeLanes = new uint[_lanes.Length];
        for (uint i = 0; i < _lanes.Length; i++)
        {
            _lanes[i] = new Lane();
            Check.That(pool.TryRent(out _lanes[i].Left));
            Check.That(pool.TryRent(out _lanes[i].Right));
            _freeLanes[_freeCount++] = i;
        }
        Check.That(_freeCount > 0);
    }

    /// <summary>Offset of the first byte that differs, or <see cref="NoDifference"/>. Final when ended.</summary>
    public ulong FirstDifference { get; private set; } = NoDifference;

    /// <summary>The first read that failed. Final when ended.</summary>
    public Fault Fault { get; private set; }

    public bool IsLeftFault { get; private set; }

    /// <summary>Threads: any.</summary>
    public WorkProgress Query() => new(Volatile.Read(ref _doneBytes), _lengthBytes, Volatile.Read(ref _skippedBytes));

    public void Start() => Pump();

    /// <summary>Starts nothing more; ends when what is in flight has ended.</summary>
    public void Cancel()
    {
        if (Fault.IsNone)
            Fault = new Fault(FaultKind.Canceled);
        _isStopping = true;
        Pump();
    }

    public void Dispose()
    {
        foreach (Lane lane in _lanes)
        {
            _pool.Return(lane.Left);
            _pool.Return(lane.Right);
        }
        _leftMap.Dispose();
        _rightMap.Dispose();
    }

    void Pump()
    {
        if (_isPumping || _isEnded)
            return;
        _isPumping = true;
        while (!_isStopping && _cursorBytes < _lengthBytes && TryStep()) { }
        _isPumping = false;
        bool isIdle = _freeCount == _lanes.Length && !_leftMap.IsQuerying && !_rightMap.IsQuerying;
        if (!isIdle || !(_isStopping || _cursorBytes == _lengthBytes))
            return;
        _isEnded = true;
        _onEnded();
    }

    /// <summary>Passes a common hole or starts one chunk; false when a lane or a map must be waited for.</summary>
    bool TryStep()
    {
        bool isLeftKnown = _leftMap.TryFind(_cursorBytes, out bool isLeftHole, out ulong leftEnd);
        bool isRightKnown = _rightMap.TryFind(_cursorBytes, out bool isRightHole, out ulong rightEnd);
        if (!isLeftKnown || !isRightKnown)
            return false;
        if (isLeftHole && isRightHole)
        {
            ulong holeEnd = Math.Min(Math.Min(leftEnd, rightEnd), _lengthBytes);
            if (holeEnd < _lengthBytes)
                holeEnd = Units.AlignDown(holeEnd, GrainBytes);
            if (holeEnd > _cursorBytes)
            {
                Count(holeEnd - _cursorBytes, isSkipped: true);
                _cursorBytes = holeEnd;
                return true;
            }
        }
        if (_freeCount == 0)
            return false;
        // Up to where one side at least has data, a whole grain anyway.
        ulong dataEnd = Math.Max(isLeftHole ? 0 : leftEnd, isRightHole ? 0 : rightEnd);
        ulong chunkEnd = Math.Min(_cursorBytes + _pool.BufferBytes, Math.Max(dataEnd, _cursorBytes + 1));
        chunkEnd = Math.Min(Units.AlignUp(chunkEnd, Math.Min(GrainBytes, _pool.BufferBytes)), _lengthBytes);
        uint laneIndex = _freeLanes[--_freeCount];
        Lane lane = _lanes[laneIndex];
        (lane.OffsetBytes, lane.LengthBytes) = (_cursorBytes, chunkEnd - _cursorBytes);
        lane.IsLeftRead = !isLeftHole || leftEnd < chunkEnd;
        lane.IsRightRead = !isRightHole || rightEnd < chunkEnd;
        lane.Fault = default;
        lane.PendingCount = (lane.IsLeftRead ? 1 : 0) + (lane.IsRightRead ? 1 : 0);
        Check.That(lane.PendingCount > 0);
        _cursorBytes = chunkEnd;
        if (lane.IsLeftRead)
            Submit(_left, lane, lane.Left, laneIndex * 2UL);
        if (lane.IsRightRead)
            Submit(_right, lane, lane.Right, laneIndex * 2UL + 1);
        return true;
    }

    unsafe void Submit(IBlockDevice device, Lane lane, BufferLease lease, ulong userData)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.Flags = BlockFlags.Padded;
        request.OffsetBytes = lane.OffsetBytes;
        request.LengthBytes = lane.LengthBytes;
        // SAFETY: the lane holds the buffer until Dispose, which comes after the read's end.
        request.Buffer = (nint)_pool.Address(lease);
        request.Owner = this;
        request.UserData = userData;
        device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        uint laneIndex = (uint)(userData / 2);
        Lane lane = _lanes[laneIndex];
        if (result.Fault.IsFault)
        {
            lane.Fault = result.Fault;
            _isStopping = true;
            if (Fault.IsNone)
                (Fault, IsLeftFault) = (result.Fault, userData % 2 == 0);
        }
        if (--lane.PendingCount > 0)
            return;
        if (lane.Fault.IsNone)
        {
            ulong difference = FindDifference(lane);
            if (difference != NoDifference)
            {
                FirstDifference = Math.Min(FirstDifference, difference);
                _isStopping = true;
            }
            Count(lane.LengthBytes, isSkipped: false);
        }
        _freeLanes[_freeCount++] = laneIndex;
        Pump();
    }

    unsafe ulong FindDifference(Lane lane)
    {
        // SAFETY: a chunk fits a buffer, and both reads of the lane have ended.
        ReadOnlySpan<byte> left = new(_pool.Address(lane.Left), (int)lane.LengthBytes);
        ReadOnlySpan<byte> right = new(_pool.Address(lane.Right), (int)lane.LengthBytes);
        if (lane.IsLeftRead && lane.IsRightRead)
            return left.SequenceEqual(right) ? NoDifference : lane.OffsetBytes + (ulong)left.CommonPrefixLength(right);
        ReadOnlySpan<byte> only = lane.IsLeftRead ? left : right;
        return BitmapKernels.IsAllZero(only) ? NoDifference : lane.OffsetBytes + (ulong)only.IndexOfAnyExcept((byte)0);
    }

    void Count(ulong lengthBytes, bool isSkipped)
    {
        if (isSkipped)
            Volatile.Write(ref _skippedBytes, _skippedBytes + lengthBytes);
        Volatile.Write(ref _doneBytes, _doneBytes + lengthBytes);
    }
}
