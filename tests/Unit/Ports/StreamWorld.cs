// A reactor with streams of one kind, turned by the test, and an address that is free in it. Ring stands for the
// system's fastest port, Threads for its other one.
using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Runtime;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Ports;

public enum StreamKind
{
    RingUnix,
    RingTcp,
    ThreadsUnix,
    ThreadsTcp,
    Simulated,
}

sealed class StreamWorld : IDisposable
{
    /// <summary>Wine, and Windows before 1803, know no unix sockets; the command says so (tests/Windows).</summary>
    public static StreamKind[] Kinds { get; } =
        Array.FindAll(
            Enum.GetValues<StreamKind>(),
            kind => Socket.OSSupportsUnixDomainSockets || kind is not (StreamKind.RingUnix or StreamKind.ThreadsUnix)
        );

    readonly string _folder = Directory.CreateTempSubdirectory("fb-streams-").FullName;
    readonly IFileIo _port;

    public StreamWorld(StreamKind kind, ulong seed = 1)
    {
        bool isSimulated = kind == StreamKind.Simulated;
        SimulatedClock clock = new();
        PortWish wish = new(64, kind is StreamKind.RingUnix or StreamKind.RingTcp, IsHostDriven: false, 4);
        _port = isSimulated
            ? new SimulatedFileIo(clock, seed, new SimulatedFaults())
            : SystemPort.Current.OpenFileIo(wish).FileIo!;
        Reactor = new Reactor(_port, isSimulated ? clock : MonotonicClock.Instance, ReactorLimits.Default)
        {
            StreamFactory = isSimulated ? MakeSimulated : SystemPort.Current.TryCreateStreams,
        };
        Assert.True(Reactor.TryGetStreams(out IStreamIo? streams).IsNone);
        Streams = streams!;
        bool isUnix = kind is StreamKind.RingUnix or StreamKind.ThreadsUnix;
        Address = isUnix ? new UnixDomainSocketEndPoint(Path.Combine(_folder, "s")) : LocalPort.Free();

        Fault MakeSimulated(IIoLoop loop, out IStreamIo? made)
        {
            made = new SimulatedStreams(loop, seed);
            return Fault.None;
        }
    }

    public Reactor Reactor { get; }

    public IStreamIo Streams { get; }

    public EndPoint Address { get; }

    public void RunUntil(Func<bool> isDone)
    {
        for (int turn = 0; !isDone(); turn++)
        {
            Assert.True(turn < 1_000_000);
            Reactor.Turn(ulong.MaxValue);
        }
    }

    public void Dispose()
    {
        Reactor.Dispose();
        _port.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
