// The client against servers that say anything. An input has two parts: what is said when a connection comes, and what
// is said when its requests have come; the first two bytes are the length of the first.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Net;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Ports;
using FastBackup.Serving;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one.</summary>
sealed class ClientEnd : IFuzzedEnd, IServedDisks, IStreamOwner
{
    const ulong DiskBytes = 300_001;

    readonly FuzzWorld _world;
    readonly EndPoint _address;
    readonly EndPoint _rightAddress;
    readonly StreamHandle _listener;
    readonly MemoryDevice _disk;
    readonly MemoryDevice _guestDisk;
    readonly ServedDisk[] _served;
    readonly NbdServer _right;
    readonly Bystander _bystander;
    StreamHandle? _accepted;
    ulong _openedCount;
    ulong _wholeCount;

    public ClientEnd(ulong seed)
    {
        _world = new FuzzWorld(seed);
        (_address, _rightAddress) = (_world.NewAddress(), _world.NewAddress());
        _disk = new MemoryDevice(_world.Reactor, "disk", DiskBytes);
        _guestDisk = new MemoryDevice(_world.Reactor, "guest", DiskBytes);
        _served = [new ServedDisk("disk", _disk), new ServedDisk("guest", _guestDisk)];
        NbdServerOptions options = new() { ClientMemoryBytes = (uint)Units.MiB };
        Check.That(
            NbdServer.TryStart(_world.Reactor, _rightAddress, this, options, null, out NbdServer? server).IsNone
        );
        _right = server!;
        Check.That(_world.Streams.TryListen(_address, out StreamHandle? listener).IsNone);
        _listener = listener!;
        Accept();
        _bystander = new Bystander(_world, Dialling.Open(_world, _rightAddress, "guest"));
    }

    public string Name => "client";

    /// <summary>What our server says, in each form that it has.</summary>
    public IEnumerable<byte[]> Seeds => [Record(), Record(11), Record(11, 8)];

    public string Words =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{_openedCount} disks opened, {_wholeCount} answered in whole, {_bystander.RequestCount} of a guest's"
        );

    IEnumerable<ServedDisk> IServedDisks.All => _served;

    ServedDisk? IServedDisks.Find(string name) => Array.Find(_served, one => one.Name == name);

    public void Run(byte[] input, bool isTorn, bool hasCompany)
    {
        _world.Streams.IsTearing = isTorn || hasCompany;
        int firstBytes = input.Length < 2 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(input);
        ReadOnlySpan<byte> said = input.AsSpan(Math.Min(2, input.Length));
        firstBytes = Math.Min(firstBytes, said.Length);
        bool hasOpened = false;
        NbdOpening opening = Dialling.Begin(_world, _address, "disk", () => hasOpened = true);
        using Peer peer = AcceptedPeer();
        peer.Send(said[..firstBytes]);
        if (hasCompany)
            _bystander.Begin();
        _world.RunUntilQuiet();
        if (opening.Device is { } device)
            RunRequests(device, peer, said[firstBytes..]);
        peer.Close();
        _world.RunUntil(() => hasOpened && peer.IsIdle, "an open");
        opening.Device?.Dispose();
        _world.RunUntilQuiet();
        if (hasCompany)
            Beside();
    }

    void RunRequests(NbdDevice device, Peer peer, ReadOnlySpan<byte> said)
    {
        _openedCount++;
        using ClientSession session = new();
        session.Submit(device);
        _world.RunUntilQuiet();
        peer.Send(said);
        _world.RunUntilQuiet();
        _wholeCount += session.IsWhole && device.BrokenBecause == null ? 1u : 0;
        peer.Close();
        _world.RunUntil(() => session.IsWhole, "requests whose server is gone");
        if (device.InFlightCount > 0)
            throw new FuzzFailure("requests are left");
        device.Dispose();
        _world.RunUntilQuiet();
        session.CheckGuards();
    }

    public void CheckNothingLeft()
    {
        Beside();
        if (_disk.InFlightCount > 0 || _guestDisk.InFlightCount > 0)
            throw new FuzzFailure("requests are left at a disk");
        // Two ends of each of the guest's connections, and the accepts of two listeners.
        if (_world.Streams.InFlightCount > 2 * _right.ConnectionCount + 2)
            throw new FuzzFailure($"{_world.Streams.InFlightCount} commands are left at the port");
    }

    public void Dispose()
    {
        _bystander.Dispose();
        bool isClosed = false;
        _right.Close(() => isClosed = true);
        _world.RunUntil(() => isClosed, "the server's end");
        _world.Streams.Close(_listener);
        _world.RunUntilQuiet();
        _disk.Dispose();
        _guestDisk.Dispose();
        _world.Dispose();
    }

    /// <summary>The first connection of a session is the one; more are not wanted.</summary>
    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        if (result.Accepted is not { } stream)
            return;
        if (_accepted == null)
            _accepted = stream;
        else
            _world.Streams.Close(stream);
        Accept();
    }

    void Accept() =>
        _world.Streams.Push(
            new StreamCommand
            {
                Operation = StreamOperation.Accept,
                Stream = _listener,
                Owner = this,
            }
        );

    Peer AcceptedPeer()
    {
        _accepted = null;
        _world.RunUntil(() => _accepted != null, "a connection");
        return new Peer(_world.Streams, _accepted!, isAccepted: true);
    }

    void Beside()
    {
        _bystander.Begin();
        _world.RunUntil(() => _bystander.IsIdle, "a guest's request");
    }

    /// <summary>What a server says to a client that speaks to it through a relay.</summary>
    /// <param name="unknown">Options that the server is not to know: they are asked by another number.</param>
    byte[] Record(params byte[] unknown)
    {
        _world.Streams.IsTearing = false;
        List<byte> said = [];
        bool hasOpened = false;
        NbdOpening opening = Dialling.Begin(_world, _address, "disk", () => hasOpened = true);
        using Peer client = AcceptedPeer();
        using Peer server = _world.Connect(_rightAddress);
        Relay(() => hasOpened);
        int firstBytes = said.Count;
        using ClientSession session = new();
        session.Submit(opening.Device!);
        Relay(() => session.IsWhole);
        opening.Device!.Dispose();
        client.Close();
        server.Close();
        _world.RunUntil(() => client.IsIdle && server.IsIdle, "the end of a relay");
        _world.RunUntilQuiet();
        byte[] input = [0, 0, .. said];
        BinaryPrimitives.WriteUInt16BigEndian(input, (ushort)firstBytes);
        return input;

        void Relay(Func<bool> isDone) =>
            _world.RunUntil(
                () =>
                {
                    server.Send(Renumber(client, "IHAVEOPT"u8, hides: true));
                    byte[] answer = Renumber(server, [0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9], hides: false);
                    said.AddRange(answer);
                    client.Send(answer);
                    return isDone();
                },
                "a relay"
            );

        byte[] Renumber(Peer from, ReadOnlySpan<byte> magic, bool hides)
        {
            byte[] bytes = [.. from.Received];
            from.Received.Clear();
            for (int at = 0; at + 12 <= bytes.Length; at++)
                foreach (byte option in unknown)
                    if (bytes.AsSpan(at).StartsWith(magic) && bytes[at + 11] == (hides ? option : option + 100))
                        bytes[at + 11] = (byte)(hides ? option + 100 : option);
            return bytes;
        }
    }
}
