// The server against clients that say anything: handshake, then requests of every kind on disks with bitmaps.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Net;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Serving;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one.</summary>
sealed class ServerEnd : IFuzzedEnd, IServedDisks, IServedBitmaps
{
    const ulong DiskBytes = 300_001;
    const string GuestName = "a-guest-that-nobody-else-knows-7f3a91c2";

    readonly FuzzWorld _world;
    readonly EndPoint _address;
    readonly MemoryDevice _disk;
    readonly MemoryDevice _guestDisk;
    readonly HierarchicalBitmap _bits;
    readonly ServedDisk[] _shown;
    readonly ServedDisk _guests;
    readonly NbdServer _server;
    readonly Bystander _bystander;
    readonly int _connectionsOfGuest;
    ulong _answeredBytes;
    bool _hasBitmap = true;

    public ServerEnd(ulong seed)
    {
        _world = new FuzzWorld(seed);
        _address = _world.NewAddress();
        _disk = new MemoryDevice(_world.Reactor, "disk", DiskBytes);
        _guestDisk = new MemoryDevice(_world.Reactor, "guest", DiskBytes);
        Check.That(HierarchicalBitmap.TryCreate(DiskBytes, 4096, default, out HierarchicalBitmap? bits).IsNone);
        _bits = bits!;
        Check.That(_bits.Set(8192, 100_000).IsNone);
        ServedDisk disk = new("disk", _disk) { Description = "words", Bitmaps = this };
        _shown = [disk, disk with { Name = "view", IsReadOnly = true }];
        _guests = new ServedDisk(GuestName, _guestDisk);
        NbdServerOptions options = new()
        {
            ClientMemoryBytes = (uint)Units.MiB,
            HandshakeMs = 20,
            UnreadMs = 1000,
        };
        Check.That(NbdServer.TryStart(_world.Reactor, _address, this, options, null, out NbdServer? server).IsNone);
        _server = server!;
        NbdDevice device = Dialling.Open(_world, _address, GuestName);
        _bystander = new Bystander(_world, device);
        Beside();
        _world.RunUntil(() => device.ConnectionCount == 4, "a guest's connections");
        _connectionsOfGuest = _server.ConnectionCount;
    }

    public string Name => "server";

    public IEnumerable<byte[]> Seeds => ServerSeeds.All;

    public string Words =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{_answeredBytes} bytes of answers, {_bystander.RequestCount} requests of a guest beside them"
        );

    IEnumerable<ServedDisk> IServedDisks.All => _shown;

    ServedDisk? IServedDisks.Find(string name) =>
        name switch
        {
            "" or "view" => _shown[1],
            "disk" => _shown[0],
            GuestName => _guests,
            _ => null,
        };

    IEnumerable<string> IServedBitmaps.Names => ["b0", "gone"];

    bool IServedBitmaps.TryFind(string name, List<HierarchicalBitmap> bits)
    {
        if (name != "b0" || !_hasBitmap)
            return false;
        bits.Add(_bits);
        return true;
    }

    public void Run(byte[] input, bool isTorn, bool hasCompany)
    {
        _world.Streams.IsTearing = isTorn || hasCompany;
        _hasBitmap = true;
        using Peer peer = _world.Connect(_address);
        peer.Send(input);
        if (hasCompany)
            _bystander.Begin();
        _world.RunUntilQuiet();
        _answeredBytes += (ulong)peer.Received.Count;
        peer.Close();
        _world.RunUntil(() => peer.IsIdle && _server.ConnectionCount == _connectionsOfGuest, "the end of a session");
        if (hasCompany)
            Beside();
    }

    public void CheckNothingLeft()
    {
        Beside();
        if (_disk.InFlightCount > 0 || _guestDisk.InFlightCount > 0)
            throw new FuzzFailure("requests are left at a disk");
        if (_server.ConnectionCount != _connectionsOfGuest)
            throw new FuzzFailure("connections are left");
        // A receive of each end of the guest's connections, and the server's accept.
        if (_world.Streams.InFlightCount > 2 * _connectionsOfGuest + 1)
            throw new FuzzFailure($"{_world.Streams.InFlightCount} commands are left at the port");
    }

    public void Dispose()
    {
        _bystander.Dispose();
        bool isClosed = false;
        _server.Close(() => isClosed = true);
        _world.RunUntil(() => isClosed, "the server's end");
        for (int i = 0; i < 20; i++)
            _world.Turn();
        _disk.Dispose();
        _guestDisk.Dispose();
        _bits.Dispose();
        _world.Dispose();
    }

    /// <summary>A guest's request, to its end.</summary>
    void Beside()
    {
        _bystander.Begin();
        _world.RunUntil(() => _bystander.IsIdle, "a guest's request");
    }
}
