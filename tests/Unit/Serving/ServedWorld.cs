// A server of one disk in memory and its clients on one loop, turned by the test.
using System;
using System.Collections.Generic;
using System.Net;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Ports;
using FastBackup.Serving;
using FastBackup.Tests.Unit.Devices;
using FastBackup.Tests.Unit.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Serving;

sealed class ServedWorld : IServedDisks, IServedBitmaps, IDisposable
{
    readonly ServedDisk _served;

    readonly StreamWorld _world;
    readonly List<RawClient> _clients = [];
    readonly NbdServer _server;

    public ServedWorld(
        StreamKind kind = StreamKind.Simulated,
        ulong seed = 1,
        int diskBytes = 300_001,
        bool isReadOnly = false,
        NbdServerOptions? options = null
    )
    {
        _world = new StreamWorld(kind, seed);
        Disk = new MemoryDevice(_world.Reactor, "disk", (ulong)diskBytes);
        Assert.True(HierarchicalBitmap.TryCreate((ulong)diskBytes, 4096, default, out HierarchicalBitmap? bits).IsNone);
        Bits = bits!;
        _served = new("disk", Disk)
        {
            IsReadOnly = isReadOnly,
            Description = "words",
            Bitmaps = this,
        };
        options ??= new();
        Assert.True(NbdServer.TryStart(_world.Reactor, Address, this, options, null, out NbdServer? server).IsNone);
        _server = server!;
    }

    public IEnumerable<ServedDisk> All => [_served];

    /// <summary>What a client gets that gives no name: "disk", or "view", which is the same for reading only.</summary>
    public string DefaultName { get; set; } = "disk";

    public ServedDisk? Find(string name) =>
        (name.Length == 0 ? DefaultName : name) switch
        {
            "disk" => _served,
            "view" => _served with { Name = "view", IsReadOnly = true },
            _ => null,
        };

    public bool HasBitmap { get; set; } = true;

    public IEnumerable<string> Names => HasBitmap ? ["b0"] : [];

    bool IServedBitmaps.TryFind(string name, List<HierarchicalBitmap> bits)
    {
        if (!HasBitmap || name != "b0")
            return false;
        bits.Add(Bits);
        return true;
    }

    public MemoryDevice Disk { get; }

    public HierarchicalBitmap Bits { get; }

    public IStreamIo Streams => _world.Streams;

    public EndPoint Address => _world.Address;

    public int ConnectionCount => _server.ConnectionCount;

    public ulong NowNs => _world.Reactor.Clock.NowNs;

    public RawClient Connect(bool reads = true)
    {
        RawClient client = new(this, reads);
        _clients.Add(client);
        return client;
    }

    /// <summary>A client past the handshake, with chunks or without; what was said so far is taken.</summary>
    public RawClient Ready(bool isStructured, params string[] contexts)
    {
        RawClient client = Connect();
        client.Send(RawClient.Flags());
        if (isStructured)
            client.Send(RawClient.Option(8));
        if (contexts.Length > 0)
            client.Send(
                RawClient.Option(
                    10,
                    RawClient.Text("disk"),
                    RawClient.BigEndian(4, (ulong)contexts.Length),
                    [.. System.Linq.Enumerable.SelectMany(contexts, RawClient.Text)]
                )
            );
        int before = 18 + (isStructured ? 20 : 0);
        foreach (string context in contexts)
            before += 24 + context.Length;
        before += contexts.Length > 0 ? 20 : 0;
        client.Send(RawClient.Option(7, RawClient.Text("disk"), RawClient.BigEndian(2, 0)));
        int all = before + 32 + 34 + 20;
        RunUntil(() => client.ReceivedBytes >= all);
        Assert.Equal(all, client.Take(all).Length);
        return client;
    }

    public NbdDevice Open()
    {
        Assert.Equal(default, NbdWorld.Dial(_world, isReadOnly: false, out NbdDevice? device));
        return device!;
    }

    public void Turn() => _world.Reactor.Turn(Units.NsPerMs);

    public void RunUntil(Func<bool> isDone) => _world.RunUntil(isDone);

    public byte[] Receive(RawClient client, int count)
    {
        RunUntil(() => client.ReceivedBytes >= count || client.HasEnded);
        return client.Take(count);
    }

    public void Dispose()
    {
        bool isClosed = false;
        _server.Close(() => isClosed = true);
        RunUntil(() => isClosed);
        Assert.Equal(0, ConnectionCount);
        foreach (RawClient client in _clients)
            client.Close();
        for (int i = 0; i < 20; i++)
            Turn();
        Assert.Equal(0u, Disk.InFlightCount);
        foreach (RawClient client in _clients)
            client.Dispose();
        Disk.Dispose();
        Bits.Dispose();
        _world.Dispose();
    }
}
