// A remote disk and its server on one loop, turned by the test; requests one at a time, with their results.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Unit.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

sealed unsafe class NbdWorld : IBlockOwner, IDisposable
{
    public const int BufferBytes = 128 << 10;

    readonly StreamWorld _world;
    readonly AlignedRegion _buffer = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    readonly Dictionary<ulong, BlockResult> _results = [];
    ulong _tag;

    public NbdWorld(StreamKind kind, ulong seed, Func<StreamWorld, NbdServerModel> serve)
    {
        _world = new StreamWorld(kind, seed);
        Server = serve(_world);
    }

    public NbdServerModel Server { get; }

    public NbdDevice Device { get; private set; } = null!;

    public Span<byte> Buffer => new((void*)_buffer.Start, BufferBytes);

    public OpenRefusal TryOpen(bool isReadOnly = false, RemoteOpenOptions? options = null)
    {
        OpenRefusal refusal = Dial(_world, isReadOnly, out NbdDevice? device, options);
        Device = device!;
        return refusal;
    }

    /// <summary>Connects to the server at a world's address, and shakes hands.</summary>
    /// <param name="world">The server's, too.</param>
    /// <param name="isReadOnly">How it is opened.</param>
    /// <param name="device">Null when refused.</param>
    /// <param name="options">Null: no connection is made again.</param>
    public static OpenRefusal Dial(
        StreamWorld world,
        bool isReadOnly,
        out NbdDevice? device,
        RemoteOpenOptions? options = null
    )
    {
        Assert.Null(NbdUri.TryParse("nbd://model/disk", mayBeTls: false, out NbdUri? uri));
        bool hasEnded = false;
        options ??= new RemoteOpenOptions { ReconnectNs = 0 };
        NbdRemote remote = new(uri!, [world.Address], isReadOnly, options);
        NbdOpening opening = new(world.Reactor, remote, () => hasEnded = !hasEnded);
        world.Reactor.Post(new StandingPost(opening));
        world.RunUntil(() => hasEnded);
        Assert.Equal(opening.Refusal.IsNone, opening.Device != null);
        device = opening.Device;
        return opening.Refusal;
    }

    public NbdWorld Open(RemoteOpenOptions? options = null)
    {
        Assert.Equal(default, TryOpen(isReadOnly: false, options));
        return this;
    }

    public void Turn(ulong waitNs) => _world.Reactor.Turn(waitNs);

    public void RunUntil(Func<bool> isDone) => _world.RunUntil(isDone);

    /// <returns>What names its result.</returns>
    public ulong Submit(BlockOperation operation, ulong offset, ulong length, int at = 0, BlockFlags flags = default)
    {
        BlockRequest request = new()
        {
            Operation = operation,
            Flags = flags,
            OffsetBytes = offset,
            LengthBytes = length,
            Buffer = _buffer.Start + at,
            MapCapacity = 100,
            Owner = this,
            UserData = ++_tag,
        };
        Device.Submit(request);
        Assert.False(_results.ContainsKey(_tag), "completed inside Submit");
        return _tag;
    }

    public BlockResult Result(ulong tag)
    {
        RunUntil(() => _results.ContainsKey(tag));
        return _results[tag];
    }

    public bool IsThere(ulong tag) => _results.ContainsKey(tag);

    public BlockResult Run(BlockOperation operation, ulong offset, ulong length, BlockFlags flags = default) =>
        Result(Submit(operation, offset, length, 0, flags));

    /// <summary>At the port, of both sides, when the last request was completed.</summary>
    public uint CommandCount { get; private set; }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        Assert.True(_results.TryAdd(userData, result), "completed twice");
        CommandCount = _world.Streams.InFlightCount;
    }

    public void Dispose()
    {
        Device?.Dispose();
        for (int i = 0; i < 20; i++)
            Turn(Units.NsPerMs);
        Server.Dispose();
        _world.Dispose();
        _buffer.Dispose();
    }
}
