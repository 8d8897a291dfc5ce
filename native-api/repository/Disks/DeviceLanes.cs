// A device of the engine for threads that wait: a fixed number of buffers, each with at most one request under way. Who
// has a lane may start a request on it from any thread; the end comes on the reactor's thread, as a call, or is waited
// for. All buffers are taken at the start.
using System;
using System.Collections.Concurrent;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Runtime;

namespace FastBackup.Repositories;

/// <summary>Threads: any, but construction and Dispose.</summary>
sealed class DeviceLanes : IBlockOwner, ILoopTask, IDisposable
{
    readonly Reactor _reactor;
    readonly IBlockDevice _device;
    readonly BufferPool _pool;
    readonly DeviceLane[] _lanes;
    readonly BlockingCollection<DeviceLane> _free = [];

    /// <param name="engine">Its pool's buffers are the lanes'.</param>
    /// <param name="device">On its reactor. Owner: the caller.</param>
    /// <param name="count">Of lanes.</param>
    public DeviceLanes(Engine engine, IBlockDevice device, int count)
    {
        (_reactor, _device, _pool) = (engine.Reactor, device, engine.Pool);
        _lanes = new DeviceLane[count];
        _reactor.Invoke(() =>
        {
            for (uint i = 0; i < count; i++)
            {
                Check.That(_pool.TryRent(out BufferLease lease));
                _lanes[i] = new DeviceLane(i, lease);
                _free.Add(_lanes[i]);
            }
        });
    }

    /// <summary>Lanes that a pool of this size gives, at most so many.</summary>
    public static int CountOf(Engine engine, int most) =>
        (int)Math.Min((ulong)most, engine.Pool.SizeBytes / engine.Pool.BufferBytes);

    /// <summary>Room of a lane.</summary>
    public ulong BufferBytes => _pool.BufferBytes;

    /// <summary>Waits for a free lane.</summary>
    /// <exception cref="OperationCanceledException">Canceled.</exception>
    public DeviceLane Take(CancellationToken cancel) => _free.Take(cancel);

    public void Return(DeviceLane lane) => _free.Add(lane);

    /// <summary>Its buffer, while no request is under way on it.</summary>
    public Span<byte> Bytes(DeviceLane lane, ulong lengthBytes)
    {
        unsafe
        {
            // SAFETY: the lease is the lane's until Dispose, and a lane has one user at a time.
            return new Span<byte>(_pool.Address(lane.Lease), (int)lengthBytes);
        }
    }

    /// <summary>Starts a request; onEnd is called once, on the reactor's thread, and must not wait.</summary>
    public void Start(
        DeviceLane lane,
        BlockOperation operation,
        ulong offsetBytes,
        ulong lengthBytes,
        Action<DeviceLane> onEnd,
        BlockFlags flags = BlockFlags.None
    )
    {
        (lane.Operation, lane.Flags, lane.OffsetBytes, lane.LengthBytes) = (operation, flags, offsetBytes, lengthBytes);
        (lane.OnEnd, lane.Fault) = (onEnd, Fault.None);
        while (!_reactor.TryPost(this, lane.Index))
        {
            if (_reactor.HasFailed)
            {
                ((ILoopTask)this).Abandon(lane.Index);
                return;
            }
            Thread.Yield();
        }
    }

    /// <summary>Carries out a request and waits for its end.</summary>
    public Fault Run(
        DeviceLane lane,
        BlockOperation operation,
        ulong offsetBytes,
        ulong lengthBytes,
        BlockFlags flags = BlockFlags.None
    )
    {
        lane.Ended.Reset();
        Start(lane, operation, offsetBytes, lengthBytes, one => one.Ended.Set(), flags);
        lane.Ended.Wait();
        return lane.Fault;
    }

    /// <summary>No request is under way, and nobody has one.</summary>
    public bool IsIdle => _free.Count == _lanes.Length;

    /// <summary>Waits until all lanes are free again.</summary>
    /// <exception cref="OperationCanceledException">Canceled: some may not be.</exception>
    public void Drain(CancellationToken cancel)
    {
        int taken = 0;
        DeviceLane[] lanes = new DeviceLane[_lanes.Length];
        try
        {
            for (; taken < lanes.Length; taken++)
                lanes[taken] = _free.Take(cancel);
        }
        finally
        {
            // Also those of a wait that was given up: whoever waits for idleness then counts them.
            for (int i = 0; i < taken; i++)
                _free.Add(lanes[i], CancellationToken.None);
        }
    }

    /// <summary>After Drain.</summary>
    public void Dispose()
    {
        if (!_reactor.HasFailed)
            _reactor.Invoke(() =>
            {
                foreach (DeviceLane lane in _lanes)
                    _pool.Return(lane.Lease);
            });
        foreach (DeviceLane lane in _lanes)
            lane.Dispose();
        _free.Dispose();
    }

    void ILoopTask.Run(ulong index)
    {
        DeviceLane lane = _lanes[index];
        BlockRequest request = default;
        request.Operation = lane.Operation;
        request.Flags = lane.Operation == BlockOperation.Read ? BlockFlags.Padded : lane.Flags;
        request.Lane = IoLane.Background;
        request.OffsetBytes = lane.OffsetBytes;
        request.LengthBytes = lane.LengthBytes;
        unsafe
        {
            // SAFETY: the lease is the lane's until Dispose, which comes after the request's end.
            request.Buffer = (nint)_pool.Address(lane.Lease);
        }
        request.Owner = this;
        request.UserData = index;
        _device.Submit(request);
    }

    void ILoopTask.Abandon(ulong index) => End(_lanes[index], new Fault(FaultKind.Bug));

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) => End(_lanes[userData], result.Fault);

    static void End(DeviceLane lane, Fault fault)
    {
        lane.Fault = fault;
        lane.OnEnd!(lane);
    }
}
