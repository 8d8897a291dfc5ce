// A loop with connections in memory and in virtual time, turned by whoever runs a session.
using System;
using System.Net;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Runtime;
using FastBackup.Tests.Simulated;

namespace FastBackup.Tests.Fuzz;

sealed class FuzzWorld : IDisposable
{
    /// <summary>More turns without an end are a hang.</summary>
    const int TurnsMax = 200_000;

    readonly SimulatedFileIo _port;
    int _port16 = 1;

    /// <param name="seed">Of how connections tear.</param>
    public FuzzWorld(ulong seed)
    {
        SimulatedClock clock = new();
        _port = new SimulatedFileIo(clock, seed, new SimulatedFaults());
        Reactor = new Reactor(_port, clock, ReactorLimits.Default) { StreamFactory = Make };
        Check.That(Reactor.TryGetStreams(out IStreamIo? _).IsNone);

        Fault Make(IIoLoop loop, out IStreamIo? made)
        {
            made = Streams = new SimulatedStreams(loop, seed);
            return Fault.None;
        }
    }

    public Reactor Reactor { get; }

    public SimulatedStreams Streams { get; private set; } = null!;

    /// <summary>That nobody listens at.</summary>
    public EndPoint NewAddress() => new IPEndPoint(IPAddress.Loopback, _port16++);

    public void Turn() => Reactor.Turn(Units.NsPerMs);

    /// <exception cref="FuzzFailure">It never is.</exception>
    public void RunUntil(Func<bool> isDone, string what)
    {
        for (int turn = 0; !isDone(); turn++)
        {
            if (turn == TurnsMax)
                throw new FuzzFailure($"hangs: {what}");
            Turn();
        }
    }

    /// <summary>Until nothing happens any more but what waits for its time.</summary>
    public void RunUntilQuiet()
    {
        int quietTurns = 0;
        for (int turn = 0; quietTurns < 2; turn++)
        {
            if (turn == TurnsMax)
                throw new FuzzFailure("hangs: a session that does not come to rest");
            quietTurns = Reactor.Turn(Units.NsPerMs) ? 0 : quietTurns + 1;
        }
    }

    public Peer Connect(EndPoint address)
    {
        Check.That(Streams.TryOpen(address, out StreamHandle? stream).IsNone);
        return new Peer(Streams, stream!, isAccepted: false);
    }

    public void Dispose()
    {
        Reactor.Dispose();
        _port.Dispose();
    }
}
